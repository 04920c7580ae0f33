//! Interrupts of one CPU: the scheduler runs a program of another space for a moment, and comes back to the
//! space that it believes is loaded.

use std::cell::Cell;

use x86_64::structures::paging::PhysFrame;

use crate::kernel::{SHARED, page};
use crate::model::{Model, NO_FLUSH, Random};

/// The spaces as a scheduler knows them.
#[derive(Debug)]
pub struct Spaces {
    /// Their roots.
    pub roots: Vec<PhysFrame>,
    /// Whether each has a PCID of its own, and is loaded without a flush if nothing is stale.
    pub pcids: bool,
}

/// The scheduler of one CPU.
#[derive(Debug)]
pub struct Interrupts<'s, 'm> {
    model: &'m Model<'m>,
    cpu: usize,
    spaces: &'s Spaces,
    /// The space that the scheduler believes is loaded, as it was written to CR3.
    pub believed: Cell<u64>,
    /// The spaces that were edited since they were loaded, a bit for each.
    edited: Cell<u32>,
    random: Random,
    come: bool,
}

impl<'s, 'm> Interrupts<'s, 'm> {
    /// Of this CPU; they `come` or do not.
    pub fn new(
        model: &'m Model<'m>,
        cpu: usize,
        spaces: &'s Spaces,
        seed: u64,
        come: bool,
    ) -> Self {
        let random = Random::new(seed);
        Self { model, cpu, spaces, believed: Cell::new(0), edited: Cell::new(0), random, come }
    }

    /// Loads a space, as the scheduler does.
    pub fn load(&self, space: usize) {
        self.believed.set(self.write_register(space));
    }

    /// What is known of a space under its PCID is stale now, if it is not loaded.
    pub fn edited(&self, space: usize) {
        self.edited.set(self.edited.get() | 1 << space);
    }

    /// Writes CR3, with a flush if there is anything to flush; says how the space is loaded again.
    fn write_register(&self, space: usize) -> u64 {
        let root = self.spaces.roots[space].start_address().as_u64();
        if !self.spaces.pcids {
            self.model.load_register(self.cpu, root);
            return root;
        }
        let (edited, bit) = (self.edited.get(), 1 << space);
        self.edited.set(edited & !bit);
        let register = root | (space as u64 + 1);
        self.model.load_register(self.cpu, register | if edited & bit == 0 { NO_FLUSH } else { 0 });
        register | NO_FLUSH
    }

    /// Perhaps an interrupt comes, if it can. It does not call the method.
    pub fn chance(&self) {
        if self.come && !self.model.is_masked(self.cpu) && self.random.chance(1, 8) {
            self.write_register(self.random.below(self.spaces.roots.len()));
            for _ in 0..self.random.below(3) {
                let address = page(self.random.below(SHARED));
                assert!(self.model.user_load(self.cpu, address).is_some(), "no page is taken away");
            }
            self.model.load_register(self.cpu, self.believed.get());
        }
    }
}
