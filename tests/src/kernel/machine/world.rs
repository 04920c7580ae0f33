//! What programs believe about their pages, and the programs that run while the kernel is busy.

use std::collections::HashMap;

use x86_64::structures::paging::PhysFrame;

use crate::kernel::{BOOT_ROOT, PAGES, SHARED, SPACES, page};
use crate::model::{Model, Random};

/// A program read something that nobody wrote.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Happened {
    /// The space of the program.
    pub space: usize,
    /// The page that it read.
    pub page: usize,
    /// What it should have read.
    pub expected: u64,
    /// What it read.
    pub found: u64,
}

/// What programs believe.
#[derive(Debug, Default)]
pub struct World {
    /// The roots of the spaces there are.
    pub spaces: [Option<PhysFrame>; SPACES],
    /// What was read and should not have been.
    pub happened: Vec<Happened>,
    /// How many flushes there were.
    pub flushes: u32,
    /// How many frames were evacuated.
    pub moved: u32,
    /// How many page faults were answered.
    pub faults: u32,
    contents: HashMap<(usize, usize), u64>,
}

impl World {
    /// A program writes the page, or reads it and checks; false if it faults.
    pub fn touch(
        &mut self,
        model: &Model<'_>,
        cpu: usize,
        space: usize,
        number: usize,
        value: Option<u64>,
    ) -> bool {
        match value {
            Some(value) => self.write(model, cpu, space, number, value),
            None => self.read(model, cpu, space, number),
        }
    }

    /// The private pages of a space are gone.
    pub fn forget_private(&mut self, space: usize) {
        self.contents.retain(|(owner, _), _| *owner != space);
    }

    fn write(
        &mut self,
        model: &Model<'_>,
        cpu: usize,
        space: usize,
        number: usize,
        value: u64,
    ) -> bool {
        let stored = model.user_store(cpu, page(number) + 8 * 5, value).is_some();
        if stored {
            self.contents.insert(owner(space, number), value);
        }
        stored
    }

    fn read(&mut self, model: &Model<'_>, cpu: usize, space: usize, number: usize) -> bool {
        let Some(found) = model.user_load(cpu, page(number) + 8 * 5) else { return false };
        let expected = self.contents.get(&owner(space, number)).copied().unwrap_or(0);
        if found != expected {
            self.happened.push(Happened { space, page: number, expected, found });
        }
        true
    }
}

/// Whose content a page has: that of one space, or (as if it were one more) of all.
fn owner(space: usize, page: usize) -> (usize, usize) {
    (if page < SHARED { SPACES } else { space }, page)
}

/// Programs on other CPUs that touch their pages in the middle of the kernel's work. What faults
/// is left alone: the program would have to wait for the kernel.
#[derive(Debug)]
pub enum Intruder {
    /// Nobody does.
    Nobody,
    /// A few accesses each time, by these numbers.
    Somebody(Random),
}

impl Intruder {
    /// Whether there is one.
    pub const fn is_somebody(&self) -> bool {
        matches!(self, Self::Somebody(_))
    }

    /// A page at which a program faults now, perhaps, and what it writes there, or whether it reads.
    pub fn wants(&self) -> Option<(usize, Option<u64>)> {
        let Self::Somebody(random) = self else { return None };
        let value = random.chance(1, 2).then(|| random.below(1 << 30) as u64);
        random.chance(1, 2).then(|| (random.below(PAGES.len()), value))
    }

    /// Perhaps the scheduler of a CPU loads another of the spaces, or the kernel's root: then gives the root.
    pub fn moves(&self, world: &World) -> Option<PhysFrame> {
        let Self::Somebody(random) = self else { return None };
        let space = world.spaces.get(random.below(SPACES + 1)).copied().flatten();
        random.chance(1, 8).then(|| space.unwrap_or(BOOT_ROOT))
    }

    /// The program on this CPU runs for a moment.
    pub fn run(&self, world: &mut World, model: &Model<'_>, cpu: usize) {
        let Self::Somebody(random) = self else { return };
        let root = Some(model.root(cpu));
        let Some(space) = world.spaces.iter().position(|known| *known == root) else { return };
        for _ in 0..random.below(4) {
            let value = random.chance(1, 2).then(|| random.below(1 << 30) as u64);
            world.touch(model, cpu, space, random.below(PAGES.len()), value);
        }
    }
}
