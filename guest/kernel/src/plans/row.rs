//! One row: the shared segment is written, evicted batch by batch, brought back and checked, as
//! many rounds as asked; then once more while events are counted instead of ticks.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;

use loadphys_apps::calls::Command;
use loadphys_plan::command_line::MethodName;
use loadphys_plan::histogram::Histogram;
use loadphys_plan::records::{FaultIn, Row, Stages};
use loadphys_plan::work;
use x86_64::structures::paging::PhysFrame;

use crate::kernel::Round;
use crate::measure::clock;
use crate::measure::events::EventCounter;
use crate::measure::report::name;
use crate::measure::stopwatch::STAGES;
use crate::random::Random;
use crate::scene::{Failure, Scene};
use crate::start::{below, rules};

/// A row being measured.
pub struct Measure<'s> {
    scene: &'s mut Scene,
    method: MethodName,
    sharers: u32,
    batch: u32,
    /// Pages evicted for the row, or before it; any other eviction was for want of memory.
    evicted: u64,
    /// By stage; last, all of them.
    ticks: Vec<Histogram>,
    events: Box<EventCounter>,
}

impl<'s> Measure<'s> {
    /// Nothing measured yet.
    pub fn new(scene: &'s mut Scene, method: MethodName, sharers: u32, batch: u32) -> Self {
        let ticks = vec![Histogram::new(); STAGES + 1];
        let events = Box::new(EventCounter::new(scene.features.stub.is_some()));
        let evicted = scene.kernel.tally().evicted;
        Self { scene, method, sharers, batch, evicted, ticks, events }
    }

    /// Measures it.
    ///
    /// # Errors
    /// If a page is lost, the audit finds something, or the row cannot be set up.
    pub fn row(mut self) -> Result<Row, Failure> {
        let before = self.scene.kernel.tally();
        self.scene.kernel.core().fault_in.clear();
        self.scene.start_sharers(self.sharers)?;
        self.scene.start_bystanders(self.spaces())?;
        for round in 1..=self.scene.plan.rounds {
            self.round(round.into(), false)?;
        }
        let fault_in = self.scene.kernel.core().fault_in.ticks();
        self.round(u64::from(self.scene.plan.rounds) + 1, true)?;
        self.scene.audit()?;
        self.scene.clear()?;
        let after = self.scene.kernel.tally();
        let (verified, lost) = (after.verified - before.verified, after.lost - before.lost);
        self.check(verified, lost)?;
        Ok(self.finish(FaultIn { mean: fault_in.mean, p99: fault_in.p99 }, verified, lost))
    }

    /// Spaces that exist meanwhile: those of the sharers, and others if the plan asks for more.
    fn spaces(&self) -> u32 {
        self.scene.plan.spaces.max(self.sharers)
    }

    fn round(&mut self, generation: u64, counting: bool) -> Result<(), Failure> {
        self.scene.tell_first(self.sharers, Command::Write, generation);
        let frames = self.victims();
        self.all_mapped(frames.len())?;
        if counting {
            self.scene.check();
        }
        if self.scene.kernel.cpus() > 1 {
            self.evict_by_all(frames, counting)?;
        } else {
            self.evict_alone(&frames, counting)?;
        }
        self.scene.kernel.machine.checks.set(false);
        self.scene.tell_first(self.sharers, Command::Verify, generation);
        Ok(())
    }

    fn evict_alone(&mut self, frames: &[PhysFrame], counting: bool) -> Result<(), Failure> {
        for victims in frames.chunks(self.batch as usize) {
            if counting {
                self.evict_counted(victims)?;
            } else {
                self.evict_timed(victims)?;
            }
        }
        Ok(())
    }

    /// Programs have just written every page, so every page must be mapped.
    fn all_mapped(&self, mapped: usize) -> Result<(), Failure> {
        let pages = self.scene.plan.pages;
        if mapped == pages as usize {
            return Ok(());
        }
        let why = match self.scene.kernel.tally().evicted == self.evicted {
            true => "the rest was written through stale translations",
            false => "memory is too small for the rest",
        };
        Err(Failure::new(format_args!("programs wrote {pages} pages, {mapped} are mapped: {why}")))
    }

