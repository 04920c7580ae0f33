//! The stub's own tables: all memory and the devices below 4 GiB at their own addresses, nothing writable and
//! executable at once.

use core::ops::Range;

use heapless::Vec;

use crate::madt::MOST_CPUS;
use crate::places::overlap;
use crate::tree::{Shape, Slot};

/// Bits of an entry (SDM volume 3, section "4-Level Paging and 5-Level Paging").
const PRESENT: u64 = 1 << 0;
const WRITABLE: u64 = 1 << 1;
const LARGE: u64 = 1 << 7;
const NO_EXECUTE: u64 = 1 << 63;

/// Pages below stacks.
pub type Guards = Vec<Range<u64>, { 3 * MOST_CPUS }>;

/// What the stub maps for itself.
#[derive(Clone, Debug)]
pub struct OwnMemory {
    /// The image: mapped by small pages, each part with its own rights.
    pub image: Range<u64>,
    /// Code: read and execute.
    pub text: Range<u64>,
    /// Constants: read.
    pub rodata: Range<u64>,
    /// Below stacks: not at all.
    pub guards: Guards,
    /// Where memory, or the devices below 4 GiB, end.
    pub end: u64,
    /// The highest level whose entries may map pages: 3 with 1 GiB pages, else 2.
    pub largest: u8,
}

impl OwnMemory {
    fn guarded(&self, page: &Range<u64>) -> bool {
        self.guards.iter().any(|guard| overlap(page, guard))
    }

    /// The rights of a page that is not cut by the border of a part of the image.
    fn rights(&self, page: &Range<u64>) -> Option<u64> {
        if self.guarded(page) {
            None
        } else if overlap(page, &self.text) {
            Some(PRESENT)
        } else if overlap(page, &self.rodata) {
            Some(PRESENT | NO_EXECUTE)
        } else {
            Some(PRESENT | WRITABLE | NO_EXECUTE)
        }
    }
}

impl Shape for OwnMemory {
    fn slot(&self, page: &Range<u64>, level: u8) -> Slot {
        let cut = level > 1 && (overlap(page, &self.image) || self.guarded(page));
        if page.start >= self.end {
            Slot::Nothing
        } else if level > self.largest || cut {
            Slot::Table
        } else {
            let large = if level > 1 { LARGE } else { 0 };
            self.rights(page)
                .map_or(Slot::Nothing, |rights| Slot::Entry(page.start | rights | large))
        }
    }

    fn upper(&self, table: u64) -> u64 {
        table | PRESENT | WRITABLE
    }
}
