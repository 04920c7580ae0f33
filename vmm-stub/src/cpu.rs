//! What the stub keeps for each CPU, and what all CPUs share.

use core::sync::atomic::AtomicU32;

use heapless::Vec;
use loadphys_abi::batch::{Item, MOST_ITEMS};
use loadphys_abi::discovery::Features;
use spin::Mutex;

use crate::counts::Counts;
use crate::cpuid::Bit;
use crate::descriptors::Descriptors;
use crate::nested::alias::Alias;
use crate::order::Order;
use crate::rules::Rules;
use crate::stale::Team;
use crate::tree::Tree;
use crate::views::Views;

/// Stands where a CPU is not the guest's.
pub const NOBODY: u32 = u32::MAX;

/// What does not depend on the CPU.
#[derive(Debug)]
pub struct Shared {
    /// The rules.
    pub rules: Rules,
    /// The alias, if there is one. Who holds the lock registers a table that is kept in the alias and shows it, or releases it
    /// and hides it: when the lock is free the alias shows those tables and nothing else. Nobody waits for other CPUs while
    /// holding it.
    pub alias: Option<Mutex<Alias<'static>>>,
    /// Who must forget what was hidden.
    pub team: Team<'static>,
    /// The numbers of the team's local APICs, or [`NOBODY`].
    pub apics: &'static [AtomicU32],
    /// The page of the local APIC's registers, if the guest may not store there ([`crate::apic_page`]).
    pub apic_page: Option<u64>,
    /// What the guest's CPUs want of each other.
    pub orders: &'static [Order],
    /// What each CPU of the team has counted.
    pub counts: &'static [Counts],
    /// What discovery says.
    pub features: Features,
    /// CPUID bits of what the CPU has and the guest cannot be given.
    pub hidden: Vec<Bit, 4>,
    /// The nested tables of the guest's usual view.
    pub usual: Tree<'static>,
    /// The views besides, if there are any.
    pub views: Option<Views<'static>>,
    /// XCR0 bits that the CPU supports.
    pub xcr0: u64,
}

/// What the guest has made of a CPU.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Life {
    /// Nothing, or it was reset by an INIT: only a SIPI is of interest to it.
    WaitsForSipi,
    /// It runs code of the guest.
    Runs,
}

/// What belongs to one CPU; nobody else touches it.
#[derive(Debug)]
pub struct Cpu<V> {
    /// Its place among the CPUs; 0 is the boot CPU.
    pub number: usize,
    /// What the guest has made of it.
    pub life: Life,
    /// What this CPU's registers point to while the stub runs.
    pub descriptors: &'static Descriptors,
    /// The guest's state on this CPU.
    pub vcpu: V,
    /// What all CPUs share.
    pub shared: &'static Shared,
    /// What was counted on this CPU.
    pub counts: &'static Counts,
    /// An NMI for the guest that could not be delivered yet.
    pub nmi_held: bool,
    /// How many more stray accesses are worth a line.
    pub reports_left: u32,
    /// The copy of a batch, out of the guest's reach.
    pub items: [Item; MOST_ITEMS],
}

impl<V> Cpu<V> {
    /// A CPU that has counted nothing. The guest begins on the boot CPU; it has to start the others.
    pub const fn new(
        number: usize,
        vcpu: V,
        descriptors: &'static Descriptors,
        shared: &'static Shared,
    ) -> Self {
        Self {
            number,
            life: if number == 0 { Life::Runs } else { Life::WaitsForSipi },
            descriptors,
            vcpu,
            shared,
            counts: &shared.counts[number],
            nmi_held: false,
            reports_left: 16,
            items: [Item { entry: 0, action: 0, found: 0, value: 0 }; MOST_ITEMS],
        }
    }
}
