//! Swap in memory that fails at random, for plan `torture`: it refuses to write, refuses to read, or gives a page back with a bit
//! of its slot flipped. Nothing that is measured swaps to it.
//!
//! A slot that was not written is never used again, so only so many writes are refused that most slots stay. What fails to be
//! read can be read later: whoever asks next may have it.

use page_reclaim::{Checksum, DeviceError, Slot};
use spin::Mutex;

use super::RamSwap;
use crate::copy::Copier;
use crate::random::Random;
use crate::window::Words;

/// Of all slots, one in so many may become useless.
const MOST_USELESS: usize = 4;

/// What a device did not do as it was asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Faults {
    /// Requests that it refused.
    pub refused: u64,
    /// Pages that it gave back otherwise than they were written.
    pub corrupted: u64,
}

/// The device.
#[derive(Debug)]
pub struct FaultySwap {
    ram: RamSwap,
    whims: Mutex<Whims>,
}

/// What it does next.
#[derive(Debug)]
struct Whims {
    random: Random,
    /// One request in so many fails.
    one_in: usize,
    /// Writes that it may still refuse.
    writes: usize,
    faults: Faults,
}

/// How a read goes.
enum Read {
    Well,
    Refused,
    /// With this bit flipped.
    Flipped(usize),
}

impl FaultySwap {
    /// Of which one request in so many fails, as the seed has it.
    pub fn new(ram: RamSwap, one_in: u32, seed: u64) -> Self {
        let (random, writes) = (Random::new(seed), ram.slots() / MOST_USELESS);
        let whims = Whims { random, one_in: one_in as usize, writes, faults: Faults::default() };
        Self { ram, whims: Mutex::new(whims) }
    }

    /// What it did not do so far.
    pub fn faults(&self) -> Faults {
        self.whims.lock().faults
    }

    /// Copies a page to its slot.
    ///
    /// # Errors
    /// [`DeviceError`], and the slot holds what it held.
    pub fn write(
        &self,
        copier: &Copier,
        slot: Slot,
        page: &Words,
    ) -> Result<Checksum, DeviceError> {
        if self.whims.lock().refuses_write() {
            return Err(DeviceError);
        }
        Ok({ self.ram }.write(copier, slot, page))
    }

    /// Copies a slot to a page.
    ///
    /// # Errors
    /// [`DeviceError`], and the page holds what it held.
    pub fn read(
        &self,
        copier: &Copier,
        slot: Slot,
        page: &mut Words,
    ) -> Result<Checksum, DeviceError> {
        let how = self.whims.lock().read();
        match how {
            Read::Well => Ok(self.ram.read(copier, slot, page)),
            Read::Refused => Err(DeviceError),
            Read::Flipped(bit) => {
                self.ram.flip(slot, bit);
                let checksum = self.ram.read(copier, slot, page);
                self.ram.flip(slot, bit);
                Ok(checksum)
            }
        }
    }
}

impl Whims {
    fn fails(&mut self) -> bool {
        self.random.below(self.one_in) == 0
    }

    fn refuses_write(&mut self) -> bool {
        let refuses = self.writes > 0 && self.fails();
        self.writes -= usize::from(refuses);
        self.faults.refused += u64::from(refuses);
        refuses
    }

    fn read(&mut self) -> Read {
        if !self.fails() {
            return Read::Well;
        }
        if self.random.below(2) == 0 {
            self.faults.refused += 1;
            return Read::Refused;
        }
        self.faults.corrupted += 1;
        Read::Flipped(self.random.below(size_of::<Words>() * 8))
    }
}
