//! Tables of a space change places between two batches.

use foreign_access::walk::{self, NoEntry};
use foreign_access::{Action, Cpu, Entry, EntryName, Method, Operation};
use page_reclaim::Machine;
use x86_64::structures::paging::PhysFrame;
use x86_64::structures::paging::page_table::PageTableLevel;

use super::{CPUS, Intruder, Kernel, PAGES, page};

/// Two pages of which each has a table of level one for itself, below the same table of level two.
pub const APART: [usize; 2] = [0, 3];

impl<C: Cpu, M: Method<C>> Kernel<'_, '_, C, M> {
    /// The tables of level one of [`APART`] change places, and then again; before, in between and afterwards
    /// the method loads an entry of each. A space without these tables is left alone. Meanwhile no program runs: it
    /// would find its pages exchanged.
    pub fn exchange_tables(&mut self, cpu: usize, space: usize) {
        self.machine.on(cpu);
        let Some(root) = self.machine.world.spaces[space] else { return };
        let intruder = std::mem::replace(&mut self.machine.intruder, Intruder::Nobody);
        if let [Ok(first), Ok(second)] = APART.map(|page| self.upper(root, page)) {
            self.exchange(first, second);
        }
        self.machine.intruder = intruder;
    }

    /// Exchanges what these entries hold, and then again.
    fn exchange(&mut self, mut first: (EntryName, Entry), mut second: (EntryName, Entry)) {
        for _ in 0..2 {
            self.load_below(first);
            self.load_below(second);
            (first.1, second.1) = (second.1, first.1);
            self.put(first);
            self.put(second);
        }
        self.load_below(first);
        self.load_below(second);
    }

    /// The entry of level two on the way to a page.
    fn upper(&mut self, root: PhysFrame, page: usize) -> Result<(EntryName, Entry), NoEntry> {
        let apply = |operations: &mut [Operation]| self.machine.apply(operations);
        let (name, entry) = walk::find(apply, root, self::page(page), PageTableLevel::Two)?;
        walk::below(&name, entry).map(|_| (name, entry))
    }

    /// Puts an entry in its place; every CPU forgets the pages, but not what shows their tables.
    fn put(&mut self, (name, entry): (EntryName, Entry)) {
        let mut operation = Operation::new(name, Action::Exchange(entry));
        let applied = self.machine.apply(core::slice::from_mut(&mut operation));
        assert_eq!(applied, Ok(()));
        for (cpu, number) in (0..CPUS).flat_map(|cpu| (0..PAGES.len()).map(move |n| (cpu, n))) {
            self.machine.model.invlpg(cpu, page(number));
        }
    }

    /// Loads an entry of the table that an entry leads to.
    fn load_below(&mut self, (name, entry): (EntryName, Entry)) {
        let below = walk::below(&name, entry).map(|below| Operation::new(below, Action::Load));
        let applied =
            below.map(|mut operation| self.machine.apply(core::slice::from_mut(&mut operation)));
        assert_eq!(applied, Ok(Ok(())));
    }
}
