//! Memory that `page_reclaim` itself manages.

use foreign_access::{Action, EntryName, Operation};
use loadphys_apps::course::Touch;
use page_reclaim::tables::{self, find_or_build};
use page_reclaim::{Backing, FaultError, Memory, Rights, Room, Write, bring_in, evict};
use x86_64::structures::paging::PhysFrame;
use x86_64::structures::paging::page_table::PageTableLevel;
use x86_64::{PhysAddr, VirtAddr};

use super::Cache;
use super::walker::Walker;
use crate::kernel::Choice;

/// Pages that are evicted together, as in the guest.
const BATCH: usize = 32;

/// Where the pages begin.
const BASE: u64 = 0x2000_0000_0000;

/// Where the pages beside them begin.
const BESIDE: u64 = 0x3000_0000_0000;

/// One space, its pages in memory and in swap.
#[derive(Debug)]
pub struct Reclaimed<'r> {
    memory: Memory<'r>,
    walker: Walker,
    root: PhysFrame,
    choice: Choice,
    besides: u64,
    faults: u64,
    operations: Vec<Operation>,
    pages: Vec<Write>,
}

impl<'r> Reclaimed<'r> {
    /// For so many pages, of which so many find a frame.
    ///
    /// # Panics
    /// If the records have no room for them.
    pub fn new(memory: Memory<'r>, pages: u64, frames: u32, choice: Choice) -> Self {
        Self::beside(0, memory, pages, frames, choice)
    }

    /// The same, beside so many pages that are in frames of their own at first, and that every touch of another page touches
    /// too: a program's code and stack.
    ///
    /// # Panics
    /// As [`Self::new`].
    pub fn beside(
        besides: u64,
        mut memory: Memory<'r>,
        pages: u64,
        frames: u32,
        choice: Choice,
    ) -> Self {
        // The first ones are taken first, as after a boot of the guest.
        for number in (1..memory.frames.len() as u64).rev() {
            memory.frames.grant(frame(number)).expect("it is reserved");
        }
        let mut walker = Walker::default();
        let root = tables::new_root(&mut memory, &mut walker).expect("there are frames");
        for page in (0..pages).map(address).chain((0..besides).map(beside)) {
            find_or_build(&mut memory, &mut walker, root, page).expect("there are frames");
        }
        let name = EntryName::new(root, root, VirtAddr::zero(), PageTableLevel::One);
        let operations = vec![Operation::new(name, Action::Load); 512];
        let pages = vec![Write::NOTHING; BATCH];
        let mut it = Self { memory, walker, root, choice, besides, faults: 0, operations, pages };
        (0..besides).for_each(|page| _ = it.reach(beside(page), false));
        it.leave(frames);
        it.faults = 0;
        it
    }

    /// So many frames stay free.
    fn leave(&mut self, frames: u32) {
        while self.memory.frames.free_count() > frames {
            self.memory.frames.take_for_kernel();
        }
        assert_eq!(self.memory.frames.free_count(), frames, "there are that many");
    }

    /// Faults so far, of the pages beside too.
    pub const fn faults(&self) -> u64 {
        self.faults
    }

    /// A page is touched; says whether it was there.
    fn reach(&mut self, page: VirtAddr, write: bool) -> bool {
        let hit = self.walker.touch(self.root, page, write);
        if !hit {
            self.fault(page);
            assert!(self.walker.touch(self.root, page, write), "it was brought in");
        }
        hit
    }

    /// Frames for which records are needed where so many pages are in so many frames.
    pub const fn records_for(pages: u64, frames: u32) -> usize {
        frames as usize + pages as usize / 512 + 8
    }

    fn fault(&mut self, page: VirtAddr) {
        self.faults += 1;
        let Self { memory, walker, root, .. } = self;
        let name = find_or_build(memory, walker, *root, page).expect("it was built");
        while let Err(why) =
            bring_in(&mut self.memory, &mut self.walker, name, Backing::Private, Rights::DATA)
        {
            assert_eq!(why, FaultError::NoFrame);
            self.make_room();
        }
    }

    fn make_room(&mut self) {
        let Self { memory, walker, operations, .. } = self;
        let mut victims = [frame(0); BATCH];
        let chosen = self.choice.choose(memory, walker, &mut victims, operations);
        let mut room = Room { operations, pages: &mut self.pages };
        let evicted = evict(memory, walker, &victims[..chosen], &mut room).evicted;
        assert!(evicted > 0, "there is always a victim");
    }
}

impl Cache for Reclaimed<'_> {
    fn touch(&mut self, touch: Touch) -> bool {
        (0..self.besides).for_each(|page| _ = self.reach(beside(page), false));
        self.reach(address(touch.page), touch.write)
    }
}

fn address(page: u64) -> VirtAddr {
    VirtAddr::new(BASE + page * 4096)
}

fn beside(page: u64) -> VirtAddr {
    VirtAddr::new(BESIDE + page * 4096)
}

fn frame(number: u64) -> PhysFrame {
    PhysFrame::containing_address(PhysAddr::new(number << 12))
}
