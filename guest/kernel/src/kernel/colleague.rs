//! What the kernel of any CPU is made of.
#![expect(unsafe_code, reason = "gives each CPU its window")]

use loadphys_abi::discovery::RuleSet;
use loadphys_plan::command_line::MethodName;
use x86_64::structures::paging::PhysFrame;

use super::team::Worker;
use super::{Kernel, Shared, nothing};
use crate::areas::Estate;
use crate::checks::Checks;
use crate::cpu::Features;
use crate::machine::{Machine, hardware};
use crate::methods::{self, Reach, kernel_window};
use crate::roots::Roots;
use crate::stub;
use crate::swap::Swap;
use crate::timer::Timer;
use crate::tlb::{self, Tlb};
use crate::window::Window;

/// What CPUs that work together have in common.
#[derive(Clone)]
pub struct Colleague {
    shared: &'static Shared,
    roots: &'static Roots,
    swap: Swap,
    features: Features,
    timer: Timer,
}

impl Colleague {
    /// Takes the estate over, for so many CPUs. This is the boot CPU.
    pub fn first(
        estate: Estate,
        features: &Features,
        timer: Timer,
        shared_pages: u32,
        cpus: usize,
    ) -> Self {
        tlb::prepare(cpus, estate.root);
        let mut window = window(&estate.reach, 0);
        let rules = features.rules();
        let preset = rules == RuleSet::TypedPreset;
        let roots = Roots::read(&hardware(0), &mut window, estate.root, estate.reach, preset);
        if rules != RuleSet::Tables {
            roots.open_tables().for_each(|table| stub::open(&hardware(0), table));
        }
        let shared = Shared::keep(estate.memory, shared_pages);
        Self { shared, roots, swap: estate.swap, features: features.clone(), timer }
    }

    /// The kernel of the CPU that runs this, which has this number; each is made once.
    pub fn kernel(&self, number: usize) -> Kernel {
        let tlb = Tlb::new(number, self.features.pcid);
        let (window, checks) =
            (window(self.roots.reach(), number), Checks::new(self.features.smap));
        Kernel {
            shared: self.shared,
            machine: Machine::new(number, self.roots, tlb, window, self.swap, checks),
            room: alloc::vec![nothing(); super::ROOM].into_boxed_slice(),
            pages: alloc::vec![page_reclaim::Write::NOTHING; super::TOGETHER].into_boxed_slice(),
            timer: self.timer,
            others: 0,
            method: MethodName::Recursive,
            number,
            colleague: self.clone(),
        }
    }

    /// The kernel's root.
    pub fn root(&self) -> PhysFrame {
        self.roots.kernel()
    }

    /// Another CPU, which runs this and has this number.
    pub fn worker(&self, number: usize) -> Worker {
        Worker::new(self.kernel(number))
    }

    /// A method for a CPU.
    ///
    /// # Errors
    /// What this machine lacks for it.
    pub(super) fn method(
        &self,
        name: MethodName,
        cpu: usize,
    ) -> Result<foreign_access::methods::AnyMethod<'static>, &'static str> {
        methods::make(name, cpu, &self.features, self.roots.reach())
    }
}

/// The window of the kernel on a CPU.
fn window(reach: &Reach, cpu: usize) -> Window {
    let windows = reach.windows.expect("windows are made at boot");
    // SAFETY: each CPU has its own, and `Colleague::first` is done with the boot CPU's when its kernel is made.
    unsafe { Window::new(windows, kernel_window(cpu)) }
}
