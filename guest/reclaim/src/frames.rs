//! The frame table: what each frame of physical memory is.

use core::ops::Range;

use foreign_access::EntryName;
use foreign_access::walk::ENTRIES;
use x86_64::VirtAddr;
use x86_64::structures::paging::PhysFrame;
use x86_64::structures::paging::page_table::PageTableLevel;

use crate::flushed::Flushed;
use crate::number::{FrameNumber, Node, Share, Slot};
use crate::reverse::Mapping;
use crate::victims::Hands;

mod far;
mod kind;
mod moved;
mod offline;
mod recent;
mod state;

pub use kind::Kind;
pub use offline::NotEmptyYet;
use recent::RecentTables;
pub use state::FrameRecord;
pub(crate) use state::{Marks, State};

/// Address bits below [`State::Table`]'s `range`.
const RANGE_SHIFT: u32 = 21;

/// The record of a page, to be changed.
pub(crate) struct Page<'r> {
    pub marks: &'r mut Marks,
    pub mappings: &'r mut Option<Node>,
    pub slot: &'r mut Option<Slot>,
    pub share: &'r mut Option<Share>,
}

/// What each frame is, and which are free.
#[derive(Debug)]
pub struct Frames<'a> {
    records: &'a mut [FrameRecord],
    free: Option<FrameNumber>,
    free_count: u32,
    /// Pages, and those of them that are not on trial any more.
    pages: (u32, u32),
    /// Whose turn it is to go.
    pub(crate) hands: Hands,
    /// Frames that go offline instead of becoming free.
    closed: Range<u32>,
    recent: RecentTables,
}

impl<'a> Frames<'a> {
    /// One record for each frame from physical address 0, all reserved at first.
    ///
    /// # Panics
    /// If there are more than 2^27 (512 GiB), which is what a word of the reverse map can name.
    pub fn new(records: &'a mut [FrameRecord]) -> Self {
        assert!(records.len() <= 1 << FrameNumber::BITS, "at most 512 GiB of memory");
        records.fill(FrameRecord::default());
        Self {
            records,
            free: None,
            free_count: 0,
            closed: 0..0,
            recent: RecentTables::NONE,
            pages: (0, 0),
            hands: Hands::default(),
        }
    }

    /// How many frames have records, reserved ones included.
    pub const fn len(&self) -> usize {
        self.records.len()
    }

    /// Whether there are no records at all.
    pub const fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// How many frames are free.
    pub const fn free_count(&self) -> u32 {
        self.free_count
    }

    /// Makes a reserved frame free: it is ours from now on.
    ///
    /// # Errors
    /// The frame, if it has no record or is not reserved.
    pub fn grant(&mut self, frame: PhysFrame) -> Result<(), PhysFrame> {
        self.free_if(frame, State::Reserved)
    }

    /// Takes a free frame for the kernel itself.
    pub fn take_for_kernel(&mut self) -> Option<PhysFrame> {
        self.allocate(State::Kernel).map(FrameNumber::frame)
    }

    /// Takes back a frame that the kernel took for itself. Nobody may be able to reach it through
    /// a TLB any more.
    ///
    /// # Errors
    /// The frame, if it is not the kernel's.
    pub fn give_back(&mut self, frame: PhysFrame) -> Result<(), PhysFrame> {
        self.free_if(frame, State::Kernel)
    }

    fn free_if(&mut self, frame: PhysFrame, state: State) -> Result<(), PhysFrame> {
        let number = FrameNumber::of(frame).ok_or(frame)?;
        if self.record(number) != Some(state) {
            return Err(frame);
        }
        self.push_free(number);
        Ok(())
    }

