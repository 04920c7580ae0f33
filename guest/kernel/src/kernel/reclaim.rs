//! Eviction, by choice of the clock or of a plan.

use page_reclaim::{Evicted, evict};
use x86_64::PhysAddr;
use x86_64::structures::paging::PhysFrame;

use super::{Core, Kernel};

/// Pages that are evicted together where memory is short.
const BATCH: usize = 32;

impl Kernel {
    /// Evicts some pages of the clock's choice; gives how many frames became free.
    pub fn make_room(&mut self) -> u32 {
        let mut victims = [PhysFrame::containing_address(PhysAddr::zero()); BATCH];
        let chosen = self.core().choose(&mut victims);
        self.evict(&victims[..chosen]).evicted
    }

    /// Evicts these pages.
    pub fn evict(&mut self, victims: &[PhysFrame]) -> Evicted {
        self.machine.stopwatch.start();
        let mut core = self.core();
        let Core { memory, tally, .. } = &mut *core;
        let evicted = evict(memory, &mut self.machine, victims, &mut self.room);
        tally.evicted += u64::from(evicted.evicted);
        tally.swap_full += u64::from(evicted.swap_full);
        evicted
    }
}

impl Core {
    /// Fills the room with victims of the clock's choice; gives how many they are.
    fn choose(&mut self, room: &mut [PhysFrame]) -> usize {
        self.clock.choose(&mut self.memory.frames, room)
    }
}
