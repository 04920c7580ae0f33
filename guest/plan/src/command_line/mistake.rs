//! A word that cannot be used.

use core::fmt;

use heapless::String;

/// What is wrong with a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Problem {
    /// No such key or name.
    Unknown,
    /// Not a number in range.
    BadNumber,
    /// It was there before.
    Twice,
    /// More than a list can hold.
    TooLong,
}

/// A word that cannot be used: what it was to be, what was found, what would be right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    problem: Problem,
    what: &'static str,
    found: String<FOUND_BYTES>,
    wanted: &'static str,
}

/// Room for the beginning of a wrong word.
const FOUND_BYTES: usize = 64;

impl Mistake {
    pub(super) fn new(
        problem: Problem,
        what: &'static str,
        found: &str,
        wanted: &'static str,
    ) -> Self {
        Self { problem, what, found: beginning(found), wanted: wanted.trim_ascii_end() }
    }

    /// What is wrong with the word.
    pub const fn problem(&self) -> Problem {
        self.problem
    }
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { problem, what, found, wanted } = self;
        match problem {
            Problem::Unknown => write!(f, "unknown {what} '{found}': there is {wanted}"),
            Problem::BadNumber => write!(f, "{what} '{found}': {wanted} is wanted"),
            Problem::Twice => write!(f, "{what} '{found}' is given twice: {wanted}"),
            Problem::TooLong => write!(f, "too many in {what} at '{found}': {wanted}"),
        }
    }
}

impl core::error::Error for Mistake {}

/// As many whole characters as there is room for.
fn beginning<const N: usize>(text: &str) -> String<N> {
    let mut kept = String::new();
    for character in text.chars() {
        if kept.push(character).is_err() {
            break;
        }
    }
    kept
}
