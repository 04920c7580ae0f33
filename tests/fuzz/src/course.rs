//! A course of calls under one rule set.

use loadphys_abi::Status;

use crate::input::{Input, Step};
use crate::memory::{FRAME, Memory};
use crate::reference::Reference;
use crate::rules::Judge;
use crate::stub::{self, Answer};

/// How many statuses there are.
const STATUSES: usize = Status::ALL.len();

/// What has been done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Done {
    /// Calls by how they ended.
    pub by_status: [u64; STATUSES],
}

impl Done {
    /// Nothing.
    pub const NOTHING: Self = Self { by_status: [0; STATUSES] };

    /// Adds what was done elsewhere.
    pub fn add(&mut self, other: &Self) {
        self.by_status.iter_mut().zip(other.by_status).for_each(|(sum, more)| *sum += more);
    }

    /// All calls.
    pub fn calls(&self) -> u64 {
        self.by_status.iter().sum()
    }
}

/// A rule set, memory, and what judges both.
pub struct Course<'r, R> {
    rules: R,
    memory: &'r Memory,
    reference: Option<Reference>,
    done: Done,
}

impl<'r, R: Judge> Course<'r, R> {
    /// Before the first call.
    pub const fn new(rules: R, memory: &'r Memory, reference: Option<Reference>) -> Self {
        Self { rules, memory, reference, done: Done::NOTHING }
    }

    /// Does what the bytes say.
    ///
    /// # Panics
    /// If an answer or the memory is not what it must be.
    pub fn run(mut self, data: &[u8]) -> Done {
        let mut input = Input::new(data);
        let beginning = input.beginning();
        for step in beginning.into_iter().chain(std::iter::from_fn(|| input.step())) {
            self.take(step);
        }
        if let Some(reference) = &self.reference {
            assert!(self.memory.words().eq(reference.memory.words()), "memory is another");
        }
        self.done
    }

    fn take(&mut self, step: Step) {
        match step {
            Step::Store { address, word } => self.store(address & !7, word),
            Step::Call(registers) => self.call(registers),
            Step::Batch { address, items, count } => {
                for (number, item) in (0..).zip(items) {
                    let words = [item.entry, item.action, item.found, item.value];
                    for (offset, word) in (32 * number..).step_by(8).zip(words) {
                        self.store((address & !7).wrapping_add(offset), word);
                    }
                }
                self.call([4, address, count, 0]);
            }
        }
    }

    /// The guest stores to its own memory, where it can.
    fn store(&mut self, address: u64, word: u64) {
        if self.rules.memory(address & !(FRAME - 1), FRAME).is_ok() {
            self.memory.store(address, word);
            self.reference.iter().for_each(|it| _ = it.memory.store(address, word));
        }
    }

    fn call(&mut self, registers: [u64; 4]) {
        let stores = self.memory.stores();
        let answer = stub::answer(&mut self.rules, self.memory, registers);
        self.done.by_status[answer.status.number() as usize] += 1;
        let is_batch = registers[0] == 4;
        let unchanged = self.memory.stores() == stores;
        let stays = answer.is_refused() && !is_batch;
        assert!(!stays || unchanged, "{registers:x?} was refused and stored: {answer:?}");
        if let Some(reference) = &mut self.reference {
            let Answer { status, value } = answer;
            let told = (status.number(), value);
            assert_eq!(told, reference.answer(registers), "{registers:x?}");
        }
    }
}
