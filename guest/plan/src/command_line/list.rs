//! Lists of values, separated by commas.

use core::fmt;
use core::ops::Deref;

use heapless::Vec;

use super::mistake::{Mistake, Problem};

/// The most values that a list can hold.
pub const MOST: usize = 16;

/// One to [`MOST`] different values, in the order in which they were given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct List<T>(Vec<T, MOST>);

impl<T: PartialEq> List<T> {
    /// Reads a list, each value by `one`; `what` names the list in a [`Mistake`].
    pub(super) fn parse(
        what: &'static str,
        text: &str,
        one: impl Fn(&str) -> Result<T, Mistake>,
    ) -> Result<Self, Mistake> {
        let mut list = Vec::new();
        for word in text.split(',') {
            let value = one(word)?;
            if list.contains(&value) {
                return Err(Mistake::new(Problem::Twice, what, word, "once is enough"));
            }
            list.push(value).map_err(|_| {
                Mistake::new(Problem::TooLong, what, word, "16 is the most that a list can hold")
            })?;
        }
        Ok(Self(list))
    }

    /// The list of these values, or `None` if there are none, more than [`MOST`], or some twice.
    pub fn new(values: impl IntoIterator<Item = T>) -> Option<Self> {
        let mut list = Vec::new();
        for value in values {
            if list.contains(&value) {
                return None;
            }
            list.push(value).ok()?;
        }
        (!list.is_empty()).then_some(Self(list))
    }
}

impl<T> Deref for List<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.0
    }
}

impl<T: fmt::Display> fmt::Display for List<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, value) in self.0.iter().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            write!(f, "{comma}{value}")?;
        }
        Ok(())
    }
}

const _: () = assert!(MOST == 16, "the message above names it");
