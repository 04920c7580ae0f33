//! Empty tables are unlinked, shot down, released, and their frames given back: in this order.
//!
//! No table is looked at twice. Its entries are loaded a few at a time, and only then is it unlinked; what another CPU
//! puts into it meanwhile would be lost with it. A second look after the shootdown would find most of that, not all: a
//! CPU that made a name before the first look may use it just after the second. Nor can it be had: once nothing leads
//! to a table, none of its entries has a true name. So the caller keeps others out; only it has the lock.
#![expect(unsafe_code, reason = "frees tables")]

use x86_64::VirtAddr;
use x86_64::structures::paging::page::PageRangeInclusive;
use x86_64::structures::paging::page_table::PageTableLevel;
use x86_64::structures::paging::{FrameDeallocator, Page, PhysFrame, Size4KiB};

use super::{EditError, ForeignSpace, TableDeeds, Unlinked};
use crate::cpu::Cpu;
use crate::entry::Entry;
use crate::operation::{Action, EntryName, Method, Operation, Stopped};
use crate::walk::{self, ENTRIES, NoEntry};

/// How many entries are loaded at a time, and how many tables share a shootdown. Both lie on the stack.
const BATCH: usize = 16;

/// The pages that are the user's.
pub fn lower_half() -> PageRangeInclusive {
    let page = |address| Page::containing_address(VirtAddr::new_truncate(address));
    Page::range_inclusive(page(0), page((1 << 47) - 1))
}

impl<C: Cpu, M: Method<C>, D: TableDeeds> ForeignSpace<'_, C, M, D> {
    /// Frees the tables below the root that translate pages of the range and are empty, as
    /// [`CleanUp`](x86_64::structures::paging::mapper::CleanUp) does. Up to 16 tables share one
    /// [`TableDeeds::shoot_down`].
    ///
    /// # Errors
    /// The method does not show a table. What was unlinked until then has been freed.
    ///
    /// # Safety
    /// - Every table that translates pages of the range is used once, in this space, and is of use to nobody
    ///   when it is empty. So the range holds no slots of a method, and nothing that the kernel shares between spaces. What
    ///   leads to the root itself is skipped.
    /// - While it runs nobody else names entries of such a table, not even to load them, unless some entry in it or
    ///   below it, which leads to no table, is not empty from beginning to end. (That one may be exchanged for a swap
    ///   entry, and back.) Otherwise the table may be freed because it seemed empty: what another CPU puts
    ///   into it is lost, even if it moved it from one entry to another; and an edit by a name made before hits a frame
    ///   that is somebody else's by then. Programs may use the space.
    pub unsafe fn clean(
        &mut self,
        range: PageRangeInclusive,
        frames: &mut impl FrameDeallocator<Size4KiB>,
    ) -> Result<(), Stopped> {
        if range.is_empty() {
            return Ok(());
        }
        let root = walk::top(self.root, VirtAddr::zero());
        let nothing = Unlinked { entry: root, table: self.root };
        let mut cleaner =
            Cleaner { space: self, range, frames, unlinked: [nothing; BATCH], count: 0 };
        let cleaned = cleaner.clean(root);
        cleaner.settle();
        cleaned.map(|_| ())
    }
}

struct Cleaner<'a, 's, C, M, D, F> {
    space: &'a mut ForeignSpace<'s, C, M, D>,
    range: PageRangeInclusive,
    frames: &'a mut F,
    /// Tables that wait for their shootdown.
    unlinked: [Unlinked; BATCH],
    count: usize,
}

impl<C: Cpu, M: Method<C>, D: TableDeeds, F: FrameDeallocator<Size4KiB>>
    Cleaner<'_, '_, C, M, D, F>
{
    /// Cleans what is below a table whose first entry is named; says whether the table is empty then. It calls itself
    /// once a level, at most three deep: `below` never leads up, whatever the entries say.
    fn clean(&mut self, first: EntryName) -> Result<bool, Stopped> {
        let mut is_empty = true;
        for start in (0..ENTRIES).step_by(BATCH) {
            for (index, entry) in (start..).zip(self.load(first, start)?) {
                is_empty &= entry.is_empty() || self.is_freed(nth(first, index), entry)?;
            }
            if !is_empty && first.level() == PageTableLevel::One {
                break;
            }
        }
        Ok(is_empty)
    }

    /// Cleans what an entry leads to; says whether that was a table which is unlinked now.
    fn is_freed(&mut self, name: EntryName, entry: Entry) -> Result<bool, Stopped> {
        let Ok(below) = walk::below(&name, entry) else { return Ok(false) };
        if below.table() == self.space.root || !self.is_in_range(&name) || !self.clean(below)? {
            return Ok(false);
        }
        self.unlink(name, below.table())
    }

    /// Takes away what leads to a table that is empty. The walker may set Accessed meanwhile; if it is not this table any
    /// more, it is left alone.
    fn unlink(&mut self, entry: EntryName, table: PhysFrame) -> Result<bool, Stopped> {
        let empty = |seen| match walk::below(&entry, seen) {
            Ok(below) if below.table() == table => Ok(Entry::EMPTY),
            _ => Err(EditError::Occupied(entry, seen)),
        };
        match self.space.edit(entry, empty) {
            Ok(_) => self.note(Unlinked { entry, table }),
            Err(EditError::NoEntry(NoEntry::Stopped(stopped))) => return Err(stopped),
            Err(_) => return Ok(false),
        }
        Ok(true)
    }

    fn note(&mut self, unlinked: Unlinked) {
        self.unlinked[self.count] = unlinked;
        self.count += 1;
        if self.count == BATCH {
            self.settle();
        }
    }

    /// Frees what was unlinked. The shootdown comes first: until then a CPU may still walk through the tables.
    fn settle(&mut self) {
        let unlinked = &self.unlinked[..core::mem::take(&mut self.count)];
        if unlinked.is_empty() {
            return;
        }
        let ForeignSpace { cpu, method, deeds, .. } = &mut *self.space;
        deeds.shoot_down(unlinked);
        for Unlinked { table, .. } in unlinked.iter().copied() {
            match method.get_mut().release(cpu, table) {
                // SAFETY: nothing leads to the frame, no CPU knows a way to it, and it is a table no more.
                Ok(()) => unsafe { self.frames.deallocate_frame(table) },
                Err(refusal) => deeds.kept(table, refusal),
            }
        }
    }

    /// Whether an entry takes part in translating pages of the range.
    fn is_in_range(&self, name: &EntryName) -> bool {
        let (first, last) = (self.range.start.start_address(), self.range.end.start_address());
        let end = name.page().as_u64() + (walk::bytes_per_entry(name.level()) - 1);
        name.page() <= last && end >= first.as_u64()
    }

    /// Loads successive entries of a table, from `start`.
    fn load(&mut self, first: EntryName, start: usize) -> Result<[Entry; BATCH], Stopped> {
        let mut batch: [Operation; BATCH] =
            core::array::from_fn(|number| Operation::new(nth(first, start + number), Action::Load));
        self.space.apply(&mut batch)?;
        Ok(batch.map(|operation| operation.found))
    }
}

/// An entry of the table whose first is named. From the middle of a root on the sign is repeated.
fn nth(first: EntryName, index: usize) -> EntryName {
    let page = first.page().as_u64() + index as u64 * walk::bytes_per_entry(first.level());
    first.of_page(VirtAddr::new_truncate(page))
}
