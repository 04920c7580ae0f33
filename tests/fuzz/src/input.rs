//! Bytes as what a guest does. Small changes of the bytes are small changes of that, so that a fuzzer finds its way.

use loadphys_abi::Call;
use loadphys_abi::batch::Item;

use crate::memory::{FRAME, FRAMES};

/// Flags that many entries have: Present, Writable, User, Accessed, Dirty.
const USUAL: u64 = 0x67;

/// Among them, the one that only entries have that map a page.
const DIRTY: u64 = 1 << 6;

/// The flag of large pages.
const LARGE: u64 = 1 << 7;

/// Something that a guest does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Stores a word to its own memory.
    Store {
        /// Where.
        address: u64,
        /// What.
        word: u64,
    },
    /// Calls with RAX, RDI, RSI and RDX.
    Call([u64; 4]),
    /// Stores items and calls for them to be done.
    Batch {
        /// Where they are.
        address: u64,
        /// The items that are stored.
        items: Vec<Item>,
        /// How many the call names.
        count: u64,
    },
}

/// What is left of the bytes; behind them are zeroes.
#[derive(Clone, Debug)]
pub struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    /// All bytes are left.
    pub const fn new(data: &'a [u8]) -> Self {
        Self(data)
    }

    fn byte(&mut self) -> u8 {
        self.0.split_off_first().copied().unwrap_or(0)
    }

    fn word(&mut self) -> u64 {
        u64::from_le_bytes(std::array::from_fn(|_| self.byte()))
    }

    /// What comes before the first step: nothing, or a page that is mapped by tables of four levels, which bytes at random
    /// would hardly come to.
    pub fn beginning(&mut self) -> Vec<Step> {
        if self.byte().is_multiple_of(2) {
            return Vec::new();
        }
        let register = |level| Step::Call([5, level * FRAME, level, 0]);
        let link = |from: u64, to, flags| Step::Call([2, from * FRAME, (to * FRAME) | flags, 0]);
        let links = (2..=4).map(|level| link(level, level - 1, USUAL & !DIRTY));
        (1..=4).map(register).chain(links).chain([link(1, 5, USUAL)]).collect()
    }

    /// The next step, if any bytes are left.
    pub fn step(&mut self) -> Option<Step> {
        if self.0.is_empty() {
            return None;
        }
        Some(match self.byte() {
            kind @ 0..200 => self.call(1 + u64::from(kind) % Call::ALL.len() as u64),
            200..220 => Step::Store { address: self.address(), word: self.entry() },
            220..250 => self.batch(),
            _ => {
                let number = self.word();
                self.call(number)
            }
        })
    }

    fn call(&mut self, number: u64) -> Step {
        let arguments = match Call::from_number(number) {
            Some(Call::RegisterTable) => [self.frame(), self.level(), self.kept()],
            Some(Call::ReleaseTable) => [self.frame(), 0, 0],
            Some(Call::Unmap) => [self.frame(), self.page(), self.frame()],
            Some(Call::Batch) => [self.address(), self.small(), 0],
            Some(Call::Exchange) => [self.address(), self.entry(), 0],
            _ => [self.address(), self.entry(), self.entry()],
        };
        let [first, second, third] = arguments;
        Step::Call([number, first, second, third])
    }

    fn batch(&mut self) -> Step {
        let (address, stored) = (self.address(), self.byte() % 8);
        let items = (0..stored).map(|_| self.item()).collect();
        let count = if self.byte() < 200 { stored.into() } else { self.small() };
        Step::Batch { address, items, count }
    }

    fn item(&mut self) -> Item {
        let action = match self.byte() {
            kind @ 0..240 => 1 + u64::from(kind % 3),
            _ => self.word(),
        };
        Item { entry: self.address(), action, found: self.entry(), value: self.entry() }
    }

    /// A level, mostly.
    fn level(&mut self) -> u64 {
        match self.byte() {
            number @ 0..230 => 1 + u64::from(number % 5),
            _ => self.small(),
        }
    }

    /// A way to keep a table, mostly.
    fn kept(&mut self) -> u64 {
        match self.byte() {
            number @ 0..230 => u64::from(number % 4),
            _ => self.small(),
        }
    }

    /// A number that is mostly small.
    fn small(&mut self) -> u64 {
        match self.byte() {
            number @ 0..240 => u64::from(number % 8),
            kind @ 240..248 => 510 + u64::from(kind - 240),
            _ => self.word(),
        }
    }

    /// The address of a frame, or of anything.
    fn frame(&mut self) -> u64 {
        match self.byte() {
            frame @ 0..240 => u64::from(frame) % (FRAMES + 1) * FRAME,
            _ => self.address(),
        }
    }

    /// The address of an entry, mostly: the first and the last ones of each frame, and some that are crooked.
    fn address(&mut self) -> u64 {
        let frame = self.byte();
        if frame >= 240 {
            let edge = 1 << (u64::from(frame) % 16 + 48);
            return self.word() ^ edge;
        }
        let start = u64::from(frame) % (FRAMES + 1) * FRAME;
        let at = u64::from(self.byte());
        start + (at & 7) * 8 + (at >> 3 & 1) * 0xfc0 + (at >> 7) * (at >> 4 & 7)
    }

    /// An entry that leads to one of the frames, or any word.
    fn entry(&mut self) -> u64 {
        let frame = self.byte();
        if frame >= 240 {
            return self.word();
        }
        let (flags, more) = (u64::from(self.byte()), u64::from(self.byte()));
        let flags = match more {
            0..200 => flags & USUAL,
            200..224 => flags & USUAL | LARGE,
            _ => flags | (more & 0xf) << 8 | (more & 0x10) << 59,
        };
        (u64::from(frame) % (FRAMES + 1) * FRAME) | flags
    }

    /// The address of a page: mostly the first entries of tables of each level, and the last ones.
    fn page(&mut self) -> u64 {
        let level = |index: u8| match index {
            0..192 => 0,
            _ => u64::from(index & 7) + u64::from(index >> 3 & 1) * 504,
        };
        match self.byte() {
            0..240 => (0..4).map(|at| level(self.byte()) << (12 + 9 * at)).sum(),
            _ => self.word(),
        }
    }
}
