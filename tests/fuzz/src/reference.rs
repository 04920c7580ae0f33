//! What the rule set `tables` has to answer, written down once more from the interface and from nothing else: all numbers are
//! those that go over the wire.

use crate::memory::{FRAME, GUESTS, KNOWN, Memory};
use crate::stub::COUNTED;

/// How calls end.
mod status {
    pub const DONE: u64 = 0;
    pub const UNKNOWN_CALL: u64 = 1;
    pub const UNALIGNED: u64 = 3;
    pub const OUTSIDE: u64 = 4;
    pub const NO_TABLE: u64 = 5;
    pub const TABLE_ALREADY: u64 = 6;
    pub const NO_LEVEL: u64 = 7;
    pub const UNKNOWN_ACTION: u64 = 8;
    pub const TOO_MANY: u64 = 9;
    pub const DIFFERS: u64 = 10;
    pub const WRONG_LEVEL: u64 = 12;
    pub const LARGE_PAGE: u64 = 14;
    pub const NOT_OFFERED: u64 = 18;
    pub const NOT_MAPPED: u64 = 20;
    pub const NO_KEEPING: u64 = 21;
}

/// Bytes of what is counted: 104 words.
const COUNTERS: u64 = 832;

/// Status and answer; the first is an error if nothing was found.
type Told = (u64, u64);

/// Memory, and the level of each frame that is a table.
#[derive(Clone, Debug)]
pub struct Reference {
    /// Memory as it has to be.
    pub memory: Memory,
    levels: [u64; KNOWN as usize],
}

impl Default for Reference {
    fn default() -> Self {
        Self::new()
    }
}

impl Reference {
    /// No tables, and zeroes.
    pub fn new() -> Self {
        Self { memory: Memory::new(), levels: [0; KNOWN as usize] }
    }

    /// What a call has to answer.
    pub fn answer(&mut self, [number, first, second, third]: [u64; 4]) -> Told {
        let done = |done: Result<(), u64>| (done.err().unwrap_or(status::DONE), 0);
        match number {
            1..=3 => self.one(number, first, second, third),
            4 => self.batch(first, second),
            5 => done(self.register(first, second, third)),
            6 => done(self.release(first)),
            7 => done(self.counters(first)),
            8 => self.unmap(first, second, third).unwrap_or_else(|status| (status, 0)),
            9 | 10 => (status::NOT_OFFERED, 0),
            _ => (status::UNKNOWN_CALL, 0),
        }
    }

    fn level(&self, address: u64) -> Result<u64, u64> {
        let frame = address / FRAME;
        if !GUESTS.contains(&frame) {
            return Err(status::OUTSIDE);
        }
        match self.levels[frame as usize] {
            0 => Err(status::NO_TABLE),
            level => Ok(level),
        }
    }

    fn one(&self, number: u64, address: u64, second: u64, third: u64) -> Told {
        if !address.is_multiple_of(8) {
            return (status::UNALIGNED, 0);
        }
        if let Err(status) = self.level(address) {
            return (status, 0);
        }
        let found = self.memory.load(address);
        match number {
            2 => self.memory.store(address, second),
            3 if found != second => return (status::DIFFERS, found),
            3 => self.memory.store(address, third),
            _ => found,
        };
        (status::DONE, found)
    }

    fn plain(&self, address: u64, bytes: u64) -> Result<(), u64> {
        if !address.is_multiple_of(8) {
            return Err(status::UNALIGNED);
        }
        let end = address.checked_add(bytes).ok_or(status::OUTSIDE)?;
        let mut at = address & !(FRAME - 1);
        while at < end {
            match self.level(at) {
                Err(status::NO_TABLE) => at += FRAME,
                Err(status) => return Err(status),
                Ok(_) => return Err(status::TABLE_ALREADY),
            }
        }
        Ok(())
    }

    fn batch(&self, address: u64, count: u64) -> Told {
        if count > 512 {
            return (status::TOO_MANY, 0);
        }
        if let Err(status) = self.plain(address, count * 32) {
            return (status, 0);
        }
        for done in 0..count {
            let at = address + done * 32;
            let [entry, action, found, value] = [0, 8, 16, 24].map(|it| self.memory.load(at + it));
            let (second, third) = if action == 3 { (found, value) } else { (value, 0) };
            let (status, there) = match action {
                1..=3 => self.one(action, entry, second, third),
                _ => (status::UNKNOWN_ACTION, 0),
            };
            if [status::DONE, status::DIFFERS].contains(&status) {
                self.memory.store(at + 16, there);
            }
            if status != status::DONE {
                return (status, done);
            }
        }
        (status::DONE, count)
    }

    fn register(&mut self, frame: u64, level: u64, kept: u64) -> Result<(), u64> {
        match kept {
            0..=2 => {}
            3 => return Err(status::NOT_OFFERED),
            _ => return Err(status::NO_KEEPING),
        }
        if !frame.is_multiple_of(FRAME) {
            return Err(status::UNALIGNED);
        }
        if !(1..=5).contains(&level) {
            return Err(status::NO_LEVEL);
        }
        match self.level(frame) {
            Err(status::NO_TABLE) => self.levels[(frame / FRAME) as usize] = level,
            Err(status) => return Err(status),
            Ok(_) => return Err(status::TABLE_ALREADY),
        }
        Ok(())
    }

    fn release(&mut self, frame: u64) -> Result<(), u64> {
        if !frame.is_multiple_of(FRAME) {
            return Err(status::UNALIGNED);
        }
        self.level(frame)?;
        self.levels[(frame / FRAME) as usize] = 0;
        Ok(())
    }

    fn counters(&self, address: u64) -> Result<(), u64> {
        self.plain(address, COUNTERS)?;
        (address..address + COUNTERS).step_by(8).for_each(|at| _ = self.memory.store(at, COUNTED));
        Ok(())
    }

    fn unmap(&self, root: u64, page: u64, frame: u64) -> Result<Told, u64> {
        if [root, page, frame].iter().any(|it| !it.is_multiple_of(FRAME)) {
            return Err(status::UNALIGNED);
        }
        let (mut table, mut level) = (root, self.level(root)?);
        if level < 4 {
            return Err(status::WRONG_LEVEL);
        }
        let sign = page >> (11 + 9 * level);
        if sign != 0 && sign != u64::MAX >> (11 + 9 * level) {
            return Err(status::NOT_MAPPED);
        }
        loop {
            let at = table + (page >> (3 + 9 * level) & 511) * 8;
            let entry = self.memory.load(at);
            let leads_to = entry & 0x000f_ffff_ffff_f000;
            match (entry & 1, level) {
                (0, _) => return Err(status::NOT_MAPPED),
                (_, 1) if leads_to != frame => return Ok((status::DIFFERS, entry)),
                (_, 1) => return Ok((status::DONE, self.memory.store(at, 0))),
                _ if entry & 0x80 != 0 => return Err(status::LARGE_PAGE),
                _ if self.level(leads_to) != Ok(level - 1) => return Err(status::WRONG_LEVEL),
                _ => (table, level) = (leads_to, level - 1),
            }
        }
    }
}
