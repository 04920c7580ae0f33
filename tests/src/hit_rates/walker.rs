//! A processor that does no more than walk: it finds the entry of a page and sets Accessed and Dirty.

use std::collections::HashMap;

use foreign_access::{Action, Entry, EntryName, Operation, Refusal, Stopped};
use page_reclaim::{Checksum, DeviceError, Machine, Slot, Write, tables};
use x86_64::VirtAddr;
use x86_64::structures::paging::PhysFrame;
use x86_64::structures::paging::page_table::PageTableLevel;

/// The tables of one space, and a swap device of which nothing is asked: pages have no contents.
#[derive(Debug, Default)]
pub struct Walker {
    entries: HashMap<u64, Entry>,
    /// Operations on entries so far, those that were refused too.
    pub operations: usize,
}

impl Walker {
    /// A page is touched; false is a page fault. There is no TLB.
    pub fn touch(&mut self, root: PhysFrame, page: VirtAddr, write: bool) -> bool {
        let Ok((name, entry)) = tables::find(self, root, page) else { return false };
        if entry.is_present() {
            let dirty = if write { Entry::TOUCHED } else { Entry::TOUCHED & 1 << 5 };
            self.entries.insert(name.physical(), Entry(entry.0 | dirty));
        }
        entry.is_present()
    }

    fn entry(&self, name: &EntryName) -> Entry {
        self.entries.get(&name.physical()).copied().unwrap_or_default()
    }
}

impl Machine for Walker {
    fn apply(&mut self, operations: &mut [Operation]) -> Result<(), Stopped> {
        for (done, operation) in operations.iter_mut().enumerate() {
            self.operations += 1;
            operation.found = self.entry(&operation.name);
            let new = match operation.action {
                Action::Load => continue,
                Action::Exchange(new) => new,
                Action::CompareExchange { expected, new } if expected == operation.found => new,
                Action::CompareExchange { .. } => {
                    return Err(Stopped { done, refusal: Refusal::Differs });
                }
            };
            self.entries.insert(operation.name.physical(), new);
        }
        Ok(())
    }

    fn adopt(&mut self, _: PhysFrame, _: PageTableLevel) -> Result<(), Refusal> {
        Ok(())
    }

    fn release(&mut self, _: PhysFrame) -> Result<(), Refusal> {
        Ok(())
    }

    fn edited(&mut self, _: &[Operation]) {}

    fn flush(&mut self) {}

    fn let_go(&mut self) {}

    fn leave(&mut self, _: PhysFrame) {}

    fn root_moved(&mut self, _: PhysFrame, _: PhysFrame) {}

    fn copy(&mut self, _: PhysFrame, _: PhysFrame) {}

    fn zero(&mut self, _: PhysFrame) {}

    fn write_out(&mut self, writes: &mut [Write]) {
        writes.iter_mut().for_each(|write| write.outcome = Ok(Checksum(0)));
    }

    fn read_in(&mut self, _: Slot, _: PhysFrame) -> Result<Checksum, DeviceError> {
        Ok(Checksum(0))
    }
}
