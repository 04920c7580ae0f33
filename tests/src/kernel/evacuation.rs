//! Evacuation of a range, and what is seen of it afterwards.

use foreign_access::{Cpu, Method};
use page_reclaim::evacuate::{EvacuateError, Evacuated, Evacuation, Step};
use page_reclaim::{Reference, Unreferenced, evacuate, unreferenced};
use x86_64::PhysAddr;
use x86_64::structures::paging::PhysFrame;
use x86_64::structures::paging::frame::PhysFrameRange;

use super::{Kernel, Mistake, page};

/// A range of frames, by their numbers.
pub fn frames(start: u64, end: u64) -> PhysFrameRange {
    let frame = |number: u64| PhysFrame::containing_address(PhysAddr::new(number << 12));
    PhysFrame::range(frame(start), frame(end))
}

impl<C: Cpu, M: Method<C>> Kernel<'_, '_, C, M> {
    /// Moves everything out of a range, from this CPU.
    ///
    /// # Errors
    /// [`EvacuateError`].
    pub fn evacuate(
        &mut self,
        cpu: usize,
        range: PhysFrameRange,
    ) -> Result<Evacuated, EvacuateError> {
        self.machine.on(cpu);
        evacuate(&mut self.memory, &mut self.machine, range, &mut self.room)
    }

    /// Takes a step of an evacuation.
    ///
    /// # Errors
    /// [`EvacuateError`].
    pub fn step(&mut self, evacuation: &mut Evacuation) -> Result<Step, EvacuateError> {
        evacuation.step(&mut self.memory, &mut self.machine, &mut self.room)
    }

    /// Shows that nothing leads into a range.
    ///
    /// # Errors
    /// What does.
    pub fn unreferenced(&mut self, range: PhysFrameRange) -> Result<Unreferenced, Reference> {
        let roots: Vec<_> = self.machine.world.spaces.iter().flatten().copied().collect();
        unreferenced(&self.memory, &mut self.machine, &roots, range, &mut self.room)
    }

    /// Opens the range that was evacuated before, and evacuates another; if it is empty then, nothing leads there.
    ///
    /// # Errors
    /// [`Mistake::Evacuation`] and [`Mistake::Referenced`].
    pub fn evacuate_another(&mut self, cpu: usize, range: PhysFrameRange) -> Result<(), Mistake> {
        self.open_all();
        let found = self.evacuate(cpu, range).map_err(Mistake::Evacuation)?;
        self.machine.world.moved += found.moved();
        if found.left == 0 {
            self.unreferenced(range).map_err(Mistake::Referenced)?;
        }
        Ok(())
    }

    /// Moves the table of a level on the way to a page of a space; where there is none nothing moves.
    ///
    /// # Errors
    /// As [`Kernel::evacuate_another`].
    pub fn move_table(
        &mut self,
        cpu: usize,
        space: usize,
        number: usize,
        level: u32,
    ) -> Result<(), Mistake> {
        let Some(root) = self.machine.world.spaces[space] else { return Ok(()) };
        let Some(at) = self.model().place(root, page(number), level) else { return Ok(()) };
        self.evacuate_another(cpu, frames(at >> 12, (at >> 12) + 1))
    }

    /// Whatever is offline becomes free.
    pub fn open_all(&mut self) {
        self.memory.frames.open(frames(0, self.memory.frames.len() as u64));
    }
}
