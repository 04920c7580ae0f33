//! VT-x is switched on and the guest entered. Only the boot CPU runs it; the others stay as the firmware left them.
#![expect(unsafe_code, reason = "switches VT-x on and enters the guest")]

use core::convert::Infallible;
use core::mem::MaybeUninit;

use loadphys_abi::FRAME_BYTES;
use loadphys_abi::discovery::{ABI_VERSION, Features};
use loadphys_rules::Tables;
use raw_cpuid::cpuid;
use spin::Once;
use x86::vmx::vmcs::{control, guest as guest_fields};

use super::guest::Guest;
use super::memory::Memory;
use super::problem::Problem;
use crate::cpu::{Cpu, Shared, VPID};
use crate::descriptors::Descriptors;
use crate::say::{self, say};
use crate::vmx::capability::Capabilities;
use crate::vmx::controls::Controls;
use crate::vmx::cr0::NE;
use crate::vmx::enter::{self, Registers};
use crate::vmx::vmcs::Vmcs;
use crate::vmx::{guest_state, host_state, msrs, support};

static SHARED: Once<Shared> = Once::new();

/// CR4.VMXE.
const VMXE: u64 = 1 << 13;

/// Runs the guest. It comes back only with a problem.
pub fn run(
    mut memory: Memory,
    capabilities: &Capabilities,
    controls: Controls,
    machine: support::Cpu,
    descriptors: &Descriptors,
    guest: &Guest,
) -> Result<Infallible, Problem> {
    let vmxon = frame(&mut memory, capabilities.revision())?;
    let region = frame(&mut memory, capabilities.revision())?;
    let bitmap = memory.pool.take::<u8>(FRAME_BYTES as usize).ok_or(NO_FRAME)?;
    msrs::fill(bitmap);
    // SAFETY: `support::check` was passed before anything else; the frame is from the pool.
    let on = unsafe { support::vmxon(vmxon, capabilities, machine) };
    on.map_err(|failure| Problem::Vmx("VMXON", failure))?;
    // SAFETY: as above.
    let mut vmcs =
        unsafe { Vmcs::load(region) }.map_err(|failure| Problem::Vmx("VMPTRLD", failure))?;
    let shared = SHARED.call_once(|| shared(&memory, controls, machine, guest));
    write_controls(&mut vmcs, shared, bitmap.as_ptr() as u64);
    host_state::write(&mut vmcs, descriptors);
    guest_state::write(&mut vmcs, guest.entry);
    let place = memory.pool.take::<MaybeUninit<Cpu>>(1).ok_or(NO_FRAME)?;
    let cpu = place[0].write(Cpu::new(vmcs, shared));
    tell(&memory, shared, guest);
    let registers = Registers { rbx: guest.start_info, ..Registers::default() };
    // SAFETY: all fields are written, from what was built for this guest; the EPT maps nothing of the stub.
    let failure = unsafe { enter::run(&registers, cpu) };
    Err(Problem::Vmx("entering the guest", failure))
}

const NO_FRAME: Problem = Problem::NoPlace("the frames of VT-x");

/// A frame that begins with the revision of VMXON regions and VMCSs (section "Format of the VMCS Region").
fn frame(memory: &mut Memory, revision: u32) -> Result<u64, Problem> {
    let frame = memory.pool.take::<u8>(FRAME_BYTES as usize).ok_or(NO_FRAME)?;
    frame[..4].copy_from_slice(&revision.to_le_bytes());
    Ok(frame.as_ptr() as u64)
}

fn shared(memory: &Memory, controls: Controls, machine: support::Cpu, guest: &Guest) -> Shared {
    let tables = Tables::new(memory.frames);
    for region in guest.memory.iter().filter(|region| region.usable) {
        tables.grant(region.start..region.end);
    }
    let alias_shift = memory.alias.as_ref().map(|(_, window)| window.shift());
    let components = cpuid!(0xd, 0);
    let xcr0 = u64::from(components.edx) << 32 | u64::from(components.eax);
    Shared {
        tables,
        alias: memory.alias.as_ref().map(|(alias, _)| *alias),
        features: Features { version: ABI_VERSION, alias_shift, views: 1 },
        controls,
        ept_pointer: memory.ept_pointer,
        xcr0: if machine.xsave { xcr0 } else { 0 },
    }
}

/// Writes all that is neither the guest's state nor the stub's.
fn write_controls(vmcs: &mut Vmcs, shared: &Shared, bitmap: u64) {
    let controls = &shared.controls;
    let fields = [
        (control::PINBASED_EXEC_CONTROLS, u64::from(controls.pin)),
        (control::PRIMARY_PROCBASED_EXEC_CONTROLS, u64::from(controls.primary)),
        (control::SECONDARY_PROCBASED_EXEC_CONTROLS, u64::from(controls.secondary)),
        (control::VMEXIT_CONTROLS, u64::from(controls.exit)),
        (control::VMENTRY_CONTROLS, u64::from(controls.entry)),
        (control::MSR_BITMAPS_ADDR_FULL, bitmap),
        (control::EPTP_FULL, shared.ept_pointer),
        (control::CR0_GUEST_HOST_MASK, NE),
        (control::CR4_GUEST_HOST_MASK, VMXE),
        (control::EXCEPTION_BITMAP, 0),
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
    for (field, value) in fields.into_iter().chain(vpid).chain(xss) {
        // SAFETY: the controls were negotiated, the bitmap and the nested tables are complete and stay.
        unsafe { vmcs.set_any(field, value) };
    }
}

/// What was set up, in a few lines, before COM1 is the guest's too.
fn tell(memory: &Memory, shared: &Shared, guest: &Guest) {
    let (start, end) = (memory.stub.start, memory.stub.end);
    say!("its memory is {start:#x}..{end:#x}, {} KiB", (end - start) >> 10);
    if let Some(base) = shared.features.alias_base() {
        say!("alias at {base:#x}");
    }
    say!("guest entered at {:#x}", guest.entry);
    say::share_with_guest();
}
