//! The entries that CPUs edit: some all of them, some one of them only.

use foreign_access::{Entry, EntryName};
use x86_64::structures::paging::page_table::PageTableLevel;
use x86_64::structures::paging::{PageTableFlags, PhysFrame};
use x86_64::{PhysAddr, VirtAddr};

use crate::kernel::page;
use crate::model::Model;

/// Pages of every space whose entries of every level hold counters, in bits that software may use.
const COUNTED: [usize; 3] = [0, 3, 4];

/// A page without memory whose entry, which is not present, is a counter; and the first of those that CPUs have
/// for themselves, so many each.
const ABSENT: u64 = 0x40_0000 + (300 << 12);
const OWN: u64 = 0x40_0000 + (310 << 12);
pub const OWN_PAGES: u64 = 4;

/// Where a counter is in an entry: bits 58:52 of one that is present, and in the place of the frame of one that is
/// not.
const IN_PRESENT: u64 = 1 << 52;
const IN_ABSENT: u64 = 1 << 12;

const LEVELS: [PageTableLevel; 4] =
    [PageTableLevel::One, PageTableLevel::Two, PageTableLevel::Three, PageTableLevel::Four];

/// Names of the entries that all CPUs count in: those of a space that take part in translating some pages.
pub fn shared(model: &Model<'_>, root: PhysFrame) -> Vec<EntryName> {
    let absent = name(model, root, VirtAddr::new(ABSENT), PageTableLevel::One);
    let of_page = |number| LEVELS.map(|level| name(model, root, page(number), level));
    COUNTED.into_iter().flat_map(of_page).chain([absent]).collect()
}

/// The name of an entry that only this CPU edits.
pub fn own(model: &Model<'_>, root: PhysFrame, cpu: usize, number: u64) -> EntryName {
    let page = OWN + ((cpu as u64 * OWN_PAGES + number) << 12);
    name(model, root, VirtAddr::new(page), PageTableLevel::One)
}

/// The name of an entry, by the tables in memory.
pub fn name(
    model: &Model<'_>,
    root: PhysFrame,
    page: VirtAddr,
    level: PageTableLevel,
) -> EntryName {
    let at = model.place(root, page, level as u32).expect("tables lead there");
    let table = PhysFrame::containing_address(PhysAddr::new(at));
    EntryName::new(table, root, page, level)
}

/// The entry with its counter one higher.
pub fn counted(entry: Entry) -> Entry {
    let one = if entry.is_present() { IN_PRESENT } else { IN_ABSENT };
    Entry(entry.0 + one)
}

/// An entry that is not present and holds this value.
pub fn absent(value: u64) -> Entry {
    let entry = Entry(value << 12);
    assert!(!entry.flags().contains(PageTableFlags::PRESENT));
    entry
}
