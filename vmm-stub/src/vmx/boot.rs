//! VT-x is switched on.
#![expect(unsafe_code, reason = "enters VMX operation, and writes the controls")]

use core::sync::atomic::AtomicU8;

use loadphys_abi::FRAME_BYTES;
use spin::Once;
use x86::vmx::vmcs::{control, guest as guest_fields};

use crate::back_end::{Abilities, BackEnd};
use crate::cpu::Shared;
use crate::descriptors::Descriptors;
use crate::machine::{Machine, msr};
use crate::nested::ept;
use crate::nested::format::Format;
use crate::pool::Pool;
use crate::problem::Problem;
use crate::registers::Registers;
use crate::say::say;
use crate::views::Views;
use crate::vmx::capability::Capabilities;
use crate::vmx::controls::{self, Controls};
use crate::vmx::cr0::NE;
use crate::vmx::vcpu::{VPID, Vmx};
use crate::vmx::vmcs::Vmcs;
use crate::vmx::{
    Cpu, apic_guard, enter, events, guest_state, host_state, msrs, start_up, support,
};

/// CR4.VMXE.
const VMXE: u64 = 1 << 13;

/// What VMFUNC may do (section "VM-Function Controls").
const EPTP_SWITCHING: u64 = 1 << 0;

/// What was negotiated, for all CPUs.
static CONTROLS: Once<Controls> = Once::new();

/// What is the same on all CPUs.
#[derive(Clone, Copy, Debug)]
pub struct Common {
    capabilities: Capabilities,
    machine: Machine,
    controls: &'static Controls,
    bitmap: u64,
}

/// The frames of a CPU.
pub struct Parts {
    vmxon: &'static mut [u8],
    vmcs: &'static mut [u8],
}

impl BackEnd for Vmx {
    const NAME: &'static str = "VT-x";
    const FORMAT: Format = Format::Ept;
    const GUARDS_APIC: bool = true;
    const CPU_FRAMES: usize = 2;
    const SHARED_FRAMES: usize = 1;

    type Chosen = (Capabilities, Controls);
    type Common = Common;
    type Parts = Parts;

    fn check() -> Result<(), Problem> {
        support::check().map_err(Problem::NoVmx)
    }

    fn choose(cpus: usize) -> Result<Self::Chosen, Problem> {
        let capabilities = Capabilities::read(msr);
        let controls = controls::negotiate(&capabilities, cpus > 1).map_err(Problem::Control)?;
        for absent in &controls.absent {
            say!("{absent}");
        }
        Ok((capabilities, controls))
    }

    fn abilities((_, controls): &Self::Chosen) -> Abilities {
        let Controls { gib_pages, views, ref hidden, .. } = *controls;
        Abilities { gib_pages, views, no_typed: None, hidden: hidden.clone() }
    }

    fn share(chosen: Self::Chosen, machine: Machine, pool: &mut Pool) -> Option<Common> {
        let bitmap = msrs::bitmap(pool.take::<AtomicU8>(FRAME_BYTES as usize)?);
        let (capabilities, controls) = chosen;
        let controls = CONTROLS.call_once(|| controls);
        Some(Common { capabilities, machine, controls, bitmap: bitmap.as_ptr() as u64 })
    }

    fn take(pool: &mut Pool) -> Option<Parts> {
        let mut frame = || pool.take::<u8>(FRAME_BYTES as usize);
        Some(Parts { vmxon: frame()?, vmcs: frame()? })
    }

    /// (Section "Format of the VMCS Region": the revision comes first, in a VMXON region too.)
    fn switch_on(parts: &mut Parts, common: &Common) -> Result<(), Problem> {
        let own = Capabilities::read(msr);
        for frame in [&mut *parts.vmxon, &mut *parts.vmcs] {
            frame[..4].copy_from_slice(&own.revision().to_le_bytes());
        }
        // SAFETY: `check` was passed by this CPU before; the frame is from the pool.
        let on = unsafe { support::vmxon(parts.vmxon.as_ptr() as u64, &own, common.machine) };
        on.map_err(|failure| Problem::Vmx("VMXON", failure))
    }

