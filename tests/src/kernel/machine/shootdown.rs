//! How the CPUs are made to forget, as the real kernel does it.

use foreign_access::{Cpu, EntryName, Method};
use x86_64::structures::paging::PhysFrame;

use super::ModelMachine;
use crate::flushes::Kind;
use crate::model::NO_FLUSH;

impl<C: Cpu, M: Method<C>> ModelMachine<'_, C, M> {
    /// Loads a root on a CPU; the method lets go of the old one first.
    pub fn load_root(&mut self, cpu: usize, root: PhysFrame) {
        self.flushes.all_of(Kind::Detach, || self.method.detach(&self.cpus[cpu]));
        let register = self.register(cpu, root);
        self.model.load_register(cpu, register);
    }

    /// What CR3 is set to.
    fn register(&mut self, cpu: usize, root: PhysFrame) -> u64 {
        let space = self.world.spaces.iter().position(|space| *space == Some(root));
        match (&mut self.pcids, space) {
            (Some(pcids), Some(space)) => pcids.register(cpu, space, root, self.flushes),
            _ => {
                let flush = self.flushes.asks(Kind::RootWrite);
                root.start_address().as_u64() | if flush { 0 } else { NO_FLUSH }
            }
        }
    }

    /// On every CPU, pages of the loaded space are invalidated, and edits of other spaces are noted.
    pub(super) fn shoot_down(&mut self, noted: &[EntryName]) {
        for cpu in 0..self.cpus.len() {
            for name in noted {
                self.forget(cpu, name);
            }
        }
        self.world.flushes += 1;
    }

    fn forget(&mut self, cpu: usize, name: &EntryName) {
        if name.root() == self.model.root(cpu) {
            if self.flushes.asks(Kind::Invlpg) {
                self.model.invlpg(cpu, name.page());
            }
        } else if let Some(pcids) = &mut self.pcids {
            pcids.edited(cpu, name.root(), self.flushes);
        }
    }

    /// The method lets go of foreign roots on every other CPU.
    pub(super) fn others_let_go(&mut self) {
        for cpu in self.others() {
            self.method.detach(&self.cpus[cpu]);
        }
    }
}
