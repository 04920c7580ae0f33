//! A sequence of numbers that a seed decides (xorshift64*).

use std::cell::Cell;

/// The same seed gives the same numbers.
#[derive(Clone, Debug)]
pub struct Random(Cell<u64>);

impl Random {
    /// Starts a sequence.
    pub fn new(seed: u64) -> Self {
        Self(Cell::new(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1))
    }

    /// A number below `end`, which is not zero and has at most 32 bits.
    pub fn below(&self, end: usize) -> usize {
        let mut state = self.0.get();
        state ^= state >> 12;
        state ^= state << 25;
        state ^= state >> 27;
        self.0.set(state);
        let number = state.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 32;
        // A share of the range, since a division would cost more than all the rest.
        ((number * end as u64) >> 32) as usize
    }

    /// True `times` out of `of`.
    pub fn chance(&self, times: usize, of: usize) -> bool {
        self.below(of) < times
    }

    /// One of these.
    pub fn one_of<'a, T>(&self, choices: &'a [T]) -> Option<&'a T> {
        (!choices.is_empty()).then(|| &choices[self.below(choices.len())])
    }
}
