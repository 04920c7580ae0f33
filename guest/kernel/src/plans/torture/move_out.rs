//! A small range of memory is emptied, whatever is in it, and opened again.

use alloc::vec::Vec;

use loadphys_plan::command_line::MemoryRange;
use page_reclaim::Kind;
use page_reclaim::evacuate::{Evacuation, Step};
use x86_64::PhysAddr;
use x86_64::structures::paging::PhysFrame;

use super::herd::Herd;
use crate::plans::evacuate::{frames, must_be_all, proof};
use crate::scene::Failure;

/// Frames of a range, at most.
const MOST_FRAMES: usize = 48;

/// Bytes of a frame.
const FRAME: u64 = 4096;

impl Herd<'_> {
    /// Has everything move out of a range: pages, tables and roots of programs that wait.
    ///
    /// # Errors
    /// If something stays for another reason than that no frame is free elsewhere, or something still leads there.
    pub(super) fn move_out(&mut self) -> Result<(), Failure> {
        let Some(range) = self.some_range() else { return Ok(()) };
        let began = Evacuation::begin(&mut self.scene.kernel.core().memory, frames(range));
        let mut evacuation = began.map_err(|why| Failure::new(format_args!("{why:?}")))?;
        let last = self.move_all(&mut evacuation)?;
        let found = evacuation.so_far(&self.scene.kernel.core().memory);
        self.evacuated += u64::from(found.moved());
        if last == Step::Done {
            must_be_all(range, &found)?;
            proof(self.scene, range)?;
        }
        self.scene.kernel.core().memory.frames.open(frames(range));
        Ok(())
    }

    fn move_all(&mut self, evacuation: &mut Evacuation) -> Result<Step, Failure> {
        loop {
            match self.scene.kernel.evacuate_step(evacuation) {
                Ok(Step::More) => {}
                Ok(last) => return Ok(last),
                Err(why) => return Err(Failure::new(format_args!("{why:?}"))),
            }
        }
    }

    /// From a frame that programs have to another, with none of the kernel's between; if there is any.
    fn some_range(&mut self) -> Option<MemoryRange> {
        let core = self.scene.kernel.core();
        let kind = |number: u64| {
            let start = PhysAddr::new(number * FRAME);
            core.memory.frames.kind(PhysFrame::containing_address(start))
        };
        let is_used = |number: &u64| matches!(kind(*number), Kind::Root | Kind::Table | Kind::Page);
        let used: Vec<u64> = (0..core.memory.frames.len() as u64).filter(is_used).collect();
        let first = *used.get(self.random.below(used.len().max(1)))?;
        let most = first + 1 + self.random.below(MOST_FRAMES) as u64;
        let is_kernels = |number: &u64| matches!(kind(*number), Kind::Reserved | Kind::Kernel);
        let end = (first..most).find(is_kernels).unwrap_or(most);
        Some(MemoryRange { start: first * FRAME, end: end * FRAME })
    }
}
