//! The rule set `tables`, and the state it needs: one byte for each frame.

use core::ops::Range;
use core::sync::atomic::{AtomicU8, Ordering};

use loadphys_abi::{ENTRY_BYTES, FRAME_BYTES, Status};

use crate::allowed::{EntryAt, MemoryAt, TableAt, WordAt};
use crate::entries::{Entries, Found};
use crate::level::Level;
use crate::twin::{Twin, is_broken};
use crate::unmap::{self, Mapping, Walkable};
use crate::words::aligned;

/// Memory of the guest that is no table. A table's frame holds the number of its level.
const PLAIN: u8 = 0;

/// No memory of the guest: the stub's, a device's, or nothing at all.
const OUTSIDE: u8 = 0xff;

const _: () = assert!(PLAIN == 0 && Level::HIGHEST < OUTSIDE);

/// Which frames are the guest's, and which of them are tables of what level.
///
/// Each frame's byte changes atomically, so every CPU can ask and register without a lock.
#[derive(Clone, Copy, Debug)]
pub struct Tables<'a> {
    frames: &'a [AtomicU8],
}

impl<'a> Tables<'a> {
    /// Rules over the frames from physical address 0, one byte for each. No memory is the guest's
    /// until it is [granted](Tables::grant).
    pub fn new(frames: &'a [AtomicU8]) -> Self {
        for frame in frames {
            frame.store(OUTSIDE, Ordering::Relaxed);
        }
        Self { frames }
    }

    /// From now on the whole frames of this range of physical memory are the guest's, and plain.
    /// What lies beyond the last frame stays outside.
    pub fn grant(&self, range: Range<u64>) {
        let end = self.frames.len() as u64;
        let first = range.start.div_ceil(FRAME_BYTES).min(end);
        let after = (range.end / FRAME_BYTES).clamp(first, end);
        for frame in &self.frames[first as usize..after as usize] {
            frame.store(PLAIN, Ordering::Relaxed);
        }
    }

    /// Makes a frame of the guest a table.
    ///
    /// # Errors
    /// In this order: [`Status::Unaligned`], [`Status::NoSuchLevel`], [`Status::OutsideMemory`],
    /// [`Status::AlreadyATable`]. Nothing has changed then.
    pub fn register(&self, frame: u64, level: u64) -> Result<TableAt, Status> {
        aligned(frame, FRAME_BYTES)?;
        let level = Level::new(level)?;
        self.change(frame, PLAIN, level.number()).map_err(|found| match found {
            OUTSIDE => Status::OutsideMemory,
            _ => Status::AlreadyATable,
        })?;
        Ok(TableAt { frame, level })
    }

    /// Makes a table plain memory again.
    ///
    /// # Errors
    /// In this order: [`Status::Unaligned`], [`Status::OutsideMemory`], [`Status::NotATable`].
    /// Nothing has changed then.
    pub fn release(&self, frame: u64) -> Result<TableAt, Status> {
        let level = self.level(frame)?;
        self.change(frame, level.number(), PLAIN).map_err(|_| Status::NotATable)?;
        Ok(TableAt { frame, level })
    }

    /// From now on this plain frame is the guest's no more, as far as calls are concerned.
    ///
    /// # Errors
    /// In this order: [`Status::Unaligned`], [`Status::OutsideMemory`], [`Status::AlreadyATable`]. Nothing has changed then.
    pub fn seal(&self, frame: u64) -> Result<(), Status> {
        aligned(frame, FRAME_BYTES)?;
        self.change(frame, PLAIN, OUTSIDE).map_err(|found| match found {
            OUTSIDE => Status::OutsideMemory,
            _ => Status::AlreadyATable,
        })
    }

    /// The level of the table in this frame.
    ///
    /// # Errors
    /// In this order: [`Status::Unaligned`], [`Status::OutsideMemory`], [`Status::NotATable`].
    pub fn level(&self, frame: u64) -> Result<Level, Status> {
        aligned(frame, FRAME_BYTES)?;
        self.table(frame)
    }

    /// Whether there is an entry of a table at this physical address.
    ///
    /// # Errors
    /// In this order: [`Status::Unaligned`], [`Status::OutsideMemory`], [`Status::NotATable`].
    #[inline]
    pub fn entry(&self, address: u64) -> Result<EntryAt, Status> {
        aligned(address, ENTRY_BYTES)?;
        match self.state(address) {
            OUTSIDE => Err(Status::OutsideMemory),
            PLAIN if !is_broken(Twin::EverythingHasEntries) => Err(Status::NotATable),
            _ => Ok(EntryAt(address)),
        }
    }

    /// Whether all of this is plain memory of the guest. A table is none: what is written back to an
    /// array must not get around the rules for entries.
    ///
    /// # Errors
    /// [`Status::Unaligned`], or, at the first frame that is not plain, [`Status::OutsideMemory`] or
    /// [`Status::AlreadyATable`].
    pub fn memory(&self, start: u64, bytes: u64) -> Result<MemoryAt, Status> {
        aligned(start, ENTRY_BYTES)?;
        let end = match start.checked_add(bytes) {
            Some(end) => end,
            None if is_broken(Twin::ArraysWrap) => start.wrapping_add(bytes),
            None => return Err(Status::OutsideMemory),
        };
        for frame in start / FRAME_BYTES..end.div_ceil(FRAME_BYTES) {
            match self.state(frame * FRAME_BYTES) {
                PLAIN => {}
                OUTSIDE => return Err(Status::OutsideMemory),
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
        match self.state(address) {
            OUTSIDE => Err(Status::OutsideMemory),
            _ => Ok(WordAt(address)),
        }
    }

    /// Empties the entry that maps a page, if it maps the frame that is expected: [`Found::differs`] says that it does not.
    ///
    /// # Errors
    /// [`Status::Unaligned`]; for the root [`Status::OutsideMemory`], [`Status::NotATable`], and [`Status::WrongLevel`] if it
    /// is none; where the walk ends early [`Status::NotMapped`], [`Status::LargePage`], or [`Status::WrongLevel`] for an
    /// entry that leads to no table of the next level.
    pub fn unmap(&self, mapping: Mapping, memory: &impl Entries) -> Result<Found, Status> {
        unmap::unmap(&mut { *self }, mapping, memory)
    }

    /// The level of the table at this address.
    fn table(&self, address: u64) -> Result<Level, Status> {
        match self.state(address) {
            OUTSIDE => Err(Status::OutsideMemory),
            level => Level::new(u64::from(level)).map_err(|_| Status::NotATable),
        }
    }

    #[inline]
    fn state(&self, address: u64) -> u8 {
        self.frames
            .get((address / FRAME_BYTES) as usize)
            .map_or(OUTSIDE, |frame| frame.load(Ordering::Acquire))
    }

    /// Changes a frame's byte if it holds what is expected; else says what it holds.
    fn change(&self, address: u64, from: u8, to: u8) -> Result<(), u8> {
        let frame = self.frames.get((address / FRAME_BYTES) as usize);
        frame
            .ok_or(OUTSIDE)?
            .compare_exchange(from, to, Ordering::AcqRel, Ordering::Acquire)
            .map(|_| ())
    }
}

impl Walkable for Tables<'_> {
    fn level_at(&self, address: u64) -> Result<Level, Status> {
        self.table(address)
    }

    fn empty(&mut self, at: EntryAt, expected: u64, memory: &impl Entries) -> Result<u64, u64> {
        memory.compare_exchange(at, expected, 0)
    }
}
