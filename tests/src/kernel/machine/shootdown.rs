//! How the CPUs are made to forget: by the protocol that the real kernel uses too.

use foreign_access::{Cpu, Method};
use page_reclaim::shootdown::{
    self, Generation, Generations, Identities, Identity, Loading, Local, Owner, Pcids, Shown,
};
use x86_64::VirtAddr;
use x86_64::structures::paging::PhysFrame;

use super::ModelMachine;
use crate::flushes::{Flushes, Kind};
use crate::kernel::{BOOT_ROOT, CPUS, SPACES};
use crate::model::{Model, NO_FLUSH};

/// Generations; so few that some roots share one.
const GENERATIONS: usize = 16;

/// PCIDs of each CPU beside the kernel's; so few that some spaces share one.
const PCIDS: usize = SPACES - 1;

/// Pages of a space that are forgotten one by one; so few that often all is forgotten.
const ONE_BY_ONE: usize = 1;

/// What the CPUs share.
pub type Protocol = shootdown::Shared<[Generation; GENERATIONS], Vec<Shown>>;

/// One CPU's part.
pub type Tlb<'m> = shootdown::Tlb<'m, [Generation; GENERATIONS], Vec<Shown>, Vec<Owner>>;

/// The protocol among so many CPUs, which have loaded the boot root.
pub fn protocol(cpus: usize) -> Protocol {
    let generations = Generations::new(Default::default());
    let shown = (0..cpus).map(|_| Shown::new(BOOT_ROOT)).collect();
    Protocol::new(generations, shown, ONE_BY_ONE)
}

/// One CPU's part, with PCIDs or without.
pub fn tlb(protocol: &Protocol, cpu: usize, pcids: bool) -> Tlb<'_> {
    let owners = vec![Owner::default(); if pcids { PCIDS } else { 0 }];
    Tlb::new(protocol, cpu, Pcids::new(owners))
}

/// Who the spaces are, and which CPUs know them.
#[derive(Debug, Default)]
pub struct Known {
    identities: Identities,
    spaces: [Option<Identity>; SPACES],
    /// Which spaces each CPU has loaded since they began.
    loaded: [[bool; SPACES]; CPUS],
    /// Broken on purpose: a space is known by its number, as if by its root, and so is the next one with it.
    pub by_number: bool,
}

impl Known {
    /// A new space has this number.
    pub fn renew(&mut self, space: usize) {
        if self.by_number && self.spaces[space].is_some() {
            return;
        }
        self.spaces[space] = Some(self.identities.next());
        self.loaded.iter_mut().for_each(|spaces| spaces[space] = false);
    }

    /// A CPU loads a space; says whether it is the first time.
    fn load(&mut self, cpu: usize, space: usize) -> bool {
        !std::mem::replace(&mut self.loaded[cpu][space], true)
    }
}

impl<C: Cpu, M: Method<C>> ModelMachine<'_, C, M> {
    /// From now on each space is loaded under a PCID, and without a flush where nothing is stale.
    pub fn use_pcids(&mut self) {
        self.tlbs = (0..self.cpus.len()).map(|cpu| tlb(self.protocol, cpu, true)).collect();
    }

    /// Loads a root on a CPU; the method lets go of the old one first.
    ///
    /// # Panics
    /// If the root is about to move: that is against the contract of [`page_reclaim::Machine::leave`].
    pub fn load_root(&mut self, cpu: usize, root: PhysFrame) {
        assert!(!self.is_moving(root), "CPU {cpu} loads {root:?}, which is about to move");
        self.flushes.all_of(Kind::Detach, || self.method.detach(&self.cpus[cpu]));
        let space = self.world.spaces.iter().position(|space| *space == Some(root));
        let is_first = space.is_some_and(|space| self.known.load(cpu, space));
        let identity = space.and_then(|space| self.known.spaces[space]);
        let (tlb, mut here) = self.at(cpu);
        here.is_first = is_first;
        match identity {
            Some(identity) => tlb.load(root, identity, &mut here),
            None => tlb.load_kernel(root, &mut here),
        }
    }

    /// Every CPU that may know what was edited has forgotten it, or will as it loads the space.
    pub(super) fn shoot_down(&mut self) {
        let (tlb, mut here) = self.at(self.current);
        tlb.flush(&mut here);
        self.world.flushes += 1;
    }

    /// The method lets go of foreign roots on every other CPU.
    pub(super) fn others_let_go(&mut self) {
        let (tlb, mut here) = self.at(self.current);
        tlb.let_go(&mut here);
    }
}

impl<'m, C: Cpu, M: Method<C>> ModelMachine<'m, C, M> {
    /// A CPU, and its part of the protocol.
    fn at(&mut self, cpu: usize) -> (&mut Tlb<'m>, Here<'_, C, M>) {
        let Self { model, flushes, protocol, cpus, method, tlbs, .. } = self;
        let here = Here { cpu, model, flushes, protocol, cpus, method, is_first: false };
        (&mut tlbs[cpu], here)
    }
}

/// A CPU, as the protocol sees it.
struct Here<'t, C, M> {
    cpu: usize,
    model: &'t Model<'t>,
    flushes: &'t Flushes,
    protocol: &'t Protocol,
    cpus: &'t [C],
    method: &'t mut M,
    /// Whether it loads a space that it never loaded before.
    is_first: bool,
}

impl<C: Cpu, M: Method<C>> Local for Here<'_, C, M> {
    fn load(&mut self, root: PhysFrame, Loading { pcid, flush }: Loading) {
        let kind = match pcid {
            _ if root == BOOT_ROOT => Kind::KernelLoad,
            // The PCID may have been another space's before.
            1.. if self.is_first => Kind::FirstLoad,
            _ => Kind::RootWrite,
        };
        let flush = flush && self.flushes.asks(kind);
        let register = root.start_address().as_u64() | u64::from(pcid);
        self.model.load_register(self.cpu, register | if flush { 0 } else { NO_FLUSH });
    }

    fn invlpg(&mut self, page: VirtAddr) {
        if self.flushes.asks(Kind::Invlpg) {
            self.model.invlpg(self.cpu, page);
        }
    }

    fn flush_loaded(&mut self) {
        if self.flushes.asks(Kind::RootWrite) {
            let pcid = u64::from(self.model.pcid(self.cpu));
            let root = self.model.root(self.cpu).start_address().as_u64();
            self.model.load_register(self.cpu, root | pcid);
        }
    }

    fn let_go(&mut self) {
        self.method.detach(&self.cpus[self.cpu]);
    }

    fn interrupt(&mut self, cpu: usize) {
        let before = std::mem::replace(&mut self.cpu, cpu);
        self.protocol.answer(cpu, self);
        self.cpu = before;
    }

    fn pause(&mut self) {
        unreachable!("every CPU answers at once");
    }
}
