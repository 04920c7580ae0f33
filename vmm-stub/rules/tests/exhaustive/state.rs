//! What a small machine is in at a time.

use std::cell::Cell;

use loadphys_rules::typed::{Frame, Kind};
use loadphys_rules::{Entries, EntryAt, TableAt, Typed, WordAt};

/// Bytes of a frame.
pub const FRAME: u64 = 4096;
/// Bits of entries that matter.
pub const PRESENT: u64 = 1;
pub const WRITABLE: u64 = 2;
pub const USER: u64 = 4;
pub const UNCACHED: u64 = 1 << 4;
pub const LARGE: u64 = 1 << 7;

/// Room for the largest universe.
pub const MOST_FRAMES: usize = 6;
const MOST_ENTRIES: usize = 2;

/// How large a machine is. Frame 0 is the stub's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Universe {
    pub frames: usize,
    pub entries: usize,
    pub levels: u64,
}

/// A state, with what the stub would have made read-only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct State {
    pub universe: Universe,
    pub frames: [Frame; MOST_FRAMES],
    pub memory: Memory,
    pub becoming: [Option<TableAt>; MOST_FRAMES],
    pub read_only: [bool; MOST_FRAMES],
}

/// The first entries of each frame; the others are empty and stay so.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Memory([[Cell<u64>; MOST_ENTRIES]; MOST_FRAMES]);

impl State {
    /// Plain memory.
    pub fn new(universe: Universe) -> Self {
        let mut state = Self {
            universe,
            frames: Default::default(),
            memory: Memory::default(),
            becoming: Default::default(),
            read_only: Default::default(),
        };
        state.rules().0.grant(FRAME..universe.frames as u64 * FRAME);
        state
    }

    /// The rules, and the memory they judge.
    pub fn rules(&mut self) -> (Typed<'_>, &Memory) {
        let frames = &mut self.frames[..self.universe.frames];
        (Typed::new(frames, 20, false), &self.memory)
    }

    /// What a frame is.
    pub fn kind(&self, frame: usize) -> Kind {
        self.frames.get(frame).map_or(Kind::Outside, |frame| frame.kind())
    }

    /// An entry of a frame.
    pub fn entry(&self, frame: usize, index: usize) -> u64 {
        self.memory.0[frame][index].get()
    }

    /// An entry of a frame, or nothing beyond memory.
    pub fn entry_or_none(&self, frame: usize, index: usize) -> u64 {
        self.memory.0.get(frame).map_or(0, |frame| frame[index].get())
    }

    /// Changes an entry as a guest does in plain memory.
    pub fn write(&self, frame: usize, index: usize, entry: u64) {
        self.memory.0[frame][index].set(entry);
    }

    /// Forgets what lies in frames that are no tables, and what of tables does not matter.
    pub fn forget_plain(&mut self) {
        for frame in 1..self.universe.frames {
            for index in 0..self.universe.entries {
                let kept = match self.kind(frame) {
                    Kind::Table(level) => what_matters(self.entry(frame, index), level.number()),
                    _ => 0,
                };
                self.write(frame, index, kept);
            }
        }
    }
}

/// What of an entry matters: in level 1 whether it is writable, above whether it is for users.
pub fn what_matters(entry: u64, level: u8) -> u64 {
    let flag = if level == 1 { WRITABLE } else { USER };
    if entry & PRESENT == 0 { 0 } else { entry & (!(FRAME - 1) | PRESENT | flag) }
}

impl Entries for Memory {
    fn load(&self, at: WordAt) -> u64 {
        self.word(at.address()).map_or(0, Cell::get)
    }

    fn exchange(&self, at: EntryAt, new: u64) -> u64 {
        self.word(at.address()).expect("only first entries are stored to").replace(new)
    }

    fn compare_exchange(&self, at: EntryAt, expected: u64, new: u64) -> Result<u64, u64> {
        let word = self.word(at.address()).expect("only first entries are stored to");
        let found = word.get();
        if found == expected {
            word.set(new);
            Ok(found)
        } else {
            Err(found)
        }
    }
}

impl Memory {
    fn word(&self, address: u64) -> Option<&Cell<u64>> {
        let (frame, index) = (address / FRAME, address % FRAME / 8);
        self.0.get(frame as usize)?.get(index as usize)
    }
}