    /// The segment's frames in an order that the seed decides, so that no method profits from
    /// neighbours.
    fn victims(&mut self) -> Vec<PhysFrame> {
        let mut frames = self.scene.shared_frames();
        Random::new(self.scene.plan.seed).shuffle(&mut frames);
        frames
    }

    fn evict_timed(&mut self, victims: &[PhysFrame]) -> Result<(), Failure> {
        let evicted = self.scene.kernel.evict(victims);
        let stages = *self.scene.kernel.machine.stopwatch.ticks();
        let pages = victims.len() as u32;
        for (histogram, ticks) in self.ticks.iter_mut().zip(stages) {
            histogram.record_per(ticks, pages);
        }
        self.ticks[STAGES].record_per(stages.iter().sum(), pages);
        self.all_evicted(evicted.evicted, pages)
    }

    fn evict_counted(&mut self, victims: &[PhysFrame]) -> Result<(), Failure> {
        let kernel = &mut self.scene.kernel;
        self.events.begin(&mut kernel.machine);
        let evicted = kernel.evict(victims);
        self.events.end(&mut kernel.machine, victims.len() as u64);
        self.all_evicted(evicted.evicted, victims.len() as u32)
    }

    /// All CPUs evict at once. What the pages take is then the time from the start to the end of the round, on the boot CPU's
    /// clock; of the stages it is the time on the CPU that each was on.
    fn evict_by_all(&mut self, frames: Vec<PhysFrame>, counting: bool) -> Result<(), Failure> {
        let pages = frames.len() as u32;
        let counter = counting.then(|| EventCounter::new(false));
        let round = Arc::new(Round::new(frames, self.batch as usize, counter));
        let kernel = &mut self.scene.kernel;
        let exits = self.events.exits_so_far(&kernel.machine);
        let began = clock::now();
        kernel.evict_together(&round);
        let ticks = clock::now() - began;
        if counting {
            // The call that reads the counters is an exit of its own, and counts itself.
            let exits = (self.events.exits_so_far(&kernel.machine) - exits).saturating_sub(1);
            self.events.add_exits(exits);
            round.counted().iter().for_each(|counter| self.events.absorb(counter));
        } else {
            self.ticks[STAGES].record_per(ticks, pages);
        }
        for batch in round.batches() {
            let stages = self.ticks[..STAGES].iter_mut().zip(batch.ticks).filter(|_| !counting);
            stages.for_each(|(histogram, ticks)| {
                histogram.record_per(ticks, batch.victims as u32);
            });
            self.all_evicted(batch.evicted.evicted, batch.victims as u32)?;
        }
        Ok(())
    }

    fn all_evicted(&mut self, evicted: u32, wanted: u32) -> Result<(), Failure> {
        self.evicted += u64::from(evicted);
        if evicted == wanted {
            return Ok(());
        }
        Err(Failure::new(format_args!("only {evicted} of {wanted} victims were evicted")))
    }

    /// Every page that a sharer has must have been checked once a round.
    fn check(&self, verified: u64, lost: u64) -> Result<(), Failure> {
        let expected = work::verified(self.sharers, self.scene.plan.pages, self.scene.plan.rounds);
        if (verified, lost) == (expected, 0) {
            return Ok(());
        }
        Err(Failure::new(format_args!(
            "{} with {} sharers and batch {}: {verified} of {expected} pages verified, {lost} lost",
            self.method, self.sharers, self.batch
        )))
    }

    fn finish(self, fault_in: FaultIn, verified: u64, lost: u64) -> Row {
        let [find, edit, flush, write, release, total] =
            [0, 1, 2, 3, 4, 5].map(|i| self.ticks[i].ticks());
        Row {
            path: name(below(&self.scene.features)),
            method: name(self.method.name()),
            rules: name(rules(&self.scene.features)),
            sharers: self.sharers,
            batch: self.batch,
            cpus: self.scene.kernel.cpus() as u32,
            spaces: self.spaces(),
            swap: name(self.scene.plan.swap.name()),
            pages: self.ticks[STAGES].pages(),
            ticks: Stages { total, find, edit, flush, write, release },
            events: self.events.per_page(),
            vm_exits_per_batch_max: self.events.most_exits(),
            fault_in,
            irq_off_max: self.events.longest_masked(),
            verified,
            lost,
        }
    }
}
