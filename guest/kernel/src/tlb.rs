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
use alloc::vec::Vec;
use core::sync::atomic::Ordering;

use foreign_access::{Cpu, Operation};
use page_reclaim::shootdown::{
    self, Costs, Generation, Generations, Identities, Identity, Loading, Local, Owner, Pcids,
    Shown, worth_one_by_one,
};
use spin::Once;
use x86_64::VirtAddr;
use x86_64::instructions::interrupts;
use x86_64::instructions::tlb::Pcid;
use x86_64::registers::control::{Cr3, Cr3Flags};
use x86_64::structures::paging::PhysFrame;

use crate::console::log;
use crate::cpu::CpuLocal;
use crate::cpus;
use crate::interrupts::vector;
use crate::measure::flushes;
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

/// What the CPUs share, once they are known.
static SHARED: Once<Shared> = Once::new();

/// Turns of a loop that another CPU may take to acknowledge.
const PATIENCE: u64 = 1 << 28;

/// So many CPUs will take part, all of which have loaded the kernel's root. Measures what flushes cost on this one.
pub fn prepare(cpus: usize, kernel: PhysFrame) {
    SHARED.call_once(|| {
        let most = threshold();
        let generations = Generations::new(&ALL_GENERATIONS);
        let cpus: Vec<Shown> = (0..cpus).map(|_| Shown::new(kernel)).collect();
        Shared::new(generations, cpus.into_boxed_slice(), most)
    });
}

/// Up to how many pages are flushed one by one; it is told.
fn threshold() -> usize {
    let costs = flushes::costs();
    let most = worth_one_by_one(costs);
    match costs {
        Some(Costs { one_page, everything }) => log!(
            "INVLPG takes {one_page} ticks, a full flush {everything}: up to {most} pages one by one"
        ),
        None => log!(
            "a tick is an instruction, and a TLB miss costs none: up to {most} pages are flushed one by one"
        ),
    }
    most
}

fn shared() -> &'static Shared {
    SHARED.get().expect("the CPUs are known before one flushes")
}

/// Does what other CPUs ask of this one; from the handler, or where this CPU waits with interrupts off.
pub fn answer(cpu: usize) {
    shared().answer(cpu, &mut Handler);
}

/// The identity of a new space.
pub fn new_identity() -> Identity {
    IDENTITIES.next()
}

/// The TLB of this CPU.
#[derive(Debug)]
pub struct Tlb {
    has_pcids: bool,
    protocol: Protocol,
    /// What it has done so far.
    pub done: Done,
}

/// What a CPU has done.
#[derive(Clone, Copy, Debug, Default)]
pub struct Done {
    /// Writes of CR3.
    pub root_writes: u64,
    /// Interrupts sent to other CPUs.
    pub ipis: u64,
}

impl Tlb {
    /// Of the CPU with this number, with the kernel's root loaded, under PCID 0.
    pub fn new(number: usize, has_pcids: bool) -> Self {
        let owners = vec![Owner::default(); if has_pcids { OWNERS } else { 0 }];
        let pcids = Pcids::new(owners.into_boxed_slice());
        Self { has_pcids, protocol: Protocol::new(shared(), number, pcids), done: Done::default() }
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
        let Self { has_pcids, protocol, done } = self;
        protocol.flush(&mut Here { cpu, has_pcids: *has_pcids, done, waited: 0 });
    }

    /// Has the methods of all other CPUs let go of foreign roots.
    pub fn let_go(&mut self, cpu: &impl Cpu) {
        let Self { has_pcids, protocol, done } = self;
        protocol.let_go(&mut Here { cpu, has_pcids: *has_pcids, done, waited: 0 });
    }

    /// Loads a space.
    ///
    /// # Safety
    /// Its root has the kernel's upper half.
    pub unsafe fn load(&mut self, cpu: &impl Cpu, root: PhysFrame, space: Identity) {
        self.must_have_flushed_for(root);
        let Self { has_pcids, protocol, done } = self;
        let mut here = Here { cpu, has_pcids: *has_pcids, done, waited: 0 };
        interrupts::without_interrupts(|| protocol.load(root, space, &mut here));
    }

    fn must_have_flushed_for(&self, root: PhysFrame) {
        let waiting = root != self.loaded() && self.protocol.is_waiting();
        assert!(!waiting, "stale translations are flushed before another root is loaded");
    }

    /// Loads the kernel's root, which every CPU knows.
    pub fn load_kernel(&mut self, cpu: &impl Cpu, root: PhysFrame) {
        self.must_have_flushed_for(root);
        let Self { has_pcids, protocol, done } = self;
        let mut here = Here { cpu, has_pcids: *has_pcids, done, waited: 0 };
        interrupts::without_interrupts(|| protocol.load_kernel(root, &mut here));
    }
}

/// This CPU, for as long as the protocol needs it.
struct Here<'t, C> {
    cpu: &'t C,
    has_pcids: bool,
    done: &'t mut Done,
    /// Turns so far in which it waited for another CPU.
    waited: u64,
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
        self.done.root_writes += 1;
    }

    fn invlpg(&mut self, page: VirtAddr) {
        if cfg!(not(feature = "broken-tlb-flush")) {
            self.cpu.invlpg(page);
        }
    }

    fn flush_loaded(&mut self) {
        if cfg!(not(feature = "broken-tlb-flush")) {
            flush_loaded();
        }
        self.done.root_writes += 1;
    }

    fn let_go(&mut self) {
        let_go();
    }

    fn interrupt(&mut self, cpu: usize) {
        self.done.ipis += 1;
        cpus::interrupt(cpu, vector::SHOOTDOWN);
    }

    fn pause(&mut self) {
        self.waited += 1;
        assert!(self.waited < PATIENCE, "another CPU does not acknowledge a flush");
        core::hint::spin_loop();
    }
}

/// This CPU, interrupted by another.
struct Handler;

impl Local for Handler {
    fn load(&mut self, _: PhysFrame, _: Loading) {
        unreachable!("a handler loads no root");
    }

    fn invlpg(&mut self, page: VirtAddr) {
        if cfg!(not(feature = "broken-tlb-flush")) {
            x86_64::instructions::tlb::flush(page);
        }
    }

    fn flush_loaded(&mut self) {
        if cfg!(not(feature = "broken-tlb-flush")) {
            flush_loaded();
        }
    }

    fn let_go(&mut self) {
        let_go();
    }

    fn interrupt(&mut self, _: usize) {
        unreachable!("a handler asks nobody");
    }

    fn pause(&mut self) {
        unreachable!("a handler waits for nobody");
    }
}

/// Writes CR3 as it is, with bit 63 clear, so that all under the PCID is flushed.
fn flush_loaded() {
    let (root, value) = Cr3::read_raw();
    // SAFETY: the same root and PCID again.
    unsafe { Cr3::write_raw(root, value) };
}

/// Spaces end while no other CPU works, and whoever stops working has let go already.
fn let_go() {
    assert!(CpuLocal::here().parked.load(Ordering::Relaxed), "a space ends while this CPU works");
}
