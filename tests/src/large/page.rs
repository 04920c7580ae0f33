//! The large pages there are, and where in memory each may lie.

use foreign_access::{Entry, walk};
use page_reclaim::{Slot, swap_entry};
use x86_64::structures::paging::page_table::PageTableLevel;
use x86_64::structures::paging::{PageTableFlags, PhysFrame};
use x86_64::{PhysAddr, VirtAddr};

use crate::kernel::SPACES;
use crate::model::Model;

/// Where large pages lie in a space, the level of the entry that maps each, and the physical addresses where it may
/// lie.
pub const LARGE: [Place; 3] = [
    Place::new(0x80_0000, PageTableLevel::Two, [0x20_0000, 0x40_0000, 0x60_0000]),
    Place::new(0x40_0060_0000, PageTableLevel::Two, [0x100_0000, 0x120_0000, 0x140_0000]),
    Place::new(0x8000_0000, PageTableLevel::Three, [0x4000_0000; 3]),
];

/// Words of large pages that programs use.
pub const WORDS: usize = 4;

/// Where in 2 MiB they are: each in a frame of its own, from the first to the last.
const OFFSETS: [u64; WORDS] = [0, 0x1238, 0x10_0000, 0x1f_fff8];

/// Where a large page lies.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    /// Its address in every space that has it.
    pub address: u64,
    /// The level of the entry that maps it.
    pub level: PageTableLevel,
    /// Physical addresses where it may lie.
    pub memory: [u64; 3],
}

impl Place {
    const fn new(address: u64, level: PageTableLevel, memory: [u64; 3]) -> Self {
        Self { address, level, memory }
    }

    /// The address of a word in it.
    pub fn word(&self, number: usize) -> VirtAddr {
        VirtAddr::new(self.address + self.offset(number))
    }

    /// Where a word is in the page: the larger it is, the farther apart they are.
    fn offset(&self, number: usize) -> u64 {
        let bytes = walk::bytes_per_entry(self.level);
        OFFSETS[number] * (bytes / walk::bytes_per_entry(PageTableLevel::Two))
    }

    /// Physical addresses of its words, if it lies here.
    fn words(self, start: u64) -> impl Iterator<Item = u64> {
        (0..WORDS).map(move |number| start + self.offset(number))
    }

    /// Its frames, if it lies here.
    fn frames(self, start: u64) -> impl Iterator<Item = PhysFrame> {
        let bytes = walk::bytes_per_entry(self.level);
        (start..start + bytes)
            .step_by(4096)
            .map(|address| PhysFrame::containing_address(PhysAddr::new(address)))
    }
}

/// A large page.
#[derive(Clone, Debug)]
pub struct Page {
    /// Where it lies in spaces.
    pub place: Place,
    /// Where it lies in memory, if it does.
    pub memory: Option<u64>,
    /// Which spaces have it, and may write it.
    pub sharers: [Option<bool>; SPACES],
    /// What its words hold, by the programs.
    pub contents: [u64; WORDS],
}

impl Page {
    /// It is nowhere, and all its words are zero.
    pub fn new(place: Place) -> Self {
        Self { place, memory: None, sharers: [None; SPACES], contents: [0; WORDS] }
    }

    /// The entry of a space, if the page lies here or nowhere.
    pub fn entry(&self, space: usize, memory: Option<u64>) -> Entry {
        match (self.sharers[space], memory) {
            (None, _) => Entry::EMPTY,
            (Some(_), None) => swap_entry(Slot::new(1).expect("not zero")),
            (Some(may_write), Some(memory)) => Self::present(memory, may_write),
        }
    }

    fn present(memory: u64, may_write: bool) -> Entry {
        let mut flags = PageTableFlags::PRESENT
            | PageTableFlags::USER_ACCESSIBLE
            | PageTableFlags::HUGE_PAGE
            | PageTableFlags::NO_EXECUTE;
        flags.set(PageTableFlags::WRITABLE, may_write);
        // What may not be written any more may have been, and its Dirty bit stays.
        flags.set(PageTableFlags::DIRTY, !may_write);
        Entry(memory | flags.bits())
    }

    /// Its frames are taken into use and filled.
    pub fn fill(&mut self, model: &Model<'_>, memory: u64) {
        self.place.frames(memory).for_each(|frame| model.memory.taken(frame));
        for (at, content) in self.place.words(memory).zip(self.contents) {
            model.memory.word(at).expect("memory").set(content);
        }
        self.memory = Some(memory);
    }

    /// Its contents go to swap and its frames are free.
    pub fn give_up(&mut self, model: &Model<'_>) {
        let Some(memory) = self.memory.take() else { return };
        for (at, content) in self.place.words(memory).zip(&mut self.contents) {
            *content = model.memory.word(at).expect("memory").get();
        }
        self.place.frames(memory).for_each(|frame| model.memory.freed(frame));
    }
}
