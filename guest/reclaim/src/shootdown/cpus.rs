//! What all CPUs share, and how one answers another.

use x86_64::structures::paging::PhysFrame;

use super::announced::Announced;
use super::atomics::{AtomicU64, Ordering};
use super::generations::{Generation, Generations};
use super::requests::{Kind, Request};
use super::twin::{Twin, is_broken};
use super::{Local, MOST_CPUS};

/// What one CPU shows to the others.
#[derive(Debug)]
pub struct Shown {
    pub(super) announced: Announced,
    /// All edits of the loaded space before this generation have been flushed. Nobody else reads it; it is here, and not
    /// in [`super::Tlb`], so that an interrupt can answer.
    pub(super) flushed_to: AtomicU64,
    /// The CPUs that ask this one for something, a bit each.
    pub(super) asked: AtomicU64,
    pub(super) request: Request,
}

impl Shown {
    /// A CPU that has loaded the kernel's root.
    pub fn new(kernel: PhysFrame) -> Self {
        Self {
            announced: Announced::new(kernel),
            flushed_to: AtomicU64::new(0),
            asked: AtomicU64::new(0),
            request: Request::new(),
        }
    }
}

/// What all CPUs share.
#[derive(Debug)]
pub struct Shared<G, C> {
    pub(super) generations: Generations<G>,
    cpus: C,
    /// So many pages of one space are forgotten one by one; of more, all that is known of it.
    most: usize,
}

impl<G: AsRef<[Generation]>, C: AsRef<[Shown]>> Shared<G, C> {
    /// With these CPUs; up to `most` pages of a space are forgotten one by one
    /// ([`super::worth_one_by_one`] says how many are worth it).
    ///
    /// # Panics
    /// If there are more than [`MOST_CPUS`].
    pub fn new(generations: Generations<G>, cpus: C, most: usize) -> Self {
        assert!(cpus.as_ref().len() <= MOST_CPUS, "at most {MOST_CPUS} CPUs");
        Self { generations, cpus, most }
    }

    #[inline]
    pub(super) fn cpus(&self) -> &[Shown] {
        self.cpus.as_ref()
    }

    /// Does what others ask of a CPU, which is the one that calls, and acknowledges it. To be called when another CPU
    /// interrupts, and wherever a CPU waits for something with interrupts off, or others may wait for it for ever.
    /// It may interrupt itself, but must not interrupt [`super::Tlb::load`]. Says whether there was anything to do.
    ///
    /// Relaxed, then acquire: to look costs no locked instruction while nobody asks; who asks has set its bit after it
    /// wrote down what it asks.
    pub fn answer(&self, me: usize, local: &mut impl Local) -> bool {
        let asked = &self.cpus()[me].asked;
        if asked.load(Ordering::Relaxed) == 0 {
            return false;
        }
        for asker in bits(asked.swap(0, Ordering::Acquire)) {
            let request = &self.cpus()[asker].request;
            if is_broken(Twin::AcknowledgesFirst) {
                request.acknowledge(me);
                self.forget(asker, me, local);
                continue;
            }
            self.forget(asker, me, local);
            request.acknowledge(me);
        }
        true
    }

    /// Asks CPUs for something. Whoever is asked by somebody already has been interrupted, or will be.
    ///
    /// Release: what is asked was written down before.
    pub(super) fn ask(&self, me: usize, kind: Kind, targets: u64, local: &mut impl Local) {
        self.cpus()[me].request.begin(kind, targets);
        for target in bits(targets) {
            if self.cpus()[target].asked.fetch_or(1 << me, Ordering::Release) == 0 {
                local.interrupt(target);
            }
        }
    }

    /// Waits until all have acknowledged; meanwhile others are answered, who may be waiting for this CPU.
    pub(super) fn wait(&self, me: usize, local: &mut impl Local) {
        while !self.cpus()[me].request.is_done() {
            if is_broken(Twin::WaitsWithoutAnswering) || !self.answer(me, local) {
                local.pause();
            }
        }
    }

    /// Does what a CPU asks, on this CPU.
    pub(super) fn forget(&self, asker: usize, me: usize, local: &mut impl Local) {
        let (request, root) = (&self.cpus()[asker].request, self.cpus()[me].announced.loaded());
        match request.kind() {
            Kind::LetGo => local.let_go(),
            // Not counted further than it matters.
            Kind::Pages(count)
                if request.pages_of(root, count).take(self.most + 1).count() <= self.most =>
            {
                request.pages_of(root, count).for_each(|page| local.invlpg(page));
                self.flushed(me, |before| request.flushed_to(me, root, before));
            }
            Kind::Pages(_) | Kind::Everything => {
                // Read before the flush: what is edited meanwhile may be known again.
                let generation = self.generations.now(root);
                local.flush_loaded();
                let late = is_broken(Twin::ClockIsReadAfterTheFlush);
                let generation = if late { self.generations.now(root) } else { generation };
                self.flushed(me, |_| generation);
            }
        }
    }

    /// Relaxed: only this CPU uses the number. If an interrupt answers in between, what it put down may be lost, which
    /// costs a flush too many.
    fn flushed(&self, me: usize, to: impl Fn(u64) -> u64) {
        let flushed_to = &self.cpus()[me].flushed_to;
        flushed_to.store(to(flushed_to.load(Ordering::Relaxed)), Ordering::Relaxed);
    }
}

/// The numbers of the bits that are set.
pub(super) fn bits(mut set: u64) -> impl Iterator<Item = usize> {
    core::iter::from_fn(move || {
        let lowest = set.trailing_zeros();
        set &= set.wrapping_sub(1);
        (lowest < u64::BITS).then_some(lowest as usize)
    })
}
