//! What the TLB of this CPU may still hold, and how it is made to forget.
//!
//! What must be forgotten when, and by whom, is [`page_reclaim::shootdown`]'s, which is tested on a model; this file
//! lends it the CPU. What it relies on:
//! - A frame is freed only after [`Tlb::flush`] for every edit that took it away; the proof is
//!   `page_reclaim`'s, this file makes it true. The end of a space is no such edit: it is not loaded, and what is known
//!   of it goes when another space is loaded under its PCID.
//! - INVLPG also drops the paging-structure caches of the current PCID.
#![expect(unsafe_code, reason = "writes CR3")]

use alloc::boxed::Box;
use alloc::vec;

use foreign_access::{Cpu, Operation};
use page_reclaim::shootdown::{
    self, Generation, Generations, Identities, Identity, Loading, Local, Owner, Pcids, Shown,
    UNMEASURED,
};
use x86_64::VirtAddr;
use x86_64::instructions::interrupts;
use x86_64::instructions::tlb::Pcid;
use x86_64::registers::control::{Cr3, Cr3Flags};
use x86_64::structures::paging::PhysFrame;

use crate::methods::VISITS;

pub use page_reclaim::shootdown::MOST_PAGES;

/// Generations: roots whose frame numbers are equal modulo this share one.
const GENERATIONS: usize = 4096;

/// PCIDs of spaces: all but the kernel's and that of visits.
const OWNERS: usize = VISITS as usize - 1;

type Shared = shootdown::Shared<&'static [Generation; GENERATIONS], Box<[Shown]>>;
type Protocol =
    shootdown::Tlb<'static, &'static [Generation; GENERATIONS], Box<[Shown]>, Box<[Owner]>>;

static ALL_GENERATIONS: [Generation; GENERATIONS] = [const { Generation::new() }; GENERATIONS];

static IDENTITIES: Identities = Identities::new();

/// The identity of a new space.
pub fn new_identity() -> Identity {
    IDENTITIES.next()
}

/// The TLB of this CPU.
#[derive(Debug)]
pub struct Tlb {
    has_pcids: bool,
    protocol: Protocol,
    /// Writes of CR3 so far.
    pub root_writes: u64,
}

impl Tlb {
    /// With the kernel's root loaded, under PCID 0.
    pub fn new(has_pcids: bool, kernel: PhysFrame) -> Self {
        let generations = Generations::new(&ALL_GENERATIONS);
        let cpus = vec![Shown::new(kernel)].into_boxed_slice();
        let shared: &Shared = Box::leak(Box::new(Shared::new(generations, cpus, UNMEASURED)));
        let owners = vec![Owner::default(); if has_pcids { OWNERS } else { 0 }];
        let pcids = Pcids::new(owners.into_boxed_slice());
        Self { has_pcids, protocol: Protocol::new(shared, 0, pcids), root_writes: 0 }
    }

    /// The loaded root.
    pub fn loaded(&self) -> PhysFrame {
        self.protocol.loaded()
    }

    /// Notes what operations have made stale.
    #[inline]
    pub fn edited(&mut self, operations: &[Operation]) {
        self.protocol.edited(operations);
    }

    /// Has every CPU forget what was noted.
    #[inline]
    pub fn flush(&mut self, cpu: &impl Cpu) {
        let Self { has_pcids, protocol, root_writes } = self;
        protocol.flush(&mut Here { cpu, has_pcids: *has_pcids, root_writes });
    }

    /// Loads a space.
    ///
    /// # Safety
    /// Its root has the kernel's upper half.
    pub unsafe fn load(&mut self, cpu: &impl Cpu, root: PhysFrame, space: Identity) {
        let Self { has_pcids, protocol, root_writes } = self;
        let mut here = Here { cpu, has_pcids: *has_pcids, root_writes };
        interrupts::without_interrupts(|| protocol.load(root, space, &mut here));
    }

    /// Loads the kernel's root, which every CPU knows.
    pub fn load_kernel(&mut self, cpu: &impl Cpu, root: PhysFrame) {
        let Self { has_pcids, protocol, root_writes } = self;
        let mut here = Here { cpu, has_pcids: *has_pcids, root_writes };
        interrupts::without_interrupts(|| protocol.load_kernel(root, &mut here));
    }
}

/// This CPU, for as long as the protocol needs it.
struct Here<'t, C> {
    cpu: &'t C,
    has_pcids: bool,
    root_writes: &'t mut u64,
}

impl<C: Cpu> Local for Here<'_, C> {
    fn load(&mut self, root: PhysFrame, Loading { pcid, flush }: Loading) {
        let pcid = Pcid::new(pcid).expect("PCIDs have 12 bits");
        // SAFETY: roots have the kernel's upper half, by the promise to `Tlb::load`; bit 63 is set only if nothing of
        // this PCID is stale.
        unsafe {
            match (self.has_pcids, flush) {
                (false, _) => Cr3::write(root, Cr3Flags::empty()),
                (true, true) => Cr3::write_pcid(root, pcid),
                (true, false) => Cr3::write_pcid_no_flush(root, pcid),
            }
        }
        *self.root_writes += 1;
    }

    fn invlpg(&mut self, page: VirtAddr) {
        if cfg!(not(feature = "broken-tlb-flush")) {
            self.cpu.invlpg(page);
        }
    }

    fn flush_loaded(&mut self) {
        let (root, value) = Cr3::read_raw();
        if cfg!(not(feature = "broken-tlb-flush")) {
            // SAFETY: the same root and PCID again; bit 63 is clear, so the PCID is flushed.
            unsafe { Cr3::write_raw(root, value) };
        }
        *self.root_writes += 1;
    }

    fn let_go(&mut self) {
        unreachable!("there is no other CPU to ask");
    }

    fn interrupt(&mut self, cpu: usize) {
        unreachable!("there is no CPU {cpu}");
    }

    fn pause(&mut self) {
        unreachable!("there is no other CPU to wait for");
    }
}