    fn is_good(common: &Common) -> Result<(), Problem> {
        match () {
            () if !common.controls.several => Err(Problem::OneCpu),
            () if Capabilities::read(msr) != common.capabilities => Err(Problem::OtherCapabilities),
            () => Ok(()),
        }
    }

    fn make(
        parts: Parts,
        common: &Common,
        shared: &Shared,
        descriptors: &'static Descriptors,
    ) -> Result<Self, Problem> {
        // SAFETY: this CPU is in VMX operation; the frame is from the pool.
        let vmcs = unsafe { Vmcs::load(parts.vmcs.as_ptr() as u64) };
        let mut vmcs = vmcs.map_err(|failure| Problem::Vmx("VMPTRLD", failure))?;
        write_controls(&mut vmcs, shared, common);
        host_state::write(&mut vmcs, descriptors);
        apic_guard::close(shared);
        Ok(Self { vmcs, controls: common.controls, watches_way_back: false })
    }

    fn begin(&mut self, entry: u32) {
        guest_state::write(&mut self.vmcs, entry);
    }

    fn unused(cpu: &mut Cpu) {
        start_up::unused(cpu);
    }

    unsafe fn run(registers: &Registers, cpu: &mut Cpu) -> Problem {
        // None may be left to wait for.
        apic_guard::open_when_all_run(cpu.shared);
        // SAFETY: the caller's promise.
        Problem::Vmx("entering the guest", unsafe { enter::run(registers, cpu) })
    }
}

/// Writes all that is neither the guest's state nor the stub's.
fn write_controls(vmcs: &mut Vmcs, shared: &Shared, common: &Common) {
    let Common { controls, bitmap, .. } = *common;
    let fields = [
        (control::PINBASED_EXEC_CONTROLS, u64::from(controls.pin)),
        (control::PRIMARY_PROCBASED_EXEC_CONTROLS, u64::from(controls.primary)),
        (control::SECONDARY_PROCBASED_EXEC_CONTROLS, u64::from(controls.secondary)),
        (control::VMEXIT_CONTROLS, u64::from(controls.exit)),
        (control::VMENTRY_CONTROLS, u64::from(controls.entry)),
        (control::MSR_BITMAPS_ADDR_FULL, bitmap),
        (control::EPTP_FULL, ept::pointer(shared.usual.root())),
        (control::CR0_GUEST_HOST_MASK, NE),
        (control::CR4_GUEST_HOST_MASK, VMXE),
        (control::EXCEPTION_BITMAP, if controls.views { events::EXITING } else { 0 }),
        (control::PAGE_FAULT_ERR_CODE_MASK, 0),
        (control::PAGE_FAULT_ERR_CODE_MATCH, 0),
        (control::CR3_TARGET_COUNT, 0),
        (control::VMEXIT_MSR_STORE_COUNT, 0),
        (control::VMEXIT_MSR_LOAD_COUNT, 0),
        (control::VMENTRY_MSR_LOAD_COUNT, 0),
        (guest_fields::LINK_PTR_FULL, u64::MAX),
    ];
    let vpid = controls.vpid.then_some((control::VPID, u64::from(VPID)));
    let xss = controls.xsaves.then_some((control::XSS_EXITING_BITMAP_FULL, 0));
    let list = shared.views.as_ref().map(Views::list_address);
    // Without views VMFUNC does nothing at all.
    let functions = list.map_or(0, |_| EPTP_SWITCHING);
    let functions = controls.views.then_some((control::VM_FUNCTION_CONTROLS_FULL, functions));
    let list = list.map(|list| (control::EPTP_LIST_ADDR_FULL, list));
    let optional = [vpid, xss, functions, list];
    for (field, value) in fields.into_iter().chain(optional.into_iter().flatten()) {
        // SAFETY: the controls were negotiated, the bitmap and the nested tables are complete and stay.
        unsafe { vmcs.set_any(field, value) };
    }
}
