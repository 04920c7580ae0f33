//! Who chooses the victims.

use foreign_access::Operation;
use page_reclaim::victims::{self, Clock};
use page_reclaim::{Machine, Memory};
use x86_64::structures::paging::PhysFrame;

/// Who chooses.
#[derive(Clone, Copy, Debug)]
pub enum Choice {
    /// A clock that knows who was brought in. It chooses the same whatever the processor does with Accessed.
    Clock(Clock),
    /// The two hands.
    TwoHands,
}

impl Choice {
    /// Chooses pages to evict; gives back how many were found.
    pub fn choose<M: Machine>(
        &mut self,
        memory: &mut Memory<'_>,
        machine: &mut M,
        victims: &mut [PhysFrame],
        room: &mut [Operation],
    ) -> usize {
        match self {
            Self::Clock(clock) => clock.choose(&mut memory.frames, victims),
            Self::TwoHands => victims::choose(memory, machine, victims, room),
        }
    }
}

impl Default for Choice {
    fn default() -> Self {
        Self::Clock(Clock::default())
    }
}
