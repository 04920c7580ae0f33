//! The parts of the kernel's image, from the linker script.
#![expect(unsafe_code, reason = "symbols that the linker script defines")]

use x86_64::VirtAddr;
use x86_64::structures::paging::PageTableFlags;

use crate::layout::IMAGE_OFFSET;

unsafe extern "C" {
    static text_start: u8;
    static rodata_start: u8;
    static data_start: u8;
    static image_end: u8;
}

/// A part with rights of its own: whole pages.
#[derive(Clone, Copy, Debug)]
pub struct Part {
    /// First byte.
    pub start: VirtAddr,
    /// First byte after it.
    pub end: VirtAddr,
    /// What may be done with it.
    pub flags: PageTableFlags,
}

/// The image.
pub struct Image;

impl Image {
    /// The parts above the boot part, each either writable or executable or neither.
    pub fn parts() -> [Part; 3] {
        let present = PageTableFlags::PRESENT;
        let data = present | PageTableFlags::NO_EXECUTE;
        let [text, rodata, writable, end] = [
            address(&raw const text_start),
            address(&raw const rodata_start),
            address(&raw const data_start),
            address(&raw const image_end),
        ];
        [
            Part { start: text, end: rodata, flags: present },
            Part { start: rodata, end: writable, flags: data },
            Part { start: writable, end, flags: data | PageTableFlags::WRITABLE },
        ]
    }

    /// Physical address of the first byte after it.
    pub fn physical_end() -> u64 {
        (&raw const image_end as u64) - IMAGE_OFFSET
    }
}

fn address(symbol: *const u8) -> VirtAddr {
    VirtAddr::from_ptr(symbol)
}
