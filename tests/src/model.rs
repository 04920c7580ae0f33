//! Physical memory, CPUs with MMUs, and the stub.

mod access;
mod alias;
mod caches;
mod cpu;
mod gate;
mod memory;
mod nested;
mod physical_mode;
mod random;
mod snapshot;
mod stub;
mod typed;
mod views;
mod walker;

use std::cell::{Cell, RefCell};

use foreign_access::Entry;
use loadphys_rules::Tables;
use x86_64::structures::paging::PhysFrame;
use x86_64::{PhysAddr, VirtAddr};

use caches::Caches;
pub use cpu::{ModelCpu, NO_FLUSH, act};
pub use memory::{PhysicalMemory, WORDS};
pub use random::Random;
pub use snapshot::Seen;
pub use stub::ALIAS_BASE;
use stub::Stub;
pub use views::Rights;
use views::Views;

/// Something that must not happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Violation {
    /// A CPU reached a frame through a TLB entry that is older than the frame's last release.
    FreedFrame(VirtAddr, PhysFrame),
    /// The walker took a frame for a table that is none, or is none any more.
    NotATable(VirtAddr, PhysFrame),
    /// The kernel used a stale TLB entry.
    StaleKernelAddress(VirtAddr),
    /// An address that must fault for the kernel may still lead somewhere.
    Stray(VirtAddr),
    /// The kernel's access faulted.
    KernelFault(VirtAddr),
    /// A method reached a frame that is no table, so there is no entry in it.
    NotAnEntry(PhysFrame),
    /// An access to physical memory that does not exist.
    OutsideMemory(u64),
    /// An access to a guest-physical address that the CPU's view does not allow.
    NotInView(u64),
    /// After a batch a CPU still knew a way to a foreign table, by this view.
    KnowsWay(usize),
    /// VMFUNC chose a view that shows nothing.
    NoView(u32),
    /// Another root was loaded, another view entered, or paging turned off, with interrupts on.
    Interruptible(usize),
}

/// An access to virtual memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Access {
    /// What it does.
    pub kind: Kind,
    /// It comes from ring 3.
    pub user: bool,
}

/// What an access does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Loads.
    Load,
    /// Stores, or exchanges.
    Store,
    /// Fetches an instruction.
    Fetch,
}

/// The computer.
#[derive(Debug)]
pub struct Model<'m> {
    /// What lies in its frames.
    pub memory: PhysicalMemory,
    stub: Stub<'m>,
    views: Views,
    /// CR4.PGE of all CPUs.
    global_pages: Cell<bool>,
    /// Whether INVLPG leaves global translations, on all CPUs.
    flawed_invlpg: Cell<bool>,
    cpus: Vec<CpuState>,
    random: Random,
    violations: RefCell<Vec<Violation>>,
}

#[derive(Debug)]
struct CpuState {
    root: Cell<PhysFrame>,
    pcid: Cell<u16>,
    view: Cell<usize>,
    masked: Cell<bool>,
    caches: RefCell<Caches>,
}

impl<'m> Model<'m> {
    /// With so many frames and CPUs; every CPU has loaded `root`. The rules are those of its stub.
    pub fn new(frames: usize, cpus: usize, root: PhysFrame, rules: Tables<'m>, seed: u64) -> Self {
        let cpu = || CpuState {
            root: Cell::new(root),
            pcid: Cell::new(0),
            view: Cell::new(0),
            masked: Cell::new(false),
            caches: RefCell::default(),
        };
        Self {
            memory: PhysicalMemory::new(frames),
            stub: Stub::new(rules),
            views: Views::new(frames),
            global_pages: Cell::new(false),
            flawed_invlpg: Cell::new(false),
            cpus: (0..cpus).map(|_| cpu()).collect(),
            random: Random::new(seed),
            violations: RefCell::default(),
        }
    }

    /// How many CPUs there are.
    pub fn cpus(&self) -> usize {
        self.cpus.len()
    }

    /// The root that a CPU has loaded.
    pub fn root(&self, cpu: usize) -> PhysFrame {
        self.cpus[cpu].root.get()
    }

    /// MOV to CR3 of a root, under PCID 0, with a flush.
    pub fn load_root(&self, cpu: usize, root: PhysFrame) {
        self.load_register(cpu, root.start_address().as_u64());
    }

    /// MOV to CR3: bits 11:0 are the PCID; what is known under it is forgotten unless bit 63 is
    /// set.
    pub fn load_register(&self, cpu: usize, value: u64) {
        let (state, pcid) = (&self.cpus[cpu], (value & 0xfff) as u16);
        let root = PhysAddr::new(value & Entry::FRAME_BITS);
        state.root.set(PhysFrame::containing_address(root));
        state.pcid.set(pcid);
        if value >> 63 == 0 {
            state.caches.borrow_mut().forget(pcid);
        }
        self.speculate_again(cpu);
    }

    /// The PCID of a CPU.
    pub fn pcid(&self, cpu: usize) -> u16 {
        self.cpus[cpu].pcid.get()
    }

    /// Turns interrupts of a CPU off or on; says whether they were off.
    pub fn mask(&self, cpu: usize, masked: bool) -> bool {
        self.cpus[cpu].masked.replace(masked)
    }

    /// Whether interrupts of a CPU are off.
    pub fn is_masked(&self, cpu: usize) -> bool {
        self.cpus[cpu].masked.get()
    }

    /// INVLPG.
    pub fn invlpg(&self, cpu: usize, address: VirtAddr) {
        let mut caches = self.cpus[cpu].caches.borrow_mut();
        match self.flawed_invlpg.get() {
            false => caches.invlpg(self.pcid(cpu), address),
            true => caches.invlpg_but_global(self.pcid(cpu), address),
        }
    }

    /// The kernel's access to this address must fault on a CPU: no table maps it, and nothing is cached of it.
    pub fn must_fault(&self, cpu: usize, address: VirtAddr) {
        let caches = self.cpus[cpu].caches.borrow();
        if self.by_memory(cpu, address).is_some() || caches.knows(self.tag(cpu), address) {
            self.report(Violation::Stray(address));
        }
    }

    /// Turns global pages on or off (CR4.PGE) on every CPU, which forgets everything.
    pub fn set_global_pages(&self, on: bool) {
        self.global_pages.set(on);
        self.cpus.iter().for_each(|cpu| cpu.caches.borrow_mut().forget_all());
    }

    /// From now on INVLPG leaves global translations, as on some CPUs where PCIDs are on.
    pub fn break_invlpg(&self) {
        self.flawed_invlpg.set(true);
    }

    /// Whether there are global pages.
    pub fn has_global_pages(&self) -> bool {
        self.global_pages.get()
    }

    /// Whether something happened that must not.
    pub fn has_violations(&self) -> bool {
        !self.violations.borrow().is_empty()
    }

    /// What must not happen and did; forgets it.
    pub fn take_violations(&self) -> Vec<Violation> {
        self.violations.take()
    }

    /// Records what must not happen.
    fn report(&self, violation: Violation) {
        self.violations.borrow_mut().push(violation);
    }

    /// Changes a word at a host address atomically; gives back what was there.
    fn change_host(&self, address: u64, change: impl FnOnce(u64) -> u64) -> u64 {
        let Some(word) = self.memory.word(address) else {
            self.report(Violation::OutsideMemory(address));
            return 0;
        };
        let found = word.get();
        word.set(change(found));
        found
    }

    /// The entry at a host address, without any side effect.
    fn entry(&self, address: u64) -> Option<Entry> {
        self.memory.word(address).map(|word| Entry(word.get()))
    }
}
