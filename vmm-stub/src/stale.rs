//! Nested translations that were taken away, and the CPUs that may still remember them.
//!
//! A CPU remembers nested translations until it executes INVEPT itself (SDM volume 3, section "Operations that Invalidate
//! Cached Mappings"). Who takes an entry away does it in this order:
//!
//! 1. The entry is cleared, by one store.
//! 2. The generation grows ([`Team::raise`]).
//! 3. Every CPU that runs code of the guest and has not flushed for this generation gets an NMI ([`Team::ask`]): it leaves
//!    the guest, or, if it was outside, does not enter before it has looked. Then it flushes and says so
//!    ([`Team::catch_up`]).
//! 4. Who took the entry away waits until all of them have said so, or do not run any more ([`Team::wait`]).
//!
//! A CPU that waits catches up in each turn, and nobody waits who holds the lock of the alias, so no two wait for each
//! other. A CPU that begins to run says that first and looks at the generation then; who raises the generation looks at
//! who runs afterwards: one of the two sees the other.
//!
//! An NMI that finds its CPU asked for is taken for the question; every other is the guest's. If the guest's own reaches a
//! CPU in the same moment, while the first is still on its way, the hardware makes one of the two, as it does of two
//! NMIs on bare metal.

use core::hint::spin_loop;
use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Something was taken away, but the CPUs may still remember it.
#[must_use = "what was taken away stays reachable until the flush"]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stale(());

impl Stale {
    /// Said by whoever took it away.
    pub const fn taken_away() -> Self {
        Self(())
    }
}

/// What the others know of a CPU.
#[derive(Debug)]
pub struct Member {
    /// It runs code of the guest, or is about to.
    runs: AtomicBool,
    /// The generation for which it flushed last.
    seen: AtomicU64,
    /// An NMI is on its way to it that is not the guest's.
    asked: AtomicBool,
}

impl Member {
    /// A CPU that does not run.
    pub const fn idle() -> Self {
        Self {
            runs: AtomicBool::new(false),
            seen: AtomicU64::new(0),
            asked: AtomicBool::new(false),
        }
    }
}

/// What a CPU does for [`Team`].
pub trait Machine {
    /// Makes this CPU forget all nested translations.
    fn flush(&mut self);

    /// Sends an NMI to the CPU with this place in the team.
    fn kick(&mut self, cpu: usize);

    /// Comes before each look at what CPUs share. Only a test that lets others go on there does anything.
    fn step(&self) {}
}

/// All CPUs of the guest.
#[derive(Debug)]
pub struct Team<'a> {
    generation: AtomicU64,
    members: &'a [Member],
}

impl<'a> Team<'a> {
    /// A team of CPUs that do not run.
    pub const fn new(members: &'a [Member]) -> Self {
        Self { generation: AtomicU64::new(0), members }
    }

    /// From now on this CPU runs code of the guest.
    pub fn begin(&self, me: usize, machine: &mut impl Machine) {
        machine.step();
        self.members[me].runs.store(true, Ordering::SeqCst);
        self.catch_up(me, machine);
    }

    /// This CPU has left the guest and does not enter before [`Team::begin`].
    pub fn end(&self, me: usize) {
        self.members[me].runs.store(false, Ordering::SeqCst);
    }

    /// Whether an NMI that reached this CPU was a question. If so, [`Team::catch_up`] is due.
    pub fn was_asked(&self, me: usize) -> bool {
        self.members[me].asked.swap(false, Ordering::SeqCst)
    }

    /// Flushes, if anything was taken away since this CPU did so last, and says so.
    pub fn catch_up(&self, me: usize, machine: &mut impl Machine) {
        machine.step();
        let now = self.generation.load(Ordering::SeqCst);
        let seen = &self.members[me].seen;
        if seen.load(Ordering::Relaxed) != now {
            machine.flush();
            machine.step();
            seen.store(now, Ordering::SeqCst);
        }
    }

    /// An entry was taken away: comes back when no CPU uses it any more.
    pub fn withdraw(&self, me: usize, machine: &mut impl Machine) {
        machine.step();
        let generation = self.raise();
        self.ask(me, generation, machine);
        self.wait(me, generation, machine);
    }

    /// Has another CPU leave the guest and look what is wanted of it.
    pub fn summon(&self, cpu: usize, machine: &mut impl Machine) {
        if !self.members[cpu].asked.swap(true, Ordering::SeqCst) {
            machine.kick(cpu);
        }
    }

    /// Begins a generation.
    pub fn raise(&self) -> u64 {
        self.generation.fetch_add(1, Ordering::SeqCst) + 1
    }

    /// Flushes here, and asks all others to.
    pub fn ask(&self, me: usize, generation: u64, machine: &mut impl Machine) {
        self.catch_up(me, machine);
        for cpu in self.others(me) {
            machine.step();
            if self.is_behind(cpu, generation)
                && !self.members[cpu].asked.swap(true, Ordering::SeqCst)
            {
                machine.kick(cpu);
            }
        }
    }

    /// Waits until all others have flushed for this generation.
    pub fn wait(&self, me: usize, generation: u64, machine: &mut impl Machine) {
        for cpu in self.others(me) {
            while self.is_behind(cpu, generation) {
                self.catch_up(me, machine);
                spin_loop();
            }
        }
    }

    fn others(&self, me: usize) -> impl Iterator<Item = usize> + use<> {
        (0..self.members.len()).filter(move |cpu| *cpu != me)
    }

    fn is_behind(&self, cpu: usize, generation: u64) -> bool {
        let member = &self.members[cpu];
        member.runs.load(Ordering::SeqCst) && member.seen.load(Ordering::SeqCst) < generation
    }
}

#[cfg(test)]
mod tests;
