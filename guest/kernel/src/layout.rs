//! The kernel half of every space, by slot of the root (512 GiB each).

use loadphys_apps::places;
use x86_64::VirtAddr;
use x86_64::structures::paging::PageTableIndex;

/// What a virtual address in the image is above its physical address.
pub const IMAGE_OFFSET: u64 = loadphys_boot::HIGH_BASE;

/// Where the alias of physical memory appears, if the stub has one.
pub const ALIAS_SLOT: u16 = 256;

/// Where all physical memory appears, for `direct-map`.
pub const DIRECT_SLOT: u16 = 257;

/// Where frames have places, for `mirror` and `root-array`.
pub const PLACES_SLOT: u16 = 258;

/// First of the slots that `recursive` lends to foreign roots, one for each CPU.
pub const FOREIGN_SLOTS: u16 = 384;

/// Heap, stacks, tables of frames, RAM swap, windows.
pub const DYNAMIC_SLOT: u16 = 508;

/// The slot in which every root leads to itself, for `recursive`.
pub const SELF_SLOT: u16 = 510;

/// The slot of the image.
pub const IMAGE_SLOT: u16 = 511;

/// The first slot of the kernel half.
pub const KERNEL_HALF: u16 = 256;

/// CPUs for which there is room.
pub const MOST_CPUS: u16 = 64;

/// Bytes that one slot of the root translates.
pub const SLOT_BYTES: u64 = 1 << 39;

/// The first address that a slot translates.
pub const fn slot_base(slot: u16) -> VirtAddr {
    VirtAddr::new_truncate((slot as u64) << 39)
}

/// A slot as an index.
pub const fn slot(slot: u16) -> PageTableIndex {
    PageTableIndex::new(slot)
}

const _: () = {
    assert!(ALIAS_SLOT >= KERNEL_HALF && ALIAS_SLOT < DIRECT_SLOT);
    assert!(DIRECT_SLOT < PLACES_SLOT && PLACES_SLOT < FOREIGN_SLOTS);
    assert!(FOREIGN_SLOTS + MOST_CPUS <= DYNAMIC_SLOT);
    assert!(2 * MOST_CPUS < crate::early::WINDOW_TABLE_SLOT, "two windows for each CPU");
    assert!(DYNAMIC_SLOT < SELF_SLOT && SELF_SLOT < IMAGE_SLOT);
    assert!(slot_base(IMAGE_SLOT).as_u64() < IMAGE_OFFSET);
    assert!(places::STACK_TOP < 1 << 47);
};
