//! The deeds that the reclaim logic asks for, done on the model.
#![expect(unsafe_code, reason = "calls methods; no address here is a real one")]

mod device;
mod shootdown;
mod world;

use foreign_access::{Cpu, Method, Operation, Refusal, Stopped};
use page_reclaim::{Checksum, DeviceError, Machine, Slot, Write};
use x86_64::structures::paging::PhysFrame;
use x86_64::structures::paging::page_table::PageTableLevel;

pub use device::Device;
pub use shootdown::{Protocol, protocol};
pub use world::{Happened, Intruder, World};

use shootdown::{Known, Tlb, tlb};

use super::BOOT_ROOT;
use super::layout::{fill_root, place_of, window_of};
use crate::flushes::{Flushes, Kind};
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
    /// Who the spaces are.
    pub known: Known,
    flushes: &'m Flushes,
    protocol: &'m Protocol,
    tlbs: Vec<Tlb<'m>>,
    /// The method.
    pub method: M,
    current: usize,
    /// The root that moves, and the CPUs that left it: nobody loads it until it is known where it is.
    left: Option<(PhysFrame, Vec<usize>)>,
}

impl<'m, C: Cpu, M: Method<C>> ModelMachine<'m, C, M> {
    /// A machine whose swap device is empty; nobody intrudes, and there are no PCIDs.
    pub fn new(
        model: &'m Model<'m>,
        flushes: &'m Flushes,
        protocol: &'m Protocol,
        cpus: Vec<C>,
        method: M,
    ) -> Self {
        Self {
            tlbs: (0..cpus.len()).map(|cpu| tlb(protocol, cpu, false)).collect(),
            model,
            world: World::default(),
            device: Device::default(),
            cpus,
            intruder: Intruder::Nobody,
            known: Known::default(),
            flushes,
            protocol,
            method,
            current: 0,
            left: None,
        }
    }

    /// From now on the kernel runs on this CPU; gives back on which one it ran before.
    pub fn on(&mut self, cpu: usize) -> usize {
        std::mem::replace(&mut self.current, cpu)
    }

    /// A program writes a page or reads and checks it; false if it faults.
    pub fn touch(&mut self, cpu: usize, space: usize, page: usize, value: Option<u64>) -> bool {
        self.world.touch(self.model, cpu, space, page, value)
    }

    /// The CPUs that the kernel does not run on.
    pub(super) fn others(&self) -> impl Iterator<Item = usize> + use<C, M> {
        let current = self.current;
        (0..self.cpus.len()).filter(move |cpu| *cpu != current)
    }

    /// Whether a root is on its way to another frame.
    fn is_moving(&self, root: PhysFrame) -> bool {
        self.left.as_ref().is_some_and(|(moving, _)| *moving == root)
    }

    /// The programs of other CPUs go on, as far as they can without a fault; now and then others take their turns, but
    /// for those of a space whose root moves: they wait.
    fn others_run(&mut self) {
        for cpu in self.others() {
            let root = self.intruder.moves(&self.world);
            if let Some(root) = root.filter(|root| !self.is_moving(*root)) {
                self.load_root(cpu, root);
            }
            self.intruder.run(&mut self.world, self.model, cpu);
        }
    }
}

impl<C: Cpu, M: Method<C>> Machine for ModelMachine<'_, C, M> {
    fn apply(&mut self, operations: &mut [Operation]) -> Result<(), Stopped> {
        let cpu = &self.cpus[self.current];
        // SAFETY: no address is a real one; a name that is not true is found by the tests.
        let applied = unsafe { self.method.apply(cpu, operations) };
        self.model.must_fault(self.current, window_of(self.current));
        self.model.must_know_no_way(self.current);
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
        self.model.must_fault(self.current, place_of(table));
        self.model.memory.set_table(table, false);
        Ok(())
    }

    fn edited(&mut self, operations: &[Operation]) {
        self.tlbs[self.current].edited(operations);
        self.others_run();
    }

    fn flush(&mut self) {
        let flushes = self.flushes;
        flushes.all_of(Kind::Flush, || self.shoot_down());
    }

    fn let_go(&mut self) {
        let flushes = self.flushes;
        flushes.all_of(Kind::LetGo, || self.others_let_go());
    }

    fn leave(&mut self, root: PhysFrame) {
        let cpus = 0..self.cpus.len();
        let users: Vec<_> = cpus.filter(|cpu| self.model.root(*cpu) == root).collect();
        users.iter().for_each(|cpu| self.load_root(*cpu, BOOT_ROOT));
        self.left = Some((root, users));
    }

    fn root_moved(&mut self, from: PhysFrame, to: PhysFrame) {
        let space = self.world.spaces.iter().position(|root| *root == Some(from));
        if let Some(space) = space {
            self.world.spaces[space] = Some(to);
            self.known.renew(space);
        }
        let Some((_, users)) = self.left.take_if(|(root, _)| *root == from) else {
            panic!("{from:?} has moved, and was not left for that");
        };
        users.into_iter().for_each(|cpu| self.load_root(cpu, to));
    }

    fn copy(&mut self, from: PhysFrame, to: PhysFrame) {
        self.others_run();
        let words: Vec<_> = self.model.memory.frame(from).iter().map(|word| word.get()).collect();
        let words = words.try_into().expect("a frame has so many words");
        self.others_run();
        self.model.memory.fill(to, &words);
    }

    fn zero(&mut self, frame: PhysFrame) {
        self.model.memory.fill(frame, &[0; WORDS]);
    }

    fn write_out(&mut self, writes: &mut [Write]) {
        self.others_run();
        for write in writes {
            write.outcome = self.device.write(write.slot, self.model.memory.frame(write.frame));
            self.others_run();
        }
    }

    fn read_in(&mut self, slot: Slot, frame: PhysFrame) -> Result<Checksum, DeviceError> {
        let words = self.device.read(slot)?;
        self.model.memory.fill(frame, words);
        Ok(Checksum::of(words))
    }

    fn freed(&mut self, frame: PhysFrame) {
        self.model.memory.freed(frame);
        self.others_run();
    }
}
