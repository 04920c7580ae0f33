//! Interrupts of one CPU: the scheduler runs a program of another space for a moment, and comes back to the
//! space that it believes is loaded.

use std::cell::Cell;

use x86_64::structures::paging::PhysFrame;

use crate::kernel::{SHARED, page};
use crate::model::{Model, Random};

/// CR3 bit 63: keep what is cached for the PCID.
const NO_FLUSH: u64 = 1 << 63;

/// The spaces as a scheduler knows them.
#[derive(Debug)]
pub struct Spaces {
    /// Their roots.
    pub roots: Vec<PhysFrame>,
    /// Whether each has a PCID of its own and is loaded without a flush. No test here makes anything stale
    /// that a program uses.
    pub pcids: bool,
}

impl Spaces {
    /// What CR3 is set to, to load a space.
    pub fn register(&self, space: usize) -> u64 {
        let root = self.roots[space].start_address().as_u64();
        if self.pcids { root | (space as u64 + 1) | NO_FLUSH } else { root }
    }
}

/// The scheduler of one CPU.
#[derive(Debug)]
pub struct Interrupts<'s, 'm> {
    model: &'m Model<'m>,
    cpu: usize,
    spaces: &'s Spaces,
    /// The space that the scheduler believes is loaded, as it was written to CR3.
    pub believed: Cell<u64>,
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
        Self { model, cpu, spaces, believed: Cell::new(0), random, come }
    }

    /// Loads a space, as the scheduler does.
    pub fn load(&self, space: usize) {
        let register = self.spaces.register(space);
        self.model.load_register(self.cpu, register);
        self.believed.set(register);
    }

    /// Perhaps an interrupt comes, if it can. It does not call the method.
    pub fn chance(&self) {
        if self.come && !self.model.is_masked(self.cpu) && self.random.chance(1, 8) {
            let other = self.random.below(self.spaces.roots.len());
            self.model.load_register(self.cpu, self.spaces.register(other));
            for _ in 0..self.random.below(3) {
                let address = page(self.random.below(SHARED));
                assert!(self.model.user_load(self.cpu, address).is_some(), "no page is taken away");
            }
            self.model.load_register(self.cpu, self.believed.get());
        }
    }
}
