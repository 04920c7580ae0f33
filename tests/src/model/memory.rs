//! Physical memory: words in frames, and when each frame was freed.

use std::cell::Cell;

use x86_64::structures::paging::PhysFrame;

/// Words in a frame.
pub const WORDS: usize = 512;

/// What a frame holds while it is free.
const POISON: u64 = 0xdead_f4ee_dead_f4ee;

/// Frames from physical address 0.
#[derive(Debug)]
pub struct PhysicalMemory {
    /// One by one, since Miri looks at a whole allocation whenever a reference to it is made.
    words: Vec<Box<[Cell<u64>; WORDS]>>,
    frames: Vec<Cell<FrameState>>,
}

/// Whether a frame is free or a table, and how often it was freed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct FrameState {
    free: bool,
    table: bool,
    generation: u32,
}

impl PhysicalMemory {
    /// So many frames, all zeros and none of them free.
    pub fn new(frames: usize) -> Self {
        let frame = || Box::new([const { Cell::new(0) }; WORDS]);
        Self {
            words: (0..frames).map(|_| frame()).collect(),
            frames: vec![Cell::default(); frames],
        }
    }

    /// The word at an address, if there is memory.
    pub fn word(&self, address: u64) -> Option<&Cell<u64>> {
        let frame = self.words.get(usize::try_from(address >> 12).ok()?)?;
        frame.get((address & 0xfff) as usize / 8)
    }

    /// The words of a frame.
    pub fn frame(&self, frame: PhysFrame) -> &[Cell<u64>] {
        &self.words[index(frame)][..]
    }

    /// Fills a frame that is taken into use.
    pub fn fill(&self, frame: PhysFrame, words: &[u64; WORDS]) {
        for (place, word) in self.frame(frame).iter().zip(words) {
            place.set(*word);
        }
        self.change(frame, |state| state.free = false);
    }

    /// A frame becomes free: what is in it is poison, and what knows it knows the past.
    pub fn freed(&self, frame: PhysFrame) {
        for place in self.frame(frame) {
            place.set(POISON);
        }
        self.change(frame, |state| {
            state.free = true;
            state.generation += 1;
        });
    }

    /// Whether a frame is free.
    pub fn is_free(&self, frame: PhysFrame) -> bool {
        self.frames.get(index(frame)).is_some_and(|state| state.get().free)
    }

    /// From now on a frame is a table, or is none.
    pub fn set_table(&self, frame: PhysFrame, table: bool) {
        self.change(frame, |state| state.table = table);
    }

    /// Whether a frame is a table.
    pub fn is_table(&self, frame: PhysFrame) -> bool {
        self.frames.get(index(frame)).is_some_and(|state| state.get().table)
    }

    /// How often a frame was freed.
    pub fn generation(&self, frame: PhysFrame) -> u32 {
        self.frames.get(index(frame)).map_or(0, |state| state.get().generation)
    }

    fn change(&self, frame: PhysFrame, change: impl FnOnce(&mut FrameState)) {
        let mut state = self.frames[index(frame)].get();
        change(&mut state);
        self.frames[index(frame)].set(state);
    }
}

fn index(frame: PhysFrame) -> usize {
    (frame.start_address().as_u64() >> 12) as usize
}
