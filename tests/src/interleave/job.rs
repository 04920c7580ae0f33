//! What the kernel of one CPU does, one thing after the other.
#![expect(unsafe_code, reason = "calls methods; no address here is a real one")]

use std::collections::HashMap;

use foreign_access::{Action, Entry, EntryName, Method, Operation, Refusal, Stopped};

use super::cpu::Interleaved;
use super::entries::{self, OWN_PAGES};
use super::interrupts::Spaces;
use super::shootdown::Shootdowns;
use super::table::passing_page;
use crate::kernel::{MOST_CPUS, SHARED, page};
use crate::model::{Model, Random};

/// How often a batch is tried again before something must be wrong.
const TRIES: usize = 2000;

/// One thing that a CPU does.
#[derive(Clone, Debug)]
pub enum Step {
    /// A batch: exchanges of entries that are this CPU's own (space and number), and somewhere among them one more in a
    /// shared counter (space and number).
    Batch {
        /// The exchanges.
        own: Vec<(usize, u64)>,
        /// The counter.
        counter: (usize, usize),
        /// How many exchanges come before it.
        before: usize,
    },
    /// Another space is loaded.
    Load(usize),
    /// A program of the loaded space writes this page and reads it again.
    Program(usize),
    /// A frame becomes a table of this space for a while.
    Table(usize),
    /// Interrupts are turned off, or on.
    Mask(bool),
}

impl Step {
    /// So many steps that a seed decides, among so many spaces.
    pub fn sequence(seed: u64, count: usize, spaces: usize) -> Vec<Self> {
        let random = Random::new(seed);
        (0..count).map(|_| Self::any(&random, spaces)).collect()
    }

    fn any(random: &Random, spaces: usize) -> Self {
        match random.below(12) {
            0 => Self::Load(random.below(spaces)),
            1..4 => Self::Program(random.below(SHARED)),
            4 => Self::Mask(random.chance(1, 3)),
            5 => Self::Table(random.below(spaces)),
            _ => {
                let own = (0..random.below(5))
                    .map(|_| (random.below(spaces), random.below(OWN_PAGES as usize) as u64))
                    .collect::<Vec<_>>();
                // A few counters are asked for often.
                let most = if random.chance(1, 2) { 2 } else { 13 };
                let counter = (random.below(spaces.min(most)), random.below(most));
                Self::Batch { before: random.below(own.len() + 1), own, counter }
            }
        }
    }
}

/// What a kernel saw that must not be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mistake {
    /// An entry of its own held something else than it had put there.
    OwnEntry(EntryName, Entry),
    /// A batch was refused.
    Refused(Refusal),
    /// A counter never was what it had been a moment before.
    Stuck(EntryName),
    /// A program's page was not there, or held something else.
    Program(usize),
    /// Root, PCID or interrupts were not left as they were.
    Left(u64, bool),
}

/// The kernel of one CPU.
pub struct Job<'j, 's, 'm, M> {
    /// The CPU.
    pub cpu: Interleaved<'j, 's, 'm>,
    /// Its number, whatever its twin says.
    pub number: usize,
    /// The model.
    pub model: &'m Model<'m>,
    /// The spaces there are.
    pub spaces: &'s Spaces,
    /// What CPUs ask of each other.
    pub shootdowns: &'s Shootdowns,
    /// Its method.
    pub method: M,
    /// What is in its own entries.
    pub own: HashMap<(usize, u64), Entry>,
    /// How many values it has stored: each is another.
    pub stored: u64,
}

