//! Eviction, by choice of who was not touched or of a plan.

use page_reclaim::victims::choose;
use page_reclaim::{Evicted, Memory, Records, Room, evict};
use x86_64::PhysAddr;
use x86_64::structures::paging::PhysFrame;

use super::{Core, Kernel, Shared};

/// Pages that are evicted together where memory is short.
const BATCH: usize = 32;

impl Kernel {
    /// Evicts some pages that were not touched lately; gives how many became free, or stayed since
    /// somebody wanted them back or the device failed: then others can go. That ends, since a failed write costs a slot.
    pub fn make_room(&mut self) -> u32 {
        let mut victims = [PhysFrame::containing_address(PhysAddr::zero()); BATCH];
        let mut records = Steps(self.shared);
        // One pass for both: what is chosen must not become something else in between.
        let _evicting = self.shared.evicting();
        let chosen = choose(&mut records, &mut self.machine, &mut victims, &mut self.room);
        let Evicted { evicted, rescued, write_failed, .. } = self.evict(&victims[..chosen]);
        evicted + rescued + write_failed
    }

    /// Evicts these pages.
    pub fn evict(&mut self, victims: &[PhysFrame]) -> Evicted {
        // Whoever finds that nobody evicts any more finds what was evicted counted.
        let _evicting = self.shared.evicting();
        let evicted = self.evict_behind_gate(victims);
        let Evicted { evicted: gone, swap_full, write_failed, .. } = evicted;
        self.core().count_evicted(gone, swap_full, write_failed);
        evicted
    }

    /// Evicts these pages; who calls has them counted, perhaps with others.
    pub(super) fn evict_uncounted(&mut self, victims: &[PhysFrame]) -> Evicted {
        let _evicting = self.shared.evicting();
        self.evict_behind_gate(victims)
    }

    fn evict_behind_gate(&mut self, victims: &[PhysFrame]) -> Evicted {
        self.machine.stopwatch.start();
        let mut room = Room { operations: &mut self.room, pages: &mut self.pages };
        let mut records = Steps(self.shared);
        evict(&mut records, &mut self.machine, victims, &mut room)
    }
}

/// The records, as an eviction holds them: for each step that needs them, and no longer.
struct Steps(&'static Shared);

impl Records for Steps {
    #[inline]
    fn with<R>(&mut self, work: impl FnOnce(&mut Memory<'_>) -> R) -> R {
        work(&mut self.0.core().memory)
    }

    #[inline]
    fn look<R>(&mut self, work: impl FnOnce(&Memory<'_>) -> R) -> R {
        work(&self.0.look().memory)
    }
}

impl Core {
    /// Pages were evicted, and some were not since swap is full, or could not be written.
    pub(super) fn count_evicted(&mut self, evicted: u32, swap_full: u32, write_failed: u32) {
        self.tally.evicted += u64::from(evicted);
        self.tally.swap_full += u64::from(swap_full);
        self.tally.write_failed += u64::from(write_failed);
    }
}
