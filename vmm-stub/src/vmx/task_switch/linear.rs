//! The guest's memory by linear addresses of 32 bits, and the exceptions of a task switch.

use crate::guest_walk::{Fault, Paging};

/// The guest's memory by words of 8 bytes at guest-physical addresses.
pub trait Memory {
    /// The word at this address; `None` where there is no memory of the guest's.
    fn load(&self, at: u64) -> Option<u64>;

    /// Puts these bits in the place of those under the mask, at once; `None` as above, or if that must not be.
    fn replace(&self, at: u64, mask: u64, bits: u64) -> Option<()>;
}

/// An exception.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exception {
    /// Its vector.
    pub vector: u8,
    /// Its error code.
    pub error: u32,
    /// What goes to CR2.
    pub address: Option<u32>,
}

impl Exception {
    const fn of_selector(vector: u8, selector: u16) -> Self {
        Self { vector, error: (selector & !3) as u32, address: None }
    }

    /// #TS.
    pub const fn task(selector: u16) -> Self {
        Self::of_selector(10, selector)
    }

    /// #NP.
    pub const fn not_present(selector: u16) -> Self {
        Self::of_selector(11, selector)
    }

    /// #SS.
    pub const fn stack(selector: u16) -> Self {
        Self::of_selector(12, selector)
    }

    /// #GP(0).
    pub const fn general_protection() -> Self {
        Self::of_selector(13, 0)
    }

    /// The same with bit EXT of its error code, which #PF has not.
    pub const fn caused(self, externally: bool) -> Self {
        let external = externally && self.address.is_none();
        Self { error: self.error | external as u32, ..self }
    }
}

/// Memory through tables.
pub struct Linear<'a, M> {
    /// The memory.
    pub memory: &'a M,
    /// The tables.
    pub paging: Paging,
}

impl<M: Memory> Linear<'_, M> {
    fn physical(&self, address: u32, writes: bool) -> Result<u64, Exception> {
        let look = |at, set| {
            let word = self.memory.load(at)?;
            if set != 0 {
                // A table that must not be written to goes without.
                let _ = self.memory.replace(at, set, set);
            }
            Some(word)
        };
        self.paging.walk(u64::from(address), writes, look).map_err(|fault| match fault {
            Fault::Page(error) => Exception { vector: 14, error, address: Some(address) },
            Fault::Refused => Exception::general_protection(),
        })
    }

    /// Whether all of a range can be loaded, or stored to.
    ///
    /// # Errors
    /// The [`Exception`] of the access.
    pub fn reach(&self, start: u32, bytes: u32, writes: bool) -> Result<(), Exception> {
        const PAGE: u32 = 0x1000;
        let last = start.wrapping_add(bytes - 1);
        let crosses = (start ^ last) & !(PAGE - 1) != 0;
        for at in [start, last].into_iter().take(1 + usize::from(crosses)) {
            let word = self.physical(at, writes)? & !7;
            let there = match writes {
                true => self.memory.replace(word, 0, 0),
                false => self.memory.load(word).map(|_| ()),
            };
            there.ok_or(Exception::general_protection())?;
        }
        Ok(())
    }

    /// Loads up to 8 bytes.
    ///
    /// # Errors
    /// The [`Exception`] of the access.
    pub fn read(&self, address: u32, bytes: u32) -> Result<u64, Exception> {
        let mut value = 0;
        for piece in pieces(address, bytes) {
            let at = self.physical(piece.address, false)?;
            let word = self.memory.load(at & !7).ok_or(Exception::general_protection())?;
            value |= (word >> (8 * (at & 7)) & piece.ones()) << (8 * piece.offset);
        }
        Ok(value)
    }

    /// Stores up to 8 bytes.
    ///
    /// # Errors
    /// The [`Exception`] of the access.
    pub fn write(&self, address: u32, bytes: u32, value: u64) -> Result<(), Exception> {
        for piece in pieces(address, bytes) {
            self.change(piece.address, piece.ones(), value >> (8 * piece.offset))?;
        }
        Ok(())
    }

    /// Puts bits in the place of those under the mask, within a word of 8 bytes.
    ///
    /// # Errors
    /// The [`Exception`] of the access.
    pub fn change(&self, address: u32, mask: u64, bits: u64) -> Result<(), Exception> {
        let at = self.physical(address, true)?;
        let shift = 8 * (at & 7);
        let changed = self.memory.replace(at & !7, mask << shift, (bits & mask) << shift);
        changed.ok_or(Exception::general_protection())
    }
}

/// What of an access lies in one word.
struct Piece {
    address: u32,
    offset: u32,
    bytes: u32,
}

impl Piece {
    const fn ones(&self) -> u64 {
        u64::MAX >> (64 - 8 * self.bytes)
    }
}

fn pieces(address: u32, bytes: u32) -> impl Iterator<Item = Piece> {
    let first = bytes.min(8 - address % 8);
    let pieces = [(0, first), (first, bytes - first)];
    let piece =
        move |(offset, bytes)| Piece { address: address.wrapping_add(offset), offset, bytes };
    pieces.into_iter().map(piece).filter(|piece| piece.bytes > 0)
}
