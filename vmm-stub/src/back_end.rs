//! What the boot needs of VT-x and of SVM.
#![expect(unsafe_code, reason = "entering a guest has a contract")]

use heapless::Vec;

use crate::cpu::{Cpu, Shared};
use crate::cpuid::Bit;
use crate::descriptors::Descriptors;
use crate::machine::Machine;
use crate::nested::format::Format;
use crate::pool::Pool;
use crate::problem::Problem;
use crate::registers::Registers;
use crate::vcpu::Vcpu;

/// What was chosen, as far as memory and the guest depend on it.
#[derive(Clone, Debug)]
pub struct Abilities {
    /// Nested tables may hold 1 GiB pages.
    pub gib_pages: bool,
    /// There can be views that the guest switches to.
    pub views: bool,
    /// Why there can be no typed rules, if so.
    pub no_typed: Option<&'static str>,
    /// CPUID bits of what the guest cannot be given.
    pub hidden: Vec<Bit, 4>,
}

/// A way to run guests, and how CPUs get there.
pub trait BackEnd: Vcpu {
    /// What people call it.
    const NAME: &'static str;
    /// How nested tables are written down.
    const FORMAT: Format;
    /// Whether the stub has to see what the guest sends by its local APICs ([`crate::apic_page`]), where it has several CPUs.
    const GUARDS_APIC: bool;
    /// Frames that it takes for each CPU, and for all together.
    const CPU_FRAMES: usize;
    const SHARED_FRAMES: usize;

    /// What was chosen, and on what grounds.
    type Chosen;
    /// The same with what all CPUs share.
    type Common: Copy + Send + Sync + 'static;
    /// What one CPU gets from the pool.
    type Parts: Send + 'static;

    /// Sees to it that this CPU can be switched on.
    ///
    /// # Errors
    /// [`Problem`]: it has no such thing, or it is locked.
    fn check() -> Result<(), Problem>;

    /// Chooses how the guest is run on so many CPUs; says what is not there and can be done without.
    ///
    /// # Errors
    /// [`Problem`]: something is not there that is needed.
    fn choose(cpus: usize) -> Result<Self::Chosen, Problem>;

    /// What that comes to.
    fn abilities(chosen: &Self::Chosen) -> Abilities;

    /// Takes what all CPUs share; `None` if there is no room.
    fn share(chosen: Self::Chosen, machine: Machine, pool: &mut Pool) -> Option<Self::Common>;

    /// Takes what one CPU needs; `None` if there is no room.
    fn take(pool: &mut Pool) -> Option<Self::Parts>;

    /// Switches it on, on this CPU, which passed [`BackEnd::check`].
    ///
    /// # Errors
    /// [`Problem`]: it did not work.
    fn switch_on(parts: &mut Self::Parts, common: &Self::Common) -> Result<(), Problem>;

    /// Whether the guest can run on this CPU, which is not the boot CPU and is switched on.
    ///
    /// # Errors
    /// [`Problem`]: why not.
    fn is_good(common: &Self::Common) -> Result<(), Problem>;

    /// Makes the guest's state on this CPU, which is switched on, with all that is not the guest's own.
    ///
    /// # Errors
    /// [`Problem`]: it did not work.
    fn make(
        parts: Self::Parts,
        common: &Self::Common,
        shared: &Shared,
        descriptors: &'static Descriptors,
    ) -> Result<Self, Problem>;

    /// The state in which the guest begins on the boot CPU: 32-bit protected mode without paging, at this address.
    fn begin(&mut self, entry: u32);

    /// The state of a CPU that the guest has not used yet.
    fn unused(cpu: &mut Cpu<Self>);

    /// Runs the guest. It comes back only if that fails.
    ///
    /// # Safety
    /// The state is complete, and the nested tables keep the stub's memory away from the guest.
    unsafe fn run(registers: &Registers, cpu: &mut Cpu<Self>) -> Problem;
}
