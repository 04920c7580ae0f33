//! What the `virtio-drivers` crate asks of a kernel: memory that devices reach too.
//!
//! The crate asks by functions without a receiver, so what the kernel has for devices is kept in statics,
//! from the time that disks are looked for.
#![expect(unsafe_code, reason = "gives memory to devices")]

use core::ptr::NonNull;
use core::sync::atomic::{AtomicU64, Ordering};

use heapless::Vec;
use spin::Once;
use virtio_drivers::{BufferDirection, Hal, PhysAddr as DevicePhysical};
use x86_64::VirtAddr;

use super::windows;
use crate::early::Range;

/// Bytes of a page.
const PAGE: u64 = 4096;

/// Ranges of registers that can be mapped.
pub const MOST_RANGES: usize = 32;

/// What the kernel has for devices.
#[derive(Debug)]
pub struct ForDevices {
    /// Memory that is theirs alone: rings, headers, descriptors. Zeroed.
    pub memory: Range,
    /// Registers that are mapped.
    pub registers: Vec<Range, MOST_RANGES>,
    /// The kernel's windows.
    pub windows: VirtAddr,
}

static FOR_DEVICES: Once<ForDevices> = Once::new();
static TAKEN: AtomicU64 = AtomicU64::new(0);

/// From now on devices have this.
///
/// # Safety
/// All of it is mapped, for ever, and the memory is used by nothing else.
pub unsafe fn give(for_devices: ForDevices) {
    FOR_DEVICES.call_once(|| for_devices);
}

/// Takes pages of the devices' memory, for good. They are zeroed and lie side by side.
pub fn take(pages: u64) -> Option<Range> {
    let Range { physical, at, bytes } = FOR_DEVICES.get()?.memory;
    let wanted = pages * PAGE;
    let fits = |taken: u64| taken.checked_add(wanted).filter(|end| *end <= bytes);
    let taken = TAKEN.fetch_update(Ordering::Relaxed, Ordering::Relaxed, fits).ok()?;
    Some(Range { physical: physical + taken, at: at + taken, bytes: wanted })
}

/// The kernel's part of the crate's drivers.
#[derive(Debug)]
pub struct KernelHal;

// SAFETY: as each function says.
unsafe impl Hal for KernelHal {
    // Pages of the devices' memory are valid, zeroed, whole pages, and each is given once.
    fn dma_alloc(pages: usize, _: BufferDirection) -> (DevicePhysical, NonNull<u8>) {
        match take(pages as u64) {
            Some(range) => (range.physical.as_u64(), pointer(range.at)),
            // The crate takes physical address 0 for a refusal.
            None => (0, NonNull::dangling()),
        }
    }

    unsafe fn dma_dealloc(_: DevicePhysical, _: NonNull<u8>, _: usize) -> i32 {
        // There is memory for every disk that is looked at, and none is looked at twice.
        0
    }

    // Registers are mapped for ever, by nobody else.
    unsafe fn mmio_phys_to_virt(physical: DevicePhysical, size: usize) -> NonNull<u8> {
        let ranges = FOR_DEVICES.get().map_or(&[][..], |it| &it.registers);
        let seen = ranges
            .iter()
            .find_map(|range| Some(range.at + offset_of(range, physical, size as u64)?));
        pointer(seen.expect("every register of a disk that is looked at is mapped"))
    }

    unsafe fn share(buffer: NonNull<[u8]>, _: BufferDirection) -> DevicePhysical {
        let seen = VirtAddr::from_ptr(buffer.as_ptr().cast::<u8>());
        let physical = FOR_DEVICES.get().and_then(|it| {
            physical_of(&it.memory, seen).or_else(|| windows::physical(it.windows, seen))
        });
        physical.expect("devices get their own memory, and pages that a window shows")
    }

    unsafe fn unshare(_: DevicePhysical, _: NonNull<[u8]>, _: BufferDirection) {
        // The device used the buffer itself.
    }
}

fn pointer(at: VirtAddr) -> NonNull<u8> {
    NonNull::new(at.as_mut_ptr()).expect("nothing is mapped at 0")
}

/// How far behind the beginning of a range so many bytes at a physical address are, if they are in it.
fn offset_of(range: &Range, physical: u64, bytes: u64) -> Option<u64> {
    let offset = physical.checked_sub(range.physical.as_u64())?;
    (offset.checked_add(bytes)? <= range.bytes).then_some(offset)
}

/// The physical address of what is seen at an address, if it is in a range.
fn physical_of(range: &Range, seen: VirtAddr) -> Option<u64> {
    let offset = seen.as_u64().checked_sub(range.at.as_u64())?;
    (offset < range.bytes).then(|| range.physical.as_u64() + offset)
}
