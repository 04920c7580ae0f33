//! Where things lie, and the boot.

use foreign_access::Entry;
use loadphys_rules::Tables;
use page_reclaim::Frames;
use x86_64::structures::paging::{PageTableFlags, PageTableIndex, PhysFrame};
use x86_64::{PhysAddr, VirtAddr};

use crate::model::{ALIAS_BASE, Model};

/// CPUs of the model.
pub const CPUS: usize = 2;

/// CPUs that there are slots and windows for.
pub const MOST_CPUS: usize = 4;

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

/// The slot and the table of level three of the map of all memory: one page of 1 GiB.
const DIRECT_SLOT: u64 = 301;
const DIRECT_TABLE: PhysFrame = frame(3);

/// The slot of the windows and of the array that shows frames, and its tables: one of level three, one of level two,
/// and two of level one, each of which its own last entry leads to.
const PAGES_SLOT: u64 = 302;
const PAGES_TABLES: [PhysFrame; 4] = [frame(4), frame(5), frame(6), frame(7)];

/// Entry of a table of level one that leads to the table.
const OWN_ENTRY: u64 = 511;

/// The first frame that is not the kernel's from the start.
const FIRST_FREE: u64 = 8;

const fn frame(number: u64) -> PhysFrame {
    PhysFrame::containing_address(PhysAddr::new(number << 12))
}

/// Where the alias is mapped in every space.
pub fn alias_window() -> VirtAddr {
    VirtAddr::new_truncate(ALIAS_SLOT << 39)
}

/// Where all memory is mapped in every space.
pub fn direct_map() -> VirtAddr {
    VirtAddr::new_truncate(DIRECT_SLOT << 39)
}

/// Pages of a table of level one, and where their entries are.
fn pages(number: u64) -> (VirtAddr, VirtAddr) {
    let pages = VirtAddr::new_truncate(PAGES_SLOT << 39 | number << 21);
    (pages, pages + (OWN_ENTRY << 12))
}

/// Windows of the CPUs, and where their entries are.
pub fn windows() -> (VirtAddr, VirtAddr) {
    pages(0)
}

/// The window of a CPU.
pub fn window_of(cpu: usize) -> VirtAddr {
    windows().0 + 4096 * cpu as u64
}

/// The place in which a frame is shown.
pub fn place_of(frame: PhysFrame) -> VirtAddr {
    places().0 + frame.start_address().as_u64()
}

/// What a CPU's window shows: the entry that maps it.
pub fn shown(model: &Model<'_>, cpu: usize) -> Entry {
    let [_, _, windows, _] = PAGES_TABLES;
    Entry(model.memory.frame(windows)[cpu].get())
}

/// Places of frames, and where their entries are.
pub fn places() -> (VirtAddr, VirtAddr) {
    pages(1)
}

/// Fills what the kernel finds filled when it boots; grants the other frames.
pub fn boot(model: &Model<'_>, rules: Tables<'_>, frames: &mut Frames<'_>) {
    let flags = PageTableFlags::PRESENT | PageTableFlags::WRITABLE | PageTableFlags::NO_EXECUTE;
    let alias = ALIAS_BASE | (flags | PageTableFlags::HUGE_PAGE).bits();
    model.memory.frame(ALIAS_TABLE)[0].set(alias);
    model.memory.frame(DIRECT_TABLE)[0].set((flags | PageTableFlags::HUGE_PAGE).bits());
    let [top, middle, windows, places] = PAGES_TABLES;
    let lead = |from: PhysFrame, index: u64, to: PhysFrame| {
        model.memory.frame(from)[index as usize].set(Entry::new(to, flags).0);
    };
    lead(top, 0, middle);
    for (number, table) in [(0, windows), (1, places)] {
        lead(middle, number, table);
        lead(table, OWN_ENTRY, table);
    }
    for table in PAGES_TABLES {
        model.memory.set_table(table, true);
    }
    model.memory.set_table(DIRECT_TABLE, true);
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
    for (slot, table) in
        [(ALIAS_SLOT, ALIAS_TABLE), (DIRECT_SLOT, DIRECT_TABLE), (PAGES_SLOT, PAGES_TABLES[0])]
    {
        words[slot as usize].set(Entry::new(table, flags).0);
    }
}
