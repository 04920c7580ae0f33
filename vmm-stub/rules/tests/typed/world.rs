//! Twelve frames: the first is the stub's, the last is no memory, the others are the guest's.

use loadphys_abi::Status;
use loadphys_rules::typed::{Frame, Kind};
use loadphys_rules::{Found, TableAt, Typed, Wish};

use crate::memory::{FRAME, Memory};

/// Frames that the rules know.
pub const FRAMES: u64 = 12;

/// The stub's frame.
pub const STUB: u64 = 0;

/// Bits of the processor's physical addresses.
pub const WIDTH: u32 = 36;

pub const PRESENT: u64 = 1;
pub const WRITABLE: u64 = 2;
pub const USER: u64 = 4;
pub const ACCESSED: u64 = 1 << 5;
pub const DIRTY: u64 = 1 << 6;
pub const LARGE: u64 = 1 << 7;

/// An entry that leads to a frame.
pub const fn to(frame: u64, flags: u64) -> u64 {
    (frame * FRAME) | flags
}

/// Memory and what is known of it.
pub struct World {
    pub memory: Memory,
    pub frames: Vec<Frame>,
    pub preset: bool,
}

impl World {
    pub fn new() -> Self {
        let mut world = Self {
            memory: Memory::new(FRAMES),
            frames: vec![Frame::default(); FRAMES as usize],
            preset: false,
        };
        world.rules().grant(FRAME + 8..2 * FRAME - 8);
        assert!(world.frames.iter().all(|frame| frame.kind() == Kind::Outside), "no whole frame");
        world.rules().grant(FRAME - 8..11 * FRAME);
        world
    }

    pub fn rules(&mut self) -> Typed<'_> {
        Typed::new(&mut self.frames, WIDTH, self.preset)
    }

    pub fn kind(&self, frame: u64) -> (Kind, u32) {
        let state = self.frames[frame as usize];
        (state.kind(), state.count())
    }

    /// Makes a frame a table of this level, with what lies in it.
    pub fn register(&mut self, frame: u64, level: u64) -> Result<TableAt, Status> {
        let table = self.rules().begin_register(frame * FRAME, level)?;
        let Self { memory, frames, preset } = self;
        Typed::new(frames, WIDTH, *preset).finish_register(table, memory)
    }

    pub fn release(&mut self, frame: u64) -> Result<TableAt, Status> {
        let Self { memory, frames, preset } = self;
        Typed::new(frames, WIDTH, *preset).release(frame * FRAME, memory)
    }

    pub fn perform(&mut self, frame: u64, index: u64, wish: Wish) -> Result<Found, Status> {
        let Self { memory, frames, preset } = self;
        Typed::new(frames, WIDTH, *preset).perform(frame * FRAME + 8 * index, wish, memory)
    }

    /// Stores an entry; gives the status.
    pub fn store(&mut self, frame: u64, index: u64, entry: u64) -> Result<Found, Status> {
        self.perform(frame, index, Wish::Exchange(entry))
    }

    /// Root 4, tables 3, 2 and 1 below it, by their first entries, and page 0 mapped writable to frame 5.
    pub fn with_a_page() -> Self {
        let mut world = Self::new();
        for level in 1..=4 {
            world.register(level, level).unwrap();
        }
        for level in 2..=4 {
            world.store(level, 0, to(level - 1, PRESENT | WRITABLE | USER)).unwrap();
        }
        world.store(1, 0, to(5, PRESENT | WRITABLE)).unwrap();
        world
    }
}
