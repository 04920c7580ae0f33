//! Where things lie, and the boot.

use foreign_access::Entry;
use loadphys_rules::Tables;
use page_reclaim::Frames;
use x86_64::structures::paging::{PageTableFlags, PageTableIndex, PhysFrame};
use x86_64::{PhysAddr, VirtAddr};

use crate::model::{ALIAS_BASE, Model};

/// CPUs of the model.
pub const CPUS: usize = 2;

/// The slot in which every root maps itself.
pub const SELF_SLOT: PageTableIndex = PageTableIndex::new(510);

/// The slot of the first CPU for foreign roots.
pub const FOREIGN_SLOTS: PageTableIndex = PageTableIndex::new(400);

/// The slot under which the alias is mapped.
const ALIAS_SLOT: u64 = 300;

/// The root that CPUs have loaded when they run no program.
pub const BOOT_ROOT: PhysFrame = frame(1);

/// The table of level three that maps the alias with one page of 1 GiB.
const ALIAS_TABLE: PhysFrame = frame(2);

/// The first frame that is not the kernel's from the start.
const FIRST_FREE: u64 = 3;

const fn frame(number: u64) -> PhysFrame {
    PhysFrame::containing_address(PhysAddr::new(number << 12))
}

/// Where the alias is mapped in every space.
pub fn alias_window() -> VirtAddr {
    VirtAddr::new_truncate(ALIAS_SLOT << 39)
}

/// Fills what the kernel finds filled when it boots; grants the other frames.
pub fn boot(model: &Model<'_>, rules: Tables<'_>, frames: &mut Frames<'_>) {
    let flags = PageTableFlags::PRESENT | PageTableFlags::WRITABLE | PageTableFlags::NO_EXECUTE;
    let alias = ALIAS_BASE | (flags | PageTableFlags::HUGE_PAGE).bits();
    model.memory.frame(ALIAS_TABLE)[0].set(alias);
    fill_root(model, BOOT_ROOT);
    model.memory.set_table(BOOT_ROOT, true);
    model.memory.set_table(ALIAS_TABLE, true);
    rules.grant(0..(frames.len() as u64) << 12);
    for number in FIRST_FREE..frames.len() as u64 {
        let granted = frames.grant(frame(number));
        assert!(granted.is_ok(), "{granted:?}");
        model.memory.freed(frame(number));
    }
}

/// Fills the upper half of a root, as the kernel does through a window of its own.
pub fn fill_root(model: &Model<'_>, root: PhysFrame) {
    let flags = PageTableFlags::PRESENT | PageTableFlags::WRITABLE | PageTableFlags::NO_EXECUTE;
    let words = model.memory.frame(root);
    words[usize::from(SELF_SLOT)].set(Entry::new(root, flags).0);
    words[ALIAS_SLOT as usize].set(Entry::new(ALIAS_TABLE, flags).0);
}
