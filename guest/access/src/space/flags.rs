//! Flags change; what the walker set stays.
//!
//! Only flags of what is present: other entries hold what their kernel put there, a swap entry perhaps, and Present would
//! make the walker take that for an address. So who takes Present away cannot put it back here.
//!
//! L1TF: an entry that is not present but keeps its frame lets some CPUs read that frame speculatively. Whoever takes
//! Present away here for longer than a moment should take the mapping away instead.
#![expect(unsafe_code, reason = "new flags may break whoever uses the space")]

use x86_64::VirtAddr;
use x86_64::structures::paging::page_table::PageTableLevel;
use x86_64::structures::paging::{Page, PageTableFlags};

use super::map::for_tables;
use super::pages::{self, PageLevel};
use super::{EditError, ForeignSpace};
use crate::cpu::Cpu;
use crate::entry::Entry;
use crate::operation::Method;
use crate::walk;

/// What a change of flags leaves alone: the address, Accessed and Dirty.
const KEPT: u64 = Entry::FRAME_BITS | Entry::TOUCHED;

impl<C: Cpu, M: Method<C>, D> ForeignSpace<'_, C, M, D> {
    /// Gives the entry of a page other flags; Accessed and Dirty stay set where they are. Gives back the entry as it
    /// was.
    ///
    /// # Errors
    /// [`EditError`]; [`NoEntry::Absent`](crate::walk::NoEntry::Absent) if the entry is not present.
    ///
    /// # Safety
    /// Whoever uses the space is ready for the change.
    pub unsafe fn set_page_flags<S: PageLevel>(
        &mut self,
        page: Page<S>,
        flags: PageTableFlags,
    ) -> Result<Entry, EditError> {
        let name = self.find(page.start_address(), S::LEVEL)?;
        self.edit(name, |seen| {
            pages::of_page::<S>(name, seen)?;
            Ok(Entry(seen.0 & KEPT | flags.bits() | pages::size_bit::<S>()))
        })
    }

    /// Gives the entry of this level, which leads to the tables of an address, other flags; Accessed and Dirty stay set
    /// where they are. Gives back the entry as it was.
    ///
    /// # Errors
    /// [`EditError`]; [`NoEntry::Absent`](crate::walk::NoEntry::Absent) if the entry is not present, and
    /// [`NoEntry::Large`](crate::walk::NoEntry::Large) if it maps a page.
    ///
    /// # Safety
    /// Whoever uses the space is ready for the change, and the method too: those that go through slots of the
    /// root need entries that lead to tables to be writable.
    ///
    /// # Panics
    /// For level one, whose entries lead to no tables.
    pub unsafe fn set_table_flags(
        &mut self,
        address: VirtAddr,
        level: PageTableLevel,
        flags: PageTableFlags,
    ) -> Result<Entry, EditError> {
        assert!(level != PageTableLevel::One, "entries of level one lead to no tables");
        let flags = for_tables(flags)?;
        let name = self.find(address, level)?;
        self.edit(name, |seen| {
            walk::below(&name, seen)?;
            Ok(Entry(seen.0 & KEPT | flags.bits()))
        })
    }
}
