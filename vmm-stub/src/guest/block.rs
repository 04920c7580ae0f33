//! A block of the guest's memory that fills from its start: what a format hands over, written in one piece.
//!
//! The same code that writes can be run without memory first, to see how much it takes.

use core::ops::Range;

/// Where things begin in a block.
const STEP: usize = 8;

/// The block is too small.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoRoom;

/// A block that fills from its start, in steps of 8 bytes.
#[derive(Debug)]
pub struct Block<'a> {
    bytes: Option<&'a mut [u8]>,
    at: u64,
    used: usize,
}

impl<'a> Block<'a> {
    /// These bytes, which will be at this physical address.
    pub const fn new(bytes: &'a mut [u8], at: u64) -> Self {
        Self { bytes: Some(bytes), at, used: 0 }
    }

    /// No memory: whatever is written is counted only.
    pub const fn measuring() -> Self {
        Self { bytes: None, at: 0, used: 0 }
    }

    /// How much is used.
    pub const fn used(&self) -> usize {
        self.used
    }

    /// The physical address of what comes next.
    pub const fn next(&self) -> u64 {
        self.at + self.used as u64
    }

    /// The physical address of a place in the block.
    pub const fn address(&self, place: &Range<usize>) -> u64 {
        self.at + place.start as u64
    }

    /// Takes bytes, all of them 0, to be filled later.
    ///
    /// # Errors
    /// [`NoRoom`], as for all that takes bytes.
    pub fn reserve(&mut self, count: usize) -> Result<Range<usize>, NoRoom> {
        let place = self.used..self.used + count;
        if let Some(bytes) = &mut self.bytes {
            bytes.get_mut(place.clone()).ok_or(NoRoom)?.fill(0);
        }
        self.used += count.next_multiple_of(STEP);
        Ok(place)
    }

    /// Adds bytes; gives their physical address.
    ///
    /// # Errors
    /// [`NoRoom`].
    pub fn bytes(&mut self, bytes: &[u8]) -> Result<u64, NoRoom> {
        let at = self.next();
        let place = self.reserve(bytes.len())?;
        self.put(place, bytes);
        Ok(at)
    }

    /// Adds text, ended by a zero byte.
    ///
    /// # Errors
    /// [`NoRoom`].
    pub fn text(&mut self, text: &str) -> Result<u64, NoRoom> {
        let at = self.next();
        let place = self.reserve(text.len() + 1)?;
        self.put(place.start..place.end - 1, text.as_bytes());
        Ok(at)
    }

    /// Fills a place that was reserved, or a part of it.
    pub fn put(&mut self, place: Range<usize>, content: &[u8]) {
        if let Some(bytes) = &mut self.bytes {
            bytes[place].copy_from_slice(content);
        }
    }

    /// Fills a place that was reserved with words of 4 bytes.
    pub fn put_words(&mut self, place: &Range<usize>, words: impl IntoIterator<Item = u32>) {
        for (start, word) in place.clone().step_by(4).zip(words) {
            self.put(start..start + 4, &word.to_le_bytes());
        }
    }
}

/// The low half and the high half of a word of 8 bytes.
pub const fn halves(word: u64) -> [u32; 2] {
    [word as u32, (word >> 32) as u32]
}

#[cfg(test)]
mod tests {
    use super::{Block, NoRoom, halves};

    fn fill(block: &mut Block<'_>) -> Result<u64, NoRoom> {
        let head = block.reserve(12)?;
        let text = block.text("abc")?;
        let last = block.bytes(&[7; 9])?;
        block.put_words(&head, halves(text).into_iter().chain([9]));
        Ok(last)
    }

    #[test]
    fn measuring_takes_what_writing_takes() {
        let mut measured = Block::measuring();
        fill(&mut measured).unwrap();
        let mut bytes = vec![0xee; measured.used()];
        let last = fill(&mut Block::new(&mut bytes, 0x1000)).unwrap();
        assert_eq!(last, 0x1018);
        assert_eq!(bytes[..12], [0x10, 0x10, 0, 0, 0, 0, 0, 0, 9, 0, 0, 0]);
        assert_eq!(bytes[16..24], [b'a', b'b', b'c', 0, 0xee, 0xee, 0xee, 0xee]);
        assert_eq!(bytes[24..33], [7; 9]);
    }

    #[test]
    fn a_block_that_is_too_small_is_refused() {
        for size in 0..33 {
            let mut bytes = vec![0; size];
            assert_eq!(fill(&mut Block::new(&mut bytes, 0)), Err(NoRoom), "{size}");
        }
    }
}
