//! Pages come and go.
#![expect(unsafe_code, reason = "new mappings may break whoever uses the space")]

use x86_64::structures::paging::{FrameAllocator, Page, PageTableFlags, PhysFrame, Size4KiB};

use super::pages::{self, PageLevel};
use super::{EditError, ForeignSpace, TableDeeds};
use crate::cpu::Cpu;
use crate::entry::Entry;
use crate::operation::{EntryName, Method, Refusal};
use crate::walk::{self, NoEntry};

/// What every entry has that leads to a table.
const LINK: PageTableFlags = PageTableFlags::PRESENT.union(PageTableFlags::WRITABLE);

/// What none has.
const NEVER: PageTableFlags = PageTableFlags::HUGE_PAGE.union(PageTableFlags::GLOBAL);

/// Flags of an entry that leads to a table, if they may be that.
pub(super) fn for_tables(flags: PageTableFlags) -> Result<PageTableFlags, EditError> {
    if flags.intersects(NEVER) { Err(EditError::NotForTables(flags)) } else { Ok(flags) }
}

impl<C: Cpu, M: Method<C>, D: TableDeeds> ForeignSpace<'_, C, M, D> {
    /// Maps a page of any size. Tables that are missing are made; entries that lead to tables are given the table
    /// flags besides those they have, Present and Writable always.
    ///
    /// # Errors
    /// [`EditError`]. What was done on the way down to the page remains.
    ///
    /// # Safety
    /// Whoever uses the space is ready for the mapping, as
    /// [`Mapper::map_to`](x86_64::structures::paging::Mapper::map_to) says in full.
    pub unsafe fn map<S: PageLevel>(
        &mut self,
        page: Page<S>,
        frame: PhysFrame<S>,
        flags: PageTableFlags,
        table_flags: PageTableFlags,
        frames: &mut (impl FrameAllocator<Size4KiB> + ?Sized),
    ) -> Result<(), EditError> {
        let table_flags = for_tables(table_flags)? | LINK;
        let mut name = walk::top(self.root, page.start_address());
        while name.level() != S::LEVEL {
            name = self.table_below(name, table_flags, frames)?;
        }
        let new = pages::mapping(frame, flags);
        let occupied = |seen| EditError::Occupied(name, seen);
        self.edit(name, |seen| seen.is_empty().then_some(new).ok_or(occupied(seen)))?;
        Ok(())
    }

    /// Takes a mapping away: the frame, and the entry as it was at the last, with Accessed and Dirty. The page is
    /// still to be flushed, and no table is freed.
    ///
    /// # Errors
    /// [`EditError`].
    pub fn unmap_page<S: PageLevel>(
        &mut self,
        page: Page<S>,
    ) -> Result<(PhysFrame<S>, Entry), EditError> {
        let name = self.find(page.start_address(), S::LEVEL)?;
        let last = self.edit(name, |seen| pages::frame::<S>(name, seen).map(|_| Entry::EMPTY))?;
        Ok((pages::frame(name, last)?, last))
    }

    /// One level down, to a table that is there or is made, by an entry that has these flags.
    fn table_below(
        &mut self,
        name: EntryName,
        flags: PageTableFlags,
        frames: &mut (impl FrameAllocator<Size4KiB> + ?Sized),
    ) -> Result<EntryName, EditError> {
        let seen = self.load(name)?;
        if seen.is_empty() {
            let frame = frames.allocate_frame().ok_or(EditError::NoFrame)?;
            return self.link(name, frame, flags);
        }
        let below = walk::below(&name, seen)?;
        if !seen.flags().contains(flags) {
            self.edit(name, |seen| {
                walk::below(&name, seen)?;
                Ok(Entry(seen.0 | flags.bits()))
            })?;
        }
        Ok(below)
    }

    /// Makes a table of a frame, and an empty entry lead to it.
    fn link(
        &mut self,
        name: EntryName,
        frame: PhysFrame,
        flags: PageTableFlags,
    ) -> Result<EntryName, EditError> {
        let new_table = |refusal| EditError::NewTable { frame, refusal };
        let link = Entry::new(frame, flags);
        // It leads to a table: `name` is above the level of pages, and the flags are those of a link.
        let below = walk::below(&name, link)?;
        self.deeds.zero(frame);
        self.method.get_mut().adopt(self.cpu, frame, below.level()).map_err(new_table)?;
        let occupied = |seen| EditError::Occupied(name, seen);
        self.edit(name, |seen| seen.is_empty().then_some(link).ok_or(occupied(seen)))
            .map_err(|why| self.unmake(frame, why))?;
        Ok(below)
    }

    /// A table that nothing leads to ceases to be one, and its frame is the caller's again; or it is the kernel's, if it
    /// may not. Gives back what to tell the caller.
    fn unmake(&mut self, frame: PhysFrame, why: EditError) -> EditError {
        if let Err(refusal) = self.method.get_mut().release(self.cpu, frame) {
            self.deeds.kept(frame, refusal);
            return why;
        }
        let refusal = match why {
            EditError::NoEntry(NoEntry::Stopped(stopped)) => stopped.refusal,
            _ => Refusal::Differs,
        };
        EditError::NewTable { frame, refusal }
    }
}