impl<'j, 's, 'm, M: Method<Interleaved<'j, 's, 'm>>> Job<'j, 's, 'm, M> {
    /// Does one thing.
    ///
    /// # Errors
    /// [`Mistake`].
    pub fn take_step(&mut self, step: &Step) -> Result<(), Mistake> {
        self.cpu.between();
        self.answer();
        match step {
            Step::Batch { own, counter, before } => self.batch(own, *counter, *before)?,
            Step::Program(number) => self.program(*number)?,
            Step::Table(space) => self.table(*space)?,
            Step::Load(space) => {
                self.method.detach(&self.cpu);
                self.cpu.interrupts.load(*space);
            }
            Step::Mask(masked) => {
                self.model.mask(self.number, *masked);
            }
        }
        Ok(())
    }

    /// A program writes a word that no other CPU's uses, and reads it again.
    fn program(&mut self, number: usize) -> Result<(), Mistake> {
        let word = page(number) + 8 * (10 + self.number as u64);
        self.stored += 1;
        let stored = self.model.user_store(self.number, word, self.stored);
        self.cpu.between();
        // Perhaps another CPU has mapped something here, perhaps not.
        self.model.user_load(self.number, passing_page(number % MOST_CPUS));
        match stored.and_then(|()| self.model.user_load(self.number, word)) {
            Some(found) if found == self.stored => Ok(()),
            _ => Err(Mistake::Program(number)),
        }
    }

    fn batch(
        &mut self,
        own: &[(usize, u64)],
        counter: (usize, usize),
        before: usize,
    ) -> Result<(), Mistake> {
        let count = self.count(counter)?;
        let (mut batch, mut expected): (Vec<_>, Vec<_>) =
            own.iter().map(|entry| self.exchange(*entry)).unzip();
        batch.insert(before, count);
        expected.insert(before, None);
        self.apply(&mut batch)?;
        for (operation, expected) in batch.iter().zip(expected) {
            if expected.is_some_and(|expected| expected != operation.found) {
                return Err(Mistake::OwnEntry(operation.name, operation.found));
            }
        }
        Ok(())
    }

    /// One more in a counter, by what it is now.
    fn count(&mut self, (space, number): (usize, usize)) -> Result<Operation, Mistake> {
        let name = entries::shared(self.model, self.spaces.roots[space])[number];
        let mut load = [Operation::new(name, Action::Load)];
        self.apply(&mut load)?;
        Ok(Operation::new(name, one_more(load[0].found)))
    }

    /// Another value for an entry of its own, and what it should hold before.
    fn exchange(&mut self, entry: (usize, u64)) -> (Operation, Option<Entry>) {
        self.stored += 1;
        let new = entries::absent(self.stored);
        let before = self.own.insert(entry, new).unwrap_or(Entry::EMPTY);
        let name = entries::own(self.model, self.spaces.roots[entry.0], self.number, entry.1);
        (Operation::new(name, Action::Exchange(new)), Some(before))
    }

    /// Does a batch; where a counter is not what it was, it is tried again from there.
    pub(super) fn apply(&mut self, batch: &mut [Operation]) -> Result<(), Mistake> {
        let mut rest = batch;
        for _ in 0..TRIES {
            let before = self.state();
            // SAFETY: names are those of the tables in memory, which stay.
            let applied = unsafe { self.method.apply(&self.cpu, rest) };
            if self.state() != before {
                let (register, masked) = self.state();
                return Err(Mistake::Left(register, masked));
            }
            match applied {
                Ok(()) => return Ok(()),
                Err(Stopped { done, refusal: Refusal::Differs }) => {
                    rest = &mut rest[done..];
                    rest[0].action = one_more(rest[0].found);
                }
                Err(Stopped { refusal, .. }) => return Err(Mistake::Refused(refusal)),
            }
        }
        Err(Mistake::Stuck(rest[0].name))
    }

    /// What a batch leaves as it was: root, PCID, interrupts.
    fn state(&self) -> (u64, bool) {
        let root = self.model.root(self.number).start_address().as_u64();
        (root | u64::from(self.model.pcid(self.number)), self.model.is_masked(self.number))
    }
}

/// One more, if nothing happened since.
fn one_more(found: Entry) -> Action {
    Action::CompareExchange { expected: found, new: entries::counted(found) }
}
