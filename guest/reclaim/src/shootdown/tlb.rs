//! One CPU's part of the protocol.

use foreign_access::Operation;
use x86_64::structures::paging::PhysFrame;

use super::Local;
use super::atomics::Ordering;
use super::cpus::{Shared, Shown};
use super::generations::Generation;
use super::pcids::{Identity, KERNELS, Loading, Owner, Pcids};
use super::requests::Kind;
use super::round::Round;

/// The TLB of one CPU: what is loaded, under which PCIDs something may be known, what was edited and not flushed yet.
#[derive(Debug)]
pub struct Tlb<'s, G, C, P> {
    shared: &'s Shared<G, C>,
    me: usize,
    pcids: Pcids<P>,
    /// `None` for the kernel's root.
    space: Option<Identity>,
    round: Round,
}

impl<'s, G, C, P> Tlb<'s, G, C, P>
where
    G: AsRef<[Generation]>,
    C: AsRef<[Shown]>,
    P: AsMut<[Owner]>,
{
    /// That of the CPU with this number, which has loaded the kernel's root; each number is given once.
    pub fn new(shared: &'s Shared<G, C>, me: usize, pcids: Pcids<P>) -> Self {
        Self { shared, me, pcids, space: None, round: Round::new() }
    }

    /// The loaded root.
    #[inline]
    pub fn loaded(&self) -> PhysFrame {
        self.shown().announced.loaded()
    }

    /// Loads a space, unless it is loaded. Interrupts must be off: one that [answers](Shared::answer) in between might
    /// flush under the one PCID what is stale under the other.
    ///
    /// Relaxed: only this CPU uses the number.
    pub fn load(&mut self, root: PhysFrame, space: Identity, local: &mut impl Local) {
        if self.space == Some(space) {
            return;
        }
        self.leave();
        self.shown().announced.about_to_load(root);
        let generation = self.shared.generations.now(root);
        let loading = self.pcids.load(space, generation);
        self.shown().flushed_to.store(generation, Ordering::Relaxed);
        self.space = Some(space);
        local.load(root, loading);
        self.shown().announced.now_loaded(root);
    }

    /// Loads the kernel's root, unless it is loaded. Nothing of a program is mapped there: nobody will ask this CPU to
    /// flush. Interrupts must be off.
    pub fn load_kernel(&mut self, root: PhysFrame, local: &mut impl Local) {
        if self.space.is_none() {
            return;
        }
        self.leave();
        self.shown().announced.about_to_load(root);
        local.load(root, Loading { pcid: KERNELS, flush: true });
        self.shown().announced.now_loaded(root);
    }

    /// Whether edits of what this CPU uses wait for their flush. Then it must load no other root: the generation would see to
    /// what is stale, but whoever edited has forgotten to flush.
    pub const fn is_waiting(&self) -> bool {
        self.round.concerns(self.me)
    }

    /// Operations were done: notes what they made stale, here and elsewhere.
    #[inline]
    pub fn edited(&mut self, operations: &[Operation]) {
        self.round.edited(self.me, self.shared, operations);
    }

    /// Flushes what was noted: every CPU that may be using it has forgotten it, and every other flushes when it loads it
    /// next.
    pub fn flush(&mut self, local: &mut impl Local) {
        let (kind, concerned) = self.round.end(&self.shown().request, &self.shared.generations);
        if concerned == 0 {
            return;
        }
        let mine = 1 << self.me;
        self.shared.ask(self.me, kind, concerned & !mine, local);
        if concerned & mine != 0 {
            self.shared.forget(self.me, self.me, local);
        }
        self.shared.wait(self.me, local);
    }

    /// Has the methods of all other CPUs let go of foreign roots.
    pub fn let_go(&mut self, local: &mut impl Local) {
        let all = self.shared.cpus().len();
        let others = (0..all).filter(|cpu| *cpu != self.me).fold(0, |set, cpu| set | 1 << cpu);
        self.shared.ask(self.me, Kind::LetGo, others, local);
        self.shared.wait(self.me, local);
    }

    /// Does what other CPUs ask of this one ([`Shared::answer`]).
    pub fn answer(&self, local: &mut impl Local) -> bool {
        self.shared.answer(self.me, local)
    }

    /// Keeps in mind what has been flushed of the loaded space.
    fn leave(&mut self) {
        if let Some(space) = self.space.take() {
            let generation = self.shown().flushed_to.load(Ordering::Relaxed);
            self.pcids.leave(space, generation);
        }
    }

    #[inline]
    fn shown(&self) -> &'s Shown {
        &self.shared.cpus()[self.me]
    }
}
