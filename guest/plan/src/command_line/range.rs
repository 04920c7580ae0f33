//! A range of physical memory.

use core::fmt;

use super::mistake::{Mistake, Problem};

/// Bytes of a frame, of which ranges consist.
const FRAME: u64 = 4096;

/// Bits of a physical address that any CPU has.
const ADDRESS_BITS: u32 = 52;

/// What is wanted instead of something else.
const WANTED: &str =
    "auto, or START-END in hexadecimal, multiples of 0x1000, such as 0x100000-0x200000,";

/// A range of physical addresses, in whole frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemoryRange {
    /// The first byte.
    pub start: u64,
    /// The first byte behind it.
    pub end: u64,
}

impl MemoryRange {
    /// Reads `START-END`, or `auto`, which is none.
    ///
    /// # Errors
    /// [`Mistake`], which says what is wanted.
    pub fn parse(text: &str) -> Result<Option<Self>, Mistake> {
        if text == "auto" {
            return Ok(None);
        }
        let range = text
            .split_once('-')
            .and_then(|(start, end)| Some(Self { start: address(start)?, end: address(end)? }));
        let range = range.filter(|range| range.start < range.end);
        range.map(Some).ok_or_else(|| Mistake::new(Problem::BadNumber, "range", text, WANTED))
    }

    /// How many frames it has.
    pub const fn frames(&self) -> u64 {
        (self.end - self.start) / FRAME
    }
}

/// Reads an address at which a frame begins.
fn address(text: &str) -> Option<u64> {
    let digits = text.strip_prefix("0x").filter(|digits| !digits.starts_with('+'))?;
    let address = u64::from_str_radix(digits, 16).ok()?;
    (address % FRAME == 0 && address <= 1 << ADDRESS_BITS).then_some(address)
}

impl fmt::Display for MemoryRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#x}-{:#x}", self.start, self.end)
    }
}
