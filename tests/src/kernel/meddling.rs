//! Others who do something in the middle of an eviction: at each of its moments at which the records are not held, they
//! have them, and answer faults of programs of other CPUs.

use std::cell::RefCell;

use foreign_access::{Action, Cpu, Method, Operation, Refusal, Stopped, walk};
use page_reclaim::{
    BroughtIn, Checksum, DeviceError, Evicted, Machine, Memory, Records, Room, Slot, Write, evict,
};
use x86_64::structures::paging::PhysFrame;
use x86_64::structures::paging::page_table::PageTableLevel;

use super::{Kernel, Mistake, ModelMachine, answer_fault};

/// The moments of an eviction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// Operations were applied, and it is not noted yet what must be flushed.
    Applied,
    /// Entries are exchanged, and nobody has taken note yet.
    Edited,
    /// All that was noted is flushed; nothing is written.
    Flushed,
    /// All is written, and nobody has taken note yet.
    Written,
}

/// Who has the records at a moment.
pub struct Meddler<'k, 'r, 'm, C, M> {
    /// The records.
    pub memory: &'k mut Memory<'r>,
    /// The deeds.
    pub machine: &'k mut ModelMachine<'m, C, M>,
}

impl<C: Cpu, M: Method<C>> Meddler<'_, '_, '_, C, M> {
    /// Answers a page fault of a program on a CPU that has its space loaded; takes no frame from anybody.
    ///
    /// # Errors
    /// [`Mistake`].
    pub fn fault(&mut self, cpu: usize, space: usize, page: usize) -> Result<BroughtIn, Mistake> {
        let Some(root) = self.machine.world.spaces[space] else { panic!("no space {space}") };
        let before = self.machine.on(cpu);
        let answer = answer_fault(self.memory, self.machine, root, page);
        self.machine.on(before);
        answer
    }

    /// Evicts pages on another CPU.
    pub fn evict(&mut self, cpu: usize, victims: &[PhysFrame]) -> Evicted {
        let nothing = walk::top(super::BOOT_ROOT, super::page(0));
        let mut operations = [Operation::new(nothing, Action::Load); 8];
        let mut room = Room { operations: &mut operations, pages: &mut [Write::NOTHING; 2] };
        let before = self.machine.on(cpu);
        let evicted = evict(self.memory, self.machine, victims, &mut room);
        self.machine.on(before);
        evicted
    }

    /// Programs on the other CPUs go on, with faults.
    pub(super) fn intrude(&mut self) {
        for cpu in self.machine.others() {
            let root = Some(self.machine.model.root(cpu));
            let space = self.machine.world.spaces.iter().position(|known| *known == root);
            if let (Some(space), Some((page, value))) = (space, self.machine.intruder.wants()) {
                // What cannot be had now, the program asks for again.
                let _ = self.fault(cpu, space, page);
                self.machine.touch(cpu, space, page, value);
            }
        }
    }
}

/// A machine that lets others have their way whenever it is told to do something that takes long.
struct Meddling<'k, 'r, 'm, C, M, F> {
    memory: &'k RefCell<&'k mut Memory<'r>>,
    machine: &'k mut ModelMachine<'m, C, M>,
    meddle: F,
}

impl<'r, 'm, C: Cpu, M: Method<C>, F> Meddling<'_, 'r, 'm, C, M, F>
where
    F: FnMut(Moment, &mut Meddler<'_, 'r, 'm, C, M>),
{
    /// The records are free now, or this panics.
    fn at(&mut self, moment: Moment) {
        let mut memory = self.memory.borrow_mut();
        (self.meddle)(moment, &mut Meddler { memory: &mut memory, machine: self.machine });
    }
}

impl<'r, 'm, C: Cpu, M: Method<C>, F> Machine for Meddling<'_, 'r, 'm, C, M, F>
where
    F: FnMut(Moment, &mut Meddler<'_, 'r, 'm, C, M>),
{
    fn apply(&mut self, operations: &mut [Operation]) -> Result<(), Stopped> {
        let applied = self.machine.apply(operations);
        // What is put back is applied while the records are held: then nobody has a turn.
        if self.memory.try_borrow_mut().is_ok() {
            self.at(Moment::Applied);
        }
        applied
    }

    fn adopt(&mut self, table: PhysFrame, level: PageTableLevel) -> Result<(), Refusal> {
        self.machine.adopt(table, level)
    }

    fn release(&mut self, table: PhysFrame) -> Result<(), Refusal> {
        self.machine.release(table)
    }

    fn edited(&mut self, operations: &[Operation]) {
        self.machine.edited(operations);
        self.at(Moment::Edited);
    }

    fn flush(&mut self) {
        self.machine.flush();
        self.at(Moment::Flushed);
    }

    fn let_go(&mut self) {
        self.machine.let_go();
    }

    fn leave(&mut self, root: PhysFrame) {
        self.machine.leave(root);
    }

    fn root_moved(&mut self, from: PhysFrame, to: PhysFrame) {
        self.machine.root_moved(from, to);
    }

    fn copy(&mut self, from: PhysFrame, to: PhysFrame) {
        self.machine.copy(from, to);
    }

    fn zero(&mut self, frame: PhysFrame) {
        self.machine.zero(frame);
    }

    fn write_out(&mut self, writes: &mut [Write]) {
        self.machine.write_out(writes);
        self.at(Moment::Written);
    }

    fn read_in(&mut self, slot: Slot, frame: PhysFrame) -> Result<Checksum, DeviceError> {
        self.machine.read_in(slot, frame)
    }

    fn freed(&mut self, frame: PhysFrame) {
        self.machine.freed(frame);
    }
}

/// The records, which one at a time can have.
struct Shared<'k, 'r>(&'k RefCell<&'k mut Memory<'r>>);

impl Records for Shared<'_, '_> {
    fn with<R>(&mut self, work: impl FnOnce(&mut Memory<'_>) -> R) -> R {
        work(&mut self.0.borrow_mut())
    }

    fn look<R>(&mut self, work: impl FnOnce(&Memory<'_>) -> R) -> R {
        work(&self.0.borrow())
    }
}

impl<'r, 'm, C: Cpu, M: Method<C>> Kernel<'r, 'm, C, M> {
    /// Evicts these frames; others have their way in between.
    pub fn evict_while(
        &mut self,
        victims: &[PhysFrame],
        meddle: impl FnMut(Moment, &mut Meddler<'_, 'r, 'm, C, M>),
    ) -> Evicted {
        let memory = RefCell::new(&mut self.memory);
        let mut machine = Meddling { memory: &memory, machine: &mut self.machine, meddle };
        let mut room = Room { operations: &mut self.room, pages: &mut self.pages };
        evict(&mut Shared(&memory), &mut machine, victims, &mut room)
    }
}
