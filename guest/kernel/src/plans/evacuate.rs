//! Everything moves out of a range of frames while programs write and check: pages, tables, and roots, by every method
//! that was asked for, one after the other.

mod choice;
mod stay;

use alloc::boxed::Box;

use loadphys_apps::calls::Command;
use loadphys_plan::command_line::{MemoryRange, MethodName};
use loadphys_plan::histogram::Histogram;
use loadphys_plan::records::{Evacuation as Told, Record};
use page_reclaim::evacuate::{Evacuated, Evacuation, Step};

use crate::kernel::Tally;
use crate::measure::clock;
use crate::measure::report::{self, name};
use crate::scene::{Failure, Scene};
use crate::start::below;

pub(super) use choice::frames;
pub(super) use stay::proof;

/// Evacuates by every method; what this machine lacks for one is recorded.
pub fn run(scene: &mut Scene) -> Result<(), Failure> {
    let mut all = Tally::default();
    scene.with_each(|scene, method| {
        let told = Trial::begin(scene, method)?.told()?;
        report::record(&Record::Evacuation(told));
        all = scene.kernel.tally().and(all);
        Ok(())
    })?;
    scene.kernel.core().tally = all;
    scene.conclude()
}

/// One method evacuates.
struct Trial<'s> {
    scene: &'s mut Scene,
    method: MethodName,
    range: MemoryRange,
    evacuation: Evacuation,
    is_done: bool,
    /// Of what programs write.
    generation: u64,
    ticks: Box<Histogram>,
    batch_max: u64,
}

impl<'s> Trial<'s> {
    /// Programs have written all their pages, and the range is closed.
    fn begin(scene: &'s mut Scene, method: MethodName) -> Result<Self, Failure> {
        scene.kernel.machine.checks.set(scene.plan.check);
        let sharers = scene.plan.sharers.iter().copied().max().unwrap_or(1);
        scene.start_sharers(sharers)?;
        scene.tell(Command::Write, 1);
        let range = choice::range(scene)?;
        let evacuation = Evacuation::begin(&mut scene.kernel.core().memory, frames(range));
        let evacuation = evacuation.map_err(|why| Failure::new(format_args!("{why:?}")))?;
        let ticks = Box::new(Histogram::new());
        Ok(Self {
            scene,
            method,
            range,
            evacuation,
            is_done: false,
            generation: 1,
            ticks,
            batch_max: 0,
        })
    }

    /// Evacuates; programs check what they find afterwards, and what they write there.
    fn told(mut self) -> Result<Told, Failure> {
        while !self.is_done {
            self.work(Command::Verify)?;
            self.generation += 1;
            self.work(Command::Write)?;
        }
        self.work(Command::Verify)?;
        let preemptions = self.scene.kernel.tally().preemptions;
        let found = self.evacuation.so_far(&self.scene.kernel.core().memory);
        must_be_all(self.range, &found)?;
        let empty = proof(self.scene, self.range)?;
        let kernel_maps = stay::kernel_maps(self.scene, self.range);
        stay::must_stay(self.scene, self.range, self.generation)?;
        self.scene.kernel.core().memory.frames.open(frames(self.range));
        self.scene.clear()?;
        Ok(self.record(found, empty, kernel_maps, preemptions))
    }

    /// Programs do something; after each slice of one, a batch moves.
    fn work(&mut self, command: Command) -> Result<(), Failure> {
        self.scene.kernel.core().tell_all(command, self.generation);
        while self.scene.kernel.run_one() {
            if !self.is_done {
                self.step()?;
            }
        }
        Ok(())
    }

    fn step(&mut self) -> Result<(), Failure> {
        let kernel = &mut self.scene.kernel;
        let before = self.evacuation.moved();
        let began = clock::now();
        let step = kernel.evacuate_step(&mut self.evacuation);
        let ticks = (clock::now() - began).saturating_sub(kernel.machine.stopwatch.cost());
        let moved = self.evacuation.moved() - before;
        self.ticks.record_per(ticks, moved);
        self.batch_max = self.batch_max.max(if moved > 0 { ticks } else { 0 });
        self.is_done = step.map_err(|why| Failure::new(format_args!("{why:?}")))? != Step::More;
        Ok(())
    }

    fn record(self, found: Evacuated, checked: u64, kernel_maps: u64, preemptions: u64) -> Told {
        let tally = self.scene.kernel.tally();
        Told {
            path: name(below(&self.scene.features)),
            method: name(self.method.name()),
            start: self.range.start,
            end: self.range.end,
            frames: self.range.frames(),
            free: found.free,
            pages: found.pages,
            tables: found.tables,
            roots: found.roots,
            entries: found.entries,
            ticks: self.ticks.ticks(),
            batch_max: self.batch_max,
            kernel_maps,
            checked,
            preemptions,
            verified: tally.verified,
            lost: tally.lost,
        }
    }
}

/// Nothing may be left, unless a range was asked for that holds more than programs' frames; then it is told what is.
pub(super) fn must_be_all(range: MemoryRange, found: &Evacuated) -> Result<(), Failure> {
    match found.first_left {
        None if found.left == 0 => Ok(()),
        Some((frame, why)) => Err(Failure::new(format_args!(
            "{} frames of range {range} stay in use; frame {:#x} {}",
            found.left,
            frame.start_address().as_u64(),
            choice::why(why)
        ))),
        None => Err(Failure::new(format_args!(
            "{} frames moved, and no frame outside range {range} is free for {} more",
            found.moved(),
            found.left
        ))),
    }
}
