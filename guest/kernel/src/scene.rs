//! What plans have in common: a kernel with programs that take commands, and an audit.

use alloc::boxed::Box;
use alloc::vec;
use alloc::vec::Vec;
use core::fmt::{self, Write};

use loadphys_apps::Program;
use loadphys_apps::calls::Command;
use loadphys_apps::places::{PRIVATE, SHARED};
use loadphys_plan::command_line::{MethodName, Plan};
use loadphys_plan::records::{Name, Record, Sentence, Skipped, counts};
use loadphys_plan::work::PRIVATE_PAGES;
use page_reclaim::audit;
use page_reclaim::tables;
use x86_64::VirtAddr;
use x86_64::structures::paging::PhysFrame;

use crate::cpu::Features;
use crate::interrupts::nmis;
use crate::kernel::{Core, Kernel, Tally, Wanted};
use crate::measure::report::{self, name};
use crate::methods;
use crate::power::sentence;
use crate::start::below;
use crate::stub;

/// Why a plan failed.
#[derive(Debug)]
pub struct Failure(Box<Sentence>);

impl Failure {
    /// In words.
    pub fn new(why: fmt::Arguments<'_>) -> Self {
        Self(Box::new(sentence(why)))
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What is counted of conformance checks: those that passed, those that could not be made; methods under which a missing
/// flush would have shown, and would not; methods tried above 4 GiB.
pub const CONFORMED: [&str; 5] = [
    counts::CONFORMANCE,
    counts::UNTESTED,
    counts::ORACLE_SEES,
    counts::ORACLE_BLIND,
    counts::ABOVE_4GIB,
];

/// A kernel, and what is asked of it.
pub struct Scene {
    /// The kernel.
    pub kernel: Kernel,
    /// What is asked.
    pub plan: Plan,
    /// What the CPU has.
    pub features: Features,
    /// Frames that are free while no program runs.
    free: u32,
    audits: u64,
    /// What conformance checks came to, as [`CONFORMED`] names it.
    conformed: [u64; CONFORMED.len()],
}

impl Scene {
    /// Before the first program.
    pub fn new(kernel: Kernel, plan: Plan, features: Features) -> Self {
        let free = kernel.core().memory.frames.free_count();
        Self { kernel, plan, features, free, audits: 0, conformed: [0; CONFORMED.len()] }
    }

    /// Uses a method from now on.
    ///
    /// # Errors
    /// What this machine lacks for it.
    pub fn choose(&mut self, method: MethodName) -> Result<(), &'static str> {
        self.kernel.choose(method)?;
        self.kernel.core().tally = Tally::default();
        Ok(())
    }

    /// Does something with each method that the plan asks for; what this machine lacks for one is recorded.
    ///
    /// # Errors
    /// What went wrong with one, or that none is here.
    pub fn with_each(
        &mut self,
        mut work: impl FnMut(&mut Self, MethodName) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let mut is_any_here = false;
        for method in methods::asked(&self.plan, &self.features) {
            match self.choose(method) {
                Ok(()) => {
                    work(self, method)?;
                    is_any_here = true;
                }
                Err(why) => report::record(&Record::Skipped(Skipped {
                    path: name(below(&self.features)),
                    method: name(method.name()),
                    reason: sentence(format_args!("{why}")),
                })),
            }
        }
        if is_any_here {
            return Ok(());
        }
        Err(Failure::new(format_args!("no method that was asked for is here")))
    }

    /// Uses the first method that the plan asks for.
    ///
    /// # Errors
    /// What this machine lacks for it.
    pub fn choose_first(&mut self) -> Result<(), Failure> {
        let first = methods::asked(&self.plan, &self.features)[0];
        self.choose(first).map_err(|why| Failure::new(format_args!("{first}: {why}")))
    }

    /// Adds to what conformance checks came to, in the order in which they are counted.
    pub fn count_conformance(&mut self, more: [u64; CONFORMED.len()]) {
        self.conformed.iter_mut().zip(more).for_each(|(count, more)| *count += more);
    }

    /// Starts so many sharers and lets them run until they wait.
    ///
    /// # Errors
    /// If one cannot be started.
    pub fn start_sharers(&mut self, sharers: u32) -> Result<(), Failure> {
        let (program, shared) = (Program::Sharer, self.kernel.core().shared_pages);
        let wanted = Wanted {
            program,
            sharers: sharers.into(),
            shared,
            private: PRIVATE_PAGES,
            route: None,
        };
        for _ in 0..sharers {
            let started = self.kernel.start(wanted);
            started.map_err(|why| Failure::new(format_args!("{why}")))?;
        }
        self.kernel.run();
        Ok(())
    }

    /// Starts programs that touch their own pages and then only wait, until there are so many spaces in all.
    ///
    /// # Errors
    /// If one cannot be started.
    pub fn start_bystanders(&mut self, spaces: u32) -> Result<(), Failure> {
        let first = self.kernel.core().processes.len();
        let wanted =
            Wanted { program: Program::Sharer, sharers: 1, shared: 0, private: 1, route: None };
        for _ in first..spaces as usize {
            let started = self.kernel.start(wanted);
            started.map_err(|why| Failure::new(format_args!("spaces={spaces}: {why}")))?;
        }
        self.kernel.run();
        let mut core = self.kernel.core();
        (first..core.processes.len()).for_each(|number| core.tell(number, Command::Write, 1));
        drop(core);
        self.kernel.run();
        Ok(())
    }

    /// Tells the first so many programs what to do and lets them run until they wait again.
    pub fn tell_first(&mut self, programs: u32, command: Command, generation: u64) {
        let mut core = self.kernel.core();
        (0..programs as usize).for_each(|number| core.tell(number, command, generation));
        drop(core);
        self.kernel.run();
    }

    /// Tells every program what to do and lets all run until they wait again.
    pub fn tell(&mut self, command: Command, generation: u64) {
        self.kernel.core().tell_all(command, generation);
        self.kernel.run();
    }

    /// The frames of the shared segment's pages, by page; a page that is in no frame is left out.
    pub fn shared_frames(&mut self) -> Vec<PhysFrame> {
        self.frames_of(0, self.shared_addresses())
    }

    /// The frames of a program's own pages; a page that is in no frame is left out.
    pub fn private_frames(&mut self, program: usize) -> Vec<PhysFrame> {
        let address = |page| VirtAddr::new(PRIVATE + page * 4096);
        self.frames_of(program, (0..PRIVATE_PAGES as usize).map(|page| address(page as u64)))
    }

    fn frames_of(
        &mut self,
        program: usize,
        pages: impl ExactSizeIterator<Item = VirtAddr>,
    ) -> Vec<PhysFrame> {
        let root = self.kernel.core().processes[program].space.root;
        let machine = &mut self.kernel.machine;
        let mut frames = Vec::with_capacity(pages.len());
        frames.extend(pages.filter_map(|page| tables::find(machine, root, page).ok()?.1.frame()));
        frames
    }

    fn shared_addresses(&self) -> impl ExactSizeIterator<Item = VirtAddr> + use<> {
        (0..self.kernel.core().shared_pages)
            .map(|page| VirtAddr::new(SHARED + u64::from(page) * 4096))
    }

    /// Checks evictions from now on, if the plan asks for it.
    pub fn check(&mut self) {
        self.kernel.machine.checks.set(self.plan.check);
        self.kernel.machine.checks.look(self.shared_addresses());
    }

    /// Ends all programs and their spaces; every frame must come back.
    ///
    /// # Errors
    /// If frames are missing, or the audit finds something.
    pub fn clear(&mut self) -> Result<(), Failure> {
        self.tell(Command::Exit, 0);
        self.kernel.clear();
        self.audit()?;
        let free = self.kernel.core().memory.frames.free_count();
        if free == self.free {
            return Ok(());
        }
        Err(Failure::new(format_args!(
            "{} frames were free before the programs, {free} are after",
            self.free
        )))
    }

    /// Takes frames for the kernel until so few are left; gives them back with [`Self::give_back`].
    pub fn hold_all_but(&mut self, left: u32) -> Vec<PhysFrame> {
        let mut core = self.kernel.core();
        let frames = &mut core.memory.frames;
        let more = frames.free_count().saturating_sub(left);
        (0..more).map_while(|_| frames.take_for_kernel()).collect()
    }

    /// Gives frames back; the lowest of them are taken first then.
    pub fn give_back(&mut self, mut held: Vec<PhysFrame>) {
        let mut core = self.kernel.core();
        held.sort_unstable();
        for frame in held.into_iter().rev() {
            core.memory.frames.give_back(frame).expect("the kernel held it");
        }
    }

    /// Takes frames for the kernel, for good, until so few are left.
    pub fn leave_frames(&mut self, left: u32) {
        let frames = &mut self.kernel.core().memory.frames;
        while frames.free_count() > left && frames.take_for_kernel().is_some() {}
        self.free = frames.free_count();
    }

    /// Walks all tables, independently of the reverse map, and compares.
    ///
    /// # Errors
    /// What is wrong.
    pub fn audit(&mut self) -> Result<(), Failure> {
        let (mut core, machine, room) = self.kernel.parts();
        let Core { memory, processes, .. } = &mut *core;
        let roots: Vec<PhysFrame> = processes.iter().map(|process| process.space.root).collect();
        let mut scratch = vec![0; memory.swap.len()];
        let found = audit(memory, machine, &roots, &mut scratch, room);
        drop(core);
        self.audits += 1;
        found.map(drop).map_err(|wrong| {
            report::count(counts::AUDIT_FAULTS, 1);
            Failure::new(format_args!("the audit found {wrong:?}"))
        })
    }

    /// Exits to the stub since it started, by basic exit reason.
    fn report_exits(&self) {
        if self.features.stub.is_none() {
            return;
        }
        let counters = stub::counters(self.kernel.machine.cpu());
        for (reason, count) in
            counters.by_reason.iter().enumerate().filter(|(_, count)| **count > 0)
        {
            let mut name = Name::new();
            // Two digits fit.
            let _ = write!(name, "exits-reason-{reason}");
            report::count(&name, *count);
        }
    }

    /// What every plan counts, as records, and the verdict on the counts that must be zero.
    ///
    /// # Errors
    /// If a page was lost or a stale translation found.
    pub fn conclude(&self) -> Result<(), Failure> {
        let tally = self.kernel.tally();
        let stale = self.kernel.machine.checks.stale;
        let faults = self.kernel.machine.swap().faults();
        for (name, count) in [
            (counts::AUDITS, self.audits),
            (counts::VERIFIED, tally.verified),
            (counts::LOST, tally.lost),
            (counts::STALE, stale),
            (counts::EVICTED, tally.evicted),
            (counts::FAULTED_IN, tally.faulted_in),
            (counts::PREEMPTIONS, tally.preemptions),
            (counts::FINISHED_PROGRAMS, tally.finished),
            (counts::ENDED_PROGRAMS, tally.ended),
            (counts::ENDED_BY_DEVICE, tally.ended_by_device),
            (counts::DEVICE_FAULTS, faults.refused),
            (counts::CORRUPTED, faults.corrupted),
            (counts::SWAP_FULL_REFUSALS, tally.swap_full),
            (counts::WRITE_FAILURES, tally.write_failed),
            (counts::NMIS, nmis()),
        ] {
            report::count(name, count);
        }
        CONFORMED.iter().zip(self.conformed).for_each(|(name, count)| report::count(name, count));
        self.report_exits();
        if tally.lost + stale == 0 {
            return Ok(());
        }
        Err(Failure::new(format_args!("{} pages lost, {stale} stale translations", tally.lost)))
    }
}
