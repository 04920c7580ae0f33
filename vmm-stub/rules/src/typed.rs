//! The rule set `typed`: each frame is one thing at a time, and what an entry leads to is checked when it is stored.
//!
//! ```text
//!              begin_register           finish_register
//!   plain ----------------------> becoming ----------> table
//!     ^ ^                            |                   |
//!     | '----- content is refused ---'                   |
//!     |                                                  |
//!     '------------------ release ----------------------'
//! ```
//!
//! A frame's count says how many entries rely on what it is, and it changes only at count zero: a table that entries lead to
//! stays a table, and memory that entries map writable does not become one. So at all times
//! - no entry of a table maps a table writable, or memory that is not the guest's at all;
//! - every entry above level 1 leads to a table of the next level, and maps no large page.
//!
//! That holds as long as nobody else stores to tables, which is for the caller to see to: a frame is read-only for the guest
//! from between `begin_register` and `finish_register`, when all CPUs have flushed, until `release`. Type first, then
//! flush, then use.
//!
//! An *open* table is one that the guest does write. Calls do not touch it and nothing is known of what it maps; read-only
//! frames are still read-only there, and memory that no view has is still in no view. Only entries for the supervisor lead to
//! it.
//!
//! All of this is one sequential state machine. Who has several CPUs keeps it behind a lock.

mod entry;
mod frame;
mod register;
mod store;
mod touch;

use core::ops::Range;

use loadphys_abi::{ENTRY_BYTES, FRAME_BYTES, Status};

use crate::allowed::{MemoryAt, WordAt};
use crate::level::Level;
use crate::words::aligned;
use entry::Bits;

pub use frame::{Frame, Kind};
pub use touch::Walk;

/// What each frame is, and what entries may be.
#[derive(Debug)]
pub struct Typed<'a> {
    frames: &'a mut [Frame],
    bits: Bits,
}

impl<'a> Typed<'a> {
    /// Rules over the frames from physical address 0, on a processor whose physical addresses have `width` bits. New frames are
    /// [outside](Kind::Outside) until they are [granted](Typed::grant). With `preset`, entries that are present leave the
    /// walker nothing to set.
    pub const fn new(frames: &'a mut [Frame], width: u32, preset: bool) -> Self {
        let bits = Bits::new(width, frames.len() as u64, preset);
        Self { frames, bits }
    }

    /// From now on the whole frames of this range of physical memory are the guest's, and plain.
    /// What lies beyond the last frame stays outside.
    pub fn grant(&mut self, range: Range<u64>) {
        let end = self.frames.len() as u64;
        let first = range.start.div_ceil(FRAME_BYTES).min(end);
        let after = (range.end / FRAME_BYTES).clamp(first, end);
        self.frames[first as usize..after as usize].fill(Frame::new(Kind::Plain));
    }

    /// What the frame at this physical address is.
    pub fn kind(&self, address: u64) -> Kind {
        self.state(address / FRAME_BYTES).kind()
    }

    /// Whether all of this is plain memory of the guest: what the caller writes there must not get around the rules for
    /// entries. It is good as long as no call comes in between.
    ///
    /// # Errors
    /// [`Status::Unaligned`], or, at the first frame that is not plain, [`Status::OutsideMemory`] or
    /// [`Status::AlreadyATable`].
    pub fn memory(&self, start: u64, bytes: u64) -> Result<MemoryAt, Status> {
        aligned(start, ENTRY_BYTES)?;
        let end = start.checked_add(bytes).ok_or(Status::OutsideMemory)?;
        for frame in start / FRAME_BYTES..end.div_ceil(FRAME_BYTES) {
            match self.state(frame).kind() {
                Kind::Plain => {}
                Kind::Outside => return Err(Status::OutsideMemory),
                _ => return Err(Status::AlreadyATable),
            }
        }
        Ok(MemoryAt { start, bytes })
    }

    /// Whether these 8 bytes are the guest's, in a table or not.
    ///
    /// # Errors
    /// In this order: [`Status::Unaligned`], [`Status::OutsideMemory`].
    pub fn word(&self, address: u64) -> Result<WordAt, Status> {
        aligned(address, ENTRY_BYTES)?;
        match self.kind(address) {
            Kind::Outside => Err(Status::OutsideMemory),
            _ => Ok(WordAt(address)),
        }
    }

    /// The level of the checked table at this address.
    #[inline]
    fn table(&self, address: u64) -> Result<Level, Status> {
        let state = self.state(address / FRAME_BYTES);
        match state.table() {
            Some(level) => Ok(level),
            None if state.is(Kind::Outside) => Err(Status::OutsideMemory),
            None => Err(Status::NotATable),
        }
    }

    /// The state of the frame with this number.
    #[inline]
    fn state(&self, number: u64) -> Frame {
        self.frames.get(number as usize).copied().unwrap_or_default()
    }
}
