//! The deeds that the reclaim logic asks for, done on the model.
#![expect(unsafe_code, reason = "calls methods; no address here is a real one")]

mod device;
mod pcids;
mod world;

use foreign_access::{Cpu, Entry, EntryName, Method, Operation, Refusal, Stopped};
use page_reclaim::{DeviceError, Machine, Slot};
use x86_64::structures::paging::PhysFrame;
use x86_64::structures::paging::page_table::PageTableLevel;

pub use device::Device;
pub use pcids::{Loads, Pcids};
pub use world::{Happened, Intruder, World};

use super::layout::fill_root;
use crate::model::{Model, WORDS};

/// The machine, seen from the reclaim logic: a method on the CPUs of a model, and a swap device.
pub struct ModelMachine<'m, C, M> {
    /// What it runs on.
    pub model: &'m Model<'m>,
    /// What the programs believe.
    pub world: World,
    /// The swap device.
    pub device: Device,
    /// The CPUs, as the method sees them.
    pub cpus: Vec<C>,
    /// Who accesses memory while the logic is at work.
    pub intruder: Intruder,
    /// Whether the method lets go of foreign roots when it must; a broken twin does not.
    pub detaches: bool,
    /// The PCIDs of the spaces.
    pub pcids: Pcids,
    method: M,
    current: usize,
    noted: Vec<EntryName>,
}

impl<'m, C: Cpu, M: Method<C>> ModelMachine<'m, C, M> {
    /// A machine whose swap device is empty.
    pub fn new(model: &'m Model<'m>, cpus: Vec<C>, method: M, intruder: Intruder) -> Self {
        Self {
            model,
            world: World::default(),
            device: Device::default(),
            cpus,
            intruder,
            detaches: true,
            pcids: Pcids::new(Loads::Flush),
            method,
            current: 0,
            noted: Vec::new(),
        }
    }

    /// From now on the kernel runs on this CPU.
    pub fn on(&mut self, cpu: usize) {
        self.current = cpu;
    }

    /// Loads a root on a CPU; the method lets go of the old one first.
    pub fn load_root(&mut self, cpu: usize, root: PhysFrame) {
        self.detach(cpu);
        let space = self.world.spaces.iter().position(|space| *space == Some(root));
        match space.filter(|_| self.pcids.loads != Loads::Flush) {
            Some(space) => {
                let register = self.pcids.register(cpu, space, root);
                self.model.load_register(cpu, register);
            }
            None => self.model.load_root(cpu, root),
        }
    }

    /// A program writes a page or reads and checks it; false if it faults.
    pub fn touch(&mut self, cpu: usize, space: usize, page: usize, value: Option<u64>) -> bool {
        self.world.touch(self.model, cpu, space, page, value)
    }

    fn detach(&mut self, cpu: usize) {
        if self.detaches {
            self.method.detach(&self.cpus[cpu]);
        }
    }

    /// The programs of other CPUs go on, as far as they can without a fault.
    fn others_run(&mut self) {
        let others = (0..self.cpus.len()).filter(|cpu| *cpu != self.current);
        for cpu in others.collect::<Vec<_>>() {
            self.intruder.run(&mut self.world, self.model, cpu);
        }
    }
}

impl<C: Cpu, M: Method<C>> Machine for ModelMachine<'_, C, M> {
    fn apply(&mut self, operations: &mut [Operation]) -> Result<(), Stopped> {
        let cpu = &self.cpus[self.current];
        // SAFETY: no address is a real one; a name that is not true is found by the tests.
        let applied = unsafe { self.method.apply(cpu, operations) };
        self.others_run();
        applied
    }

    fn adopt(&mut self, table: PhysFrame, level: PageTableLevel) -> Result<(), Refusal> {
        if level == PageTableLevel::Four {
            fill_root(self.model, table);
        }
        self.model.memory.set_table(table, true);
        self.method.adopt(&self.cpus[self.current], table, level)
    }

    fn release(&mut self, table: PhysFrame) -> Result<(), Refusal> {
        self.method.release(&self.cpus[self.current], table)?;
        self.model.memory.set_table(table, false);
        Ok(())
    }

    fn edited(&mut self, operations: &[Operation]) {
        let changed = operations.iter().filter(|operation| operation.found != Entry::EMPTY);
        self.noted.extend(changed.map(|operation| operation.name));
    }

    fn flush(&mut self) {
        let noted = std::mem::take(&mut self.noted);
        for cpu in 0..self.cpus.len() {
            for name in &noted {
                match name.root == self.model.root(cpu) {
                    true => self.model.invlpg(cpu, name.page),
                    false => self.pcids.edited(cpu, name.root),
                }
            }
        }
        self.world.flushes += 1;
    }

    fn let_go(&mut self) {
        let others = (0..self.cpus.len()).filter(|cpu| *cpu != self.current);
        others.collect::<Vec<_>>().into_iter().for_each(|cpu| self.detach(cpu));
    }

    fn zero(&mut self, frame: PhysFrame) {
        self.model.memory.fill(frame, &[0; WORDS]);
    }

    fn write_out(&mut self, frame: PhysFrame, slot: Slot) -> Result<(), DeviceError> {
        self.others_run();
        let written = self.device.write(slot, self.model.memory.frame(frame));
        self.others_run();
        written
    }

    fn read_in(&mut self, slot: Slot, frame: PhysFrame) -> Result<(), DeviceError> {
        let words = self.device.read(slot).ok_or(DeviceError)?;
        self.model.memory.fill(frame, words);
        Ok(())
    }

    fn freed(&mut self, frame: PhysFrame) {
        self.model.memory.freed(frame);
        self.others_run();
    }
}
