//! One entry, edited for good or not at all.

use x86_64::VirtAddr;
use x86_64::structures::paging::page_table::PageTableLevel;

use super::{EditError, ForeignSpace};
use crate::cpu::Cpu;
use crate::entry::Entry;
use crate::operation::{Action, EntryName, Method, Operation, Refusal, Stopped};
use crate::walk;

impl<C: Cpu, M: Method<C>, D> ForeignSpace<'_, C, M, D> {
    /// What an entry holds.
    pub(super) fn load(&mut self, name: EntryName) -> Result<Entry, Stopped> {
        let mut operation = Operation::new(name, Action::Load);
        self.apply(core::slice::from_mut(&mut operation))?;
        Ok(operation.found)
    }

    /// Finds the entry of a level that takes part in translating a page.
    pub(super) fn find(
        &mut self,
        page: VirtAddr,
        level: PageTableLevel,
    ) -> Result<EntryName, EditError> {
        let root = self.root;
        Ok(walk::find(|batch| self.apply(batch), root, page, level)?.0)
    }

    /// Puts in place of what an entry holds what `change` makes of it; gives back what was there.
    ///
    /// The walker, or another CPU, may change the entry at any time, so it is stored only if it still is what was
    /// seen; otherwise `change` is asked again.
    pub(super) fn edit(
        &mut self,
        name: EntryName,
        change: impl Fn(Entry) -> Result<Entry, EditError>,
    ) -> Result<Entry, EditError> {
        let mut seen = self.load(name)?;
        loop {
            let action = Action::CompareExchange { expected: seen, new: change(seen)? };
            let mut operation = Operation::new(name, action);
            match self.apply(core::slice::from_mut(&mut operation)) {
                Ok(()) => return Ok(seen),
                Err(Stopped { refusal: Refusal::Differs, .. }) => seen = operation.found,
                Err(stopped) => return Err(stopped.into()),
            }
        }
    }
}
