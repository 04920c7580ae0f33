//! Why the program gives up.

use core::fmt::{self, Arguments, Write};

use heapless::String;

/// Room for what is said.
const BYTES: usize = 112;

/// A sentence that says what could not be done and why; it ends up in the last record.
#[derive(Debug)]
pub struct Failure(String<BYTES>);

impl Failure {
    /// With these words, as far as there is room.
    pub fn new(words: Arguments<'_>) -> Self {
        let mut sentence = String::new();
        // What does not fit is left out.
        let _ = write!(Cut(&mut sentence), "{words}");
        Self(sentence)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Takes characters until there is no more room.
struct Cut<'s>(&'s mut String<BYTES>);

impl Write for Cut<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        text.chars().try_for_each(|character| self.0.push(character).map_err(|_| fmt::Error))
    }
}
