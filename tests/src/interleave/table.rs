//! A table that comes and goes while other CPUs are at work.

use foreign_access::{Action, Entry, EntryName, Method, Operation};
use x86_64::structures::paging::page_table::PageTableLevel;
use x86_64::structures::paging::{PageTableFlags, PhysFrame};
use x86_64::{PhysAddr, VirtAddr};

use super::cpu::Interleaved;
use super::entries;
use super::job::{Job, Mistake};
use super::shootdown::Forget;
use crate::model::WORDS;

/// Frames that become tables, and the pages that they map, by turns of any CPU; the kernel's own come before
/// them.
const FRAMES: core::ops::Range<u64> = 8..24;

/// Pages whose entries of level two are empty in every space: those of the first CPU.
const PAGES: u64 = 0x800_0000;

/// Bytes that a table of level one translates, and where among them a program's page is.
const BYTES: u64 = 2 << 20;
const PROGRAMS: u64 = BYTES - 0x1000;

/// The page that a CPU maps for programs for a while.
pub fn passing_page(cpu: usize) -> VirtAddr {
    VirtAddr::new(PAGES + cpu as u64 * BYTES + PROGRAMS)
}

impl<'j, 's, 'm, M: Method<Interleaved<'j, 's, 'm>>> Job<'j, 's, 'm, M> {
    /// A frame becomes a table of a space and maps a page, programs use it, and both are free again.
    pub(super) fn table(&mut self, space: usize) -> Result<(), Mistake> {
        let (table, page) = (self.take_frame(), passing_page(self.number));
        let upper = entries::name(self.model, self.spaces.roots[space], page, PageTableLevel::Two);
        let name = upper.in_table(table, PageTableLevel::One);
        self.adopt(table)?;
        self.put(upper, leading_to(table), Entry::EMPTY)?;
        self.use_it(name)?;
        let frame = self.take_frame();
        self.put(name, leading_to(frame), Entry::EMPTY)?;
        self.cpu.between();
        self.put(upper, Entry::EMPTY, leading_to(table))?;
        self.shoot_down(Forget { space, page });
        self.model.memory.freed(frame);
        self.release(table)
    }

    /// A free frame, zeroed.
    fn take_frame(&self) -> PhysFrame {
        let memory = &self.model.memory;
        let frame = |number| PhysFrame::containing_address(PhysAddr::new(number << 12));
        let mut free = FRAMES.map(frame).filter(|frame| memory.is_free(*frame));
        let frame = free.next().expect("there are more than CPUs use");
        memory.fill(frame, &[0; WORDS]);
        frame
    }

    fn adopt(&mut self, table: PhysFrame) -> Result<(), Mistake> {
        self.model.memory.set_table(table, true);
        self.method.adopt(&self.cpu, table, PageTableLevel::One).map_err(Mistake::Refused)
    }

    fn release(&mut self, table: PhysFrame) -> Result<(), Mistake> {
        self.method.release(&self.cpu, table).map_err(Mistake::Refused)?;
        self.model.memory.set_table(table, false);
        self.model.memory.freed(table);
        Ok(())
    }

    /// Puts values into the new table, and looks whether they are there.
    fn use_it(&mut self, first: EntryName) -> Result<(), Mistake> {
        for page in (1..4).map(|number| first.page() - number * 0x1000) {
            self.stored += 1;
            let (name, value) = (first.of_page(page), entries::absent(self.stored));
            self.put(name, value, Entry::EMPTY)?;
            self.put(name, value, value)?;
        }
        Ok(())
    }

    /// Exchanges an entry, which should hold something (whatever the walker has set).
    fn put(&mut self, name: EntryName, new: Entry, expected: Entry) -> Result<(), Mistake> {
        let mut batch = [Operation::new(name, Action::Exchange(new))];
        self.apply(&mut batch)?;
        match batch[0].found.0 & !0x60 == expected.0 {
            true => Ok(()),
            false => Err(Mistake::OwnEntry(name, batch[0].found)),
        }
    }

    /// Every CPU forgets a page and lets go of what the method keeps.
    fn shoot_down(&mut self, page: Forget) {
        let shootdowns = self.shootdowns;
        shootdowns.ask(self.number, page);
        self.forget(page);
        while !shootdowns.is_answered(page) {
            self.cpu.between();
            self.answer();
        }
    }

    /// Does what others ask for.
    pub(super) fn answer(&mut self) {
        let asked = self.shootdowns.asked(self.number);
        asked.iter().for_each(|page| self.forget(*page));
        self.shootdowns.answered(self.number, &asked);
    }

    fn forget(&mut self, Forget { space, page }: Forget) {
        self.model.invlpg(self.number, page);
        self.cpu.interrupts.edited(space);
        self.method.detach(&self.cpu);
    }
}

/// An entry that leads to a table, or maps a page for programs.
fn leading_to(frame: PhysFrame) -> Entry {
    let rights = PageTableFlags::WRITABLE | PageTableFlags::USER_ACCESSIBLE;
    Entry::new(frame, PageTableFlags::PRESENT | rights)
}
