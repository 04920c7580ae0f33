//! SVM is switched on.
#![expect(unsafe_code, reason = "switches SVM on, and makes control blocks of frames")]

use core::arch::asm;

use loadphys_abi::FRAME_BYTES;
use spin::Once;

use crate::back_end::{Abilities, BackEnd};
use crate::cpu::{Life, Shared};
use crate::cpuid;
use crate::descriptors::Descriptors;
use crate::machine::{Machine, msr};
use crate::nested::format::Format;
use crate::pool::Pool;
use crate::problem::Problem;
use crate::registers::Registers;
use crate::say::say;
use crate::svm::nmi::Blocking;
use crate::svm::offer::{self, Offer, Setup};
use crate::svm::vcpu::Svm;
use crate::svm::vmcb::{Vmcb, intercept};
use crate::svm::{Cpu, enter, guest_state, msrs, start_up, support};

/// IA32_PAT.
const PAT: u32 = 0x277;

/// The guest's address-space identifier: 0 is the stub's.
const ASID: u32 = 1;

/// Events and instructions that exit on every CPU.
const EXITING: [intercept::Intercept; 14] = [
    intercept::INIT,
    intercept::CPUID,
    intercept::INVD,
    intercept::INVLPGA,
    intercept::MSRS,
    intercept::SHUTDOWN,
    intercept::VMRUN,
    intercept::VMMCALL,
    intercept::VMLOAD,
    intercept::VMSAVE,
    intercept::STGI,
    intercept::CLGI,
    intercept::SKINIT,
    intercept::XSETBV,
];

/// What the guest is not given: MSRs beyond those that the map knows, and a broadcast of flushes that needs a control.
const HIDDEN: [cpuid::Bit; 2] = [cpuid::SCALABLE_MCA, cpuid::INVLPGB];

/// What was chosen, for all CPUs.
static SETUP: Once<Setup> = Once::new();

/// What is the same on all CPUs.
#[derive(Clone, Copy, Debug)]
pub struct Common {
    offer: Offer,
    machine: Machine,
    setup: &'static Setup,
    msr_map: u64,
}

/// The frames of a CPU: the guest's control block, where VMRUN keeps the stub's state, and where VMSAVE puts the rest of that.
pub struct Parts {
    guest: &'static mut Vmcb,
    saved: &'static mut [u8],
    host: &'static mut [u8],
}

impl BackEnd for Svm {
    const NAME: &'static str = "SVM";
    const FORMAT: Format = Format::Npt;
    const GUARDS_APIC: bool = true;
    const CPU_FRAMES: usize = 3;
    const SHARED_FRAMES: usize = msrs::BYTES / FRAME_BYTES as usize;

    type Chosen = (Offer, Setup);
    type Common = Common;
    type Parts = Parts;

    fn check() -> Result<(), Problem> {
        support::check().map_err(Problem::Svm)
    }

    fn choose(_: usize) -> Result<Self::Chosen, Problem> {
        let offer = support::offer();
        let setup = offer::negotiate(&offer).map_err(Problem::Svm)?;
        for absent in &setup.absent {
            say!("{absent}");
        }
        Ok((offer, setup))
    }

    fn abilities(_: &Self::Chosen) -> Abilities {
        Abilities {
            // The nested walk takes the pages that the stub's own tables take.
            gib_pages: crate::machine::ask().gib_pages,
            views: false,
            no_typed: Some(
                "on AMD's CPUs the walk of a guest's tables counts as writing to them, so they cannot be read-only (but with 'read-only guest page tables', which the stub does not use)",
            ),
            hidden: HIDDEN.into_iter().collect(),
        }
    }

    fn share((offer, setup): Self::Chosen, machine: Machine, pool: &mut Pool) -> Option<Common> {
        let map = pool.take::<u8>(msrs::BYTES)?;
        msrs::fill(map);
        let setup = SETUP.call_once(|| setup);
        Some(Common { offer, machine, setup, msr_map: map.as_ptr() as u64 })
    }

    fn take(pool: &mut Pool) -> Option<Parts> {
        let guest = pool.take::<Vmcb>(1)?.first_mut()?;
        let mut frame = || pool.take::<u8>(FRAME_BYTES as usize);
        Some(Parts { guest, saved: frame()?, host: frame()? })
    }

    fn switch_on(parts: &mut Parts, common: &Common) -> Result<(), Problem> {
        // SAFETY: `check` was passed by this CPU before; the frame is from the pool.
        unsafe { support::switch_on(parts.saved.as_ptr() as u64, common.machine) };
        Ok(())
    }

    fn is_good(common: &Common) -> Result<(), Problem> {
        let alike = support::offer() == common.offer;
        if alike { Ok(()) } else { Err(Problem::OtherCapabilities) }
    }

    fn make(
        parts: Parts,
        common: &Common,
        shared: &Shared,
        _: &'static Descriptors,
    ) -> Result<Self, Problem> {
        let host = parts.host.as_mut_ptr() as u64;
        // SAFETY: SVM is on; the frame is from the pool, mapped at its own address.
        unsafe { asm!("vmsave rax", in("rax") host, options(nostack)) };
        let vmcb = parts.guest;
        for exits in EXITING {
            vmcb.intercept(exits, true);
        }
        vmcb.intercept(intercept::NMI, shared.apics.len() > 1);
        let control = &mut vmcb.control;
        (control.msr_map, control.asid) = (common.msr_map, ASID);
        (control.nested_paging, control.nested_root) = (1, shared.usual.root());
        vmcb.save.pat = msr(PAT);
        let mut svm =
            Self { vmcb, host, setup: common.setup, blocking: Blocking::Open, step: None };
        svm.forget_all();
        Ok(svm)
    }

    fn begin(&mut self, entry: u32) {
        guest_state::write(&mut self.vmcb.save, entry);
    }

    /// It waits in the stub ([`BackEnd::run`]).
    fn unused(_: &mut Cpu) {}

    unsafe fn run(registers: &Registers, cpu: &mut Cpu) -> Problem {
        let started = (cpu.life == Life::WaitsForSipi).then(|| start_up::first(cpu));
        let registers = started.as_ref().unwrap_or(registers);
        // VMRUN loads RAX from the VMCB, not from the CPU (APM volume 2, section 15.5.1, "Basic Operation").
        cpu.vcpu.vmcb.save.rax = registers.rax;
        // SAFETY: the caller's promise.
        unsafe { enter::run(registers, cpu) }
    }
}