    /// The page that a frame holds, if it holds one.
    pub(crate) fn page(&mut self, number: FrameNumber) -> Option<Page<'_>> {
        match &mut self.records.get_mut(number.index())?.0 {
            State::Data { marks, mappings, slot, share } => {
                Some(Page { marks, mappings, slot, share })
            }
            _ => None,
        }
    }

    /// The page that a frame holds; it must hold one.
    #[inline]
    pub(crate) fn page_in(&mut self, number: FrameNumber) -> Page<'_> {
        self.page(number).unwrap_or_else(|| unreachable!("{number:?} holds a page"))
    }

    /// The last node of the ring of a page's mappings.
    pub(crate) fn mappings(&self, number: FrameNumber) -> Option<Node> {
        match self.record(number)? {
            State::Data { mappings, .. } => mappings,
            _ => None,
        }
    }

    pub(crate) fn record(&self, number: FrameNumber) -> Option<State> {
        self.records.get(number.index()).map(|record| record.0)
    }

    #[inline]
    pub(crate) fn set(&mut self, number: FrameNumber, state: State) {
        let record = &mut self.records[number.index()].0;
        let (before, after) = (record.counts(), state.counts());
        *record = state;
        self.pages.0 = self.pages.0 - before.0 + after.0;
        self.pages.1 = self.pages.1 - before.1 + after.1;
    }

    /// A page is no longer on trial.
    pub(crate) fn keep(&mut self, number: FrameNumber) {
        let Some(page) = self.page(number) else { return };
        let was_kept = page.marks.has(Marks::KEPT);
        page.marks.set(Marks::KEPT);
        self.pages.1 += u32::from(!was_kept);
    }

    /// How many frames hold a page.
    pub const fn page_count(&self) -> u32 {
        self.pages.0
    }

    /// How many frames hold a page that is on trial.
    pub(crate) const fn trial_count(&self) -> u32 {
        self.pages.0 - self.pages.1
    }

    /// So many more (or, if negative, fewer) entries of a table are not empty.
    pub(crate) fn count_live(&mut self, table: PhysFrame, more: i16) {
        if let Some(State::Table { live, .. }) = self.state_of(table) {
            *live = live.wrapping_add_signed(more);
        }
    }

    /// Makes a table the newest one of its root.
    pub(crate) fn link_table(&mut self, root: FrameNumber, table: FrameNumber) {
        let newest = self.older(root);
        if let State::Table { older, .. } = &mut self.records[table.index()].0 {
            *older = newest;
        }
        if let State::Table { older, .. } = &mut self.records[root.index()].0 {
            *older = Some(table);
        }
    }

    /// Takes the newest table off the list of its root.
    pub(crate) fn unlink_table(&mut self, root: FrameNumber) -> Option<FrameNumber> {
        let table = self.older(root)?;
        let next = self.older(table);
        if let State::Table { older, .. } = &mut self.records[root.index()].0 {
            *older = next;
        }
        Some(table)
    }

    /// The tables of a root, newest first, without the root itself. A table is newer than the one
    /// above it.
    pub(crate) fn tables_of(&self, root: FrameNumber) -> impl Iterator<Item = FrameNumber> {
        core::iter::successors(self.older(root), |table| self.older(*table))
    }

    /// The table of the same root that was built before this one; for a root, the newest one.
    pub(crate) fn older(&self, table: FrameNumber) -> Option<FrameNumber> {
        match self.record(table)? {
            State::Table { older, .. } => older,
            _ => None,
        }
    }

    /// How many entries (of the lower half) of a table are not empty.
    pub(crate) fn live(&self, table: FrameNumber) -> u16 {
        match self.record(table) {
            Some(State::Table { live, .. }) => live,
            _ => 0,
        }
    }

    /// The frame that was retired before this one.
    pub(crate) fn next_retired(&self, frame: FrameNumber) -> Option<FrameNumber> {
        match self.record(frame)? {
            State::Retired { next } => next,
            _ => None,
        }
    }

    fn state_of(&mut self, frame: PhysFrame) -> Option<&mut State> {
        let number = FrameNumber::of(frame)?;
        self.records.get_mut(number.index()).map(|record| &mut record.0)
    }

    /// Both names of the entry of level one that maps a page. It is looked up once for each sharer
    /// of a victim, so every instruction counts.
    #[inline]
    pub(crate) fn leaf_name(&self, mapping: Mapping) -> EntryName {
        let table = mapping.table();
        let State::Table { root, range, .. } = self.records[table as usize].0 else {
            unreachable!("the reverse map names tables only");
        };
        let page = u64::from(range) << RANGE_SHIFT | mapping.index() << 12;
        EntryName::at(mapping.physical(), root.frame(), page, PageTableLevel::One)
    }

    /// Both names of an entry of a table.
    pub(crate) fn name(&self, table: FrameNumber, index: u64) -> EntryName {
        let State::Table { root, range, level, .. } = self.records[table.index()].0 else {
            unreachable!("{table:?} is a table");
        };
        let start = u64::from(range) << RANGE_SHIFT;
        let page = start + (index << (9 * level as u32 + 3));
        EntryName::new(table.frame(), root.frame(), VirtAddr::new_truncate(page), level)
    }

    /// The record of a table that serves this page at this level.
    pub(crate) fn table_for(page: VirtAddr, level: PageTableLevel, root: FrameNumber) -> State {
        let bytes = ENTRIES as u64 * foreign_access::walk::bytes_per_entry(level);
        let start = page.as_u64() & !(bytes - 1);
        State::Table { level, live: 0, root, range: (start >> RANGE_SHIFT) as u32, older: None }
    }

    /// Takes a free frame.
    pub(crate) fn allocate(&mut self, becomes: State) -> Option<FrameNumber> {
        let number = self.free?;
        let State::Free { next } = self.records[number.index()].0 else {
            unreachable!("{number:?} is on the free list");
        };
        self.free = next;
        self.free_count -= 1;
        self.set(number, becomes);
        Some(number)
    }

    /// The free frames.
    pub(crate) fn free_list(&self) -> impl Iterator<Item = FrameNumber> {
        core::iter::successors(self.free, |number| self.next_free(*number))
    }

    /// The free frame that comes after a free one.
    fn next_free(&self, number: FrameNumber) -> Option<FrameNumber> {
        match self.record(number)? {
            State::Free { next } => next,
            _ => None,
        }
    }

    /// Makes a frame free that nobody can reach any more; in a range that is closed it goes offline.
    #[inline]
    pub(crate) fn free(&mut self, number: FrameNumber, _proof: &Flushed) {
        self.push_free(number);
    }

    #[inline]
    fn push_free(&mut self, number: FrameNumber) {
        if self.closed.contains(&number.number()) {
            self.set(number, State::Offline);
            return;
        }
        self.set(number, State::Free { next: self.free });
        self.free = Some(number);
        self.free_count += 1;
    }
}
