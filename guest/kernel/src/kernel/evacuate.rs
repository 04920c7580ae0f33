//! Evacuation of a range of frames, a step at a time, between slices of programs.

use page_reclaim::evacuate::{EvacuateError, Evacuation, Step};

use super::Kernel;
use crate::tlb::new_identity;

impl Kernel {
    /// Takes a step of an evacuation, with nobody else at the gate; where no frame is free outside the range, pages are
    /// evicted first. This is the boot CPU.
    ///
    /// Invariant: every other CPU is parked in the kernel's root from the first step to the last, and its method has let go
    /// of foreign roots. So none has a root loaded that moves ([`page_reclaim::Machine::leave`]).
    ///
    /// # Errors
    /// [`EvacuateError::Stuck`].
    ///
    /// # Panics
    /// If another CPU is at work.
    pub fn evacuate_step(&mut self, evacuation: &mut Evacuation) -> Result<Step, EvacuateError> {
        assert!(Self::others_are_parked(), "a range is emptied while another CPU works");
        loop {
            let step = self.step_alone(evacuation);
            if step != Ok(Step::NoFrame) || self.make_room() == 0 {
                return step;
            }
        }
    }

    fn step_alone(&mut self, evacuation: &mut Evacuation) -> Result<Step, EvacuateError> {
        let _alone = self.shared.alone();
        let mut core = self.shared.core();
        let step = evacuation.step(&mut core.memory, &mut self.machine, &mut self.room);
        // What CPUs know of a space whose root has moved leads to its old root too: to them it is another space.
        for (from, to) in self.machine.take_moved() {
            let mut spaces = core.processes.iter_mut().map(|process| &mut process.space);
            if let Some(space) = spaces.find(|space| space.root == from) {
                (space.root, space.identity) = (to, new_identity());
            }
        }
        step
    }
}
