//! Physical memory: words in frames, and when each frame was freed.

use std::cell::{Cell, OnceCell};

use x86_64::structures::paging::PhysFrame;

/// Words in a frame.
pub const WORDS: usize = 512;

/// What a frame holds while it is free.
const POISON: u64 = 0xdead_f4ee_dead_f4ee;

/// The words of one frame.
type Words = Box<[Cell<u64>; WORDS]>;

/// Frames from physical address 0. A frame that nobody looked at takes no room, so there can be gigabytes.
#[derive(Debug)]
pub struct PhysicalMemory {
    /// One by one, since Miri looks at a whole allocation whenever a reference to it is made.
    words: Vec<OnceCell<Words>>,
    frames: Vec<Cell<FrameState>>,
    /// Ticks whenever a frame is freed.
    clock: Cell<u32>,
}

/// Whether a frame is free or a table, and when it was freed last.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct FrameState {
    free: bool,
    table: bool,
    freed_at: u32,
}

impl PhysicalMemory {
    /// So many frames, all zeros and none of them free.
    pub fn new(frames: usize) -> Self {
        Self {
            words: (0..frames).map(|_| OnceCell::new()).collect(),
            frames: vec![Cell::default(); frames],
            clock: Cell::default(),
        }
    }

    /// How many frames there are.
    pub fn frames(&self) -> usize {
        self.words.len()
    }

    /// The word at an address, if there is memory.
    pub fn word(&self, address: u64) -> Option<&Cell<u64>> {
        let number = usize::try_from(address >> 12).ok()?;
        let words = self.words.get(number)?.get_or_init(|| self.untouched(number));
        words.get((address & 0xfff) as usize / 8)
    }

    /// The words of a frame.
    pub fn frame(&self, frame: PhysFrame) -> &[Cell<u64>] {
        let number = index(frame);
        &self.words[number].get_or_init(|| self.untouched(number))[..]
    }

    /// What is in a frame that nobody looked at.
    fn untouched(&self, number: usize) -> Words {
        let word = if self.frames[number].get().free { POISON } else { 0 };
        Box::new([const { Cell::new(0) }; WORDS].map(|_| Cell::new(word)))
    }

    /// Fills a frame that is taken into use.
    pub fn fill(&self, frame: PhysFrame, words: &[u64; WORDS]) {
        for (place, word) in self.frame(frame).iter().zip(words) {
            place.set(*word);
        }
        self.change(frame, |state| state.free = false);
    }

    /// A frame is taken into use with whatever is in it.
    pub fn taken(&self, frame: PhysFrame) {
        self.change(frame, |state| state.free = false);
    }

    /// A frame becomes free: what is in it is poison, and what knows it knows the past.
    pub fn freed(&self, frame: PhysFrame) {
        for place in self.words[index(frame)].get().into_iter().flat_map(|words| words.iter()) {
            place.set(POISON);
        }
        self.clock.set(self.clock.get() + 1);
        self.change(frame, |state| {
            state.free = true;
            state.freed_at = self.clock.get();
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

    /// How many frames were freed so far; the time by which one knows what is past.
    pub fn time(&self) -> u32 {
        self.clock.get()
    }

    /// Whether a frame is free, or was freed after that time.
    pub fn was_freed(&self, frame: PhysFrame, since: u32) -> bool {
        let state = self.frames.get(index(frame)).map(Cell::get).unwrap_or_default();
        state.free || state.freed_at > since
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
