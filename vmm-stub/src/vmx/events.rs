//! What is delivered to the guest by the next entry (section "VM-Entry Controls for Event Injection").

use x86::vmx::vmcs::ro;

use crate::cpu::Life;
use crate::event::{
    self, DEBUG, DOUBLE_FAULT, EXCEPTION, GENERAL_PROTECTION, INVALID_OPCODE, KIND, NMI, Outcome,
    SOFTWARE_INTERRUPT, VALID, VECTOR, WITH_ERROR,
};
use crate::exceptions;
use crate::flush::Caches;
use crate::report;
use crate::views::answers::{self, Due, Event};
use crate::vmx::vmcs::{GuestField, Vmcs};
use crate::vmx::{Cpu, view};

/// #MC.
const MACHINE_CHECK: u64 = 18;

/// The exceptions that exit where there are views: what handles a machine check can be executed in the usual one only.
pub const EXITING: u64 = 1 << MACHINE_CHECK;

/// Blocking (section "Guest Non-Register State"), which STI and MOV SS leave for one instruction.
pub const BY_STI_OR_MOV_SS: u64 = 0b11;
/// Blocking by SMI.
pub const BY_SMI: u64 = 0b100;
/// Blocking by NMI, until IRET.
const BY_NMI: u64 = 0b1000;

/// What keeps an NMI from being delivered.
const NO_NMI_NOW: u64 = BY_STI_OR_MOV_SS | BY_NMI;

/// Exits outside of SMM save blocking by SMI as 0 (section "Saving Non-Register State"), and no entry takes 1. Bochs 2.7
/// saves 1 on every CPU that has waited for a SIPI.
pub fn outside_of_smm(vmcs: &mut Vmcs) {
    let blocking = vmcs.get(GuestField::INTERRUPTIBILITY);
    if blocking & BY_SMI != 0 {
        vmcs.set(GuestField::INTERRUPTIBILITY, blocking & !BY_SMI);
    }
}

/// Raises #UD at the instruction that exited.
pub fn invalid_opcode(vmcs: &mut Vmcs) {
    vmcs.set(GuestField::EVENT, VALID | EXCEPTION | INVALID_OPCODE);
}

/// Raises #GP(0) at the instruction that exited.
pub fn general_protection(vmcs: &mut Vmcs) {
    raise_with_error(vmcs, GENERAL_PROTECTION, 0);
}

/// Whether the exit came while an event was being delivered.
pub fn in_delivery(vmcs: &Vmcs) -> bool {
    vmcs.field(ro::IDT_VECTORING_INFO) & VALID != 0
}

/// Delivers the event once more that was being delivered.
pub fn deliver_again(vmcs: &mut Vmcs) {
    let event = vmcs.field(ro::IDT_VECTORING_INFO) & (VALID | WITH_ERROR | KIND | VECTOR);
    vmcs.set(GuestField::EVENT_ERROR, vmcs.field(ro::IDT_VECTORING_ERR_CODE));
    vmcs.set(GuestField::EVENT_LENGTH, vmcs.field(ro::VMEXIT_INSTRUCTION_LEN));
    vmcs.set(GuestField::EVENT, event);
}

/// The guest tries again what exited at an access: an event that was being delivered is so anew, and an IRET that had ended the
/// blocking of NMIs already has not done so yet.
pub fn try_again(vmcs: &mut Vmcs, qualification: u64) {
    const UNBLOCKED_NMIS: u64 = 1 << 12;
    let blocking = vmcs.get(GuestField::INTERRUPTIBILITY);
    if !in_delivery(vmcs) {
        if qualification & UNBLOCKED_NMIS != 0 {
            vmcs.set(GuestField::INTERRUPTIBILITY, blocking | BY_NMI);
        }
        return;
    }
    if vmcs.field(ro::IDT_VECTORING_INFO) & KIND == NMI {
        // Its delivery blocks others; it would not be delivered while they are blocked.
        vmcs.set(GuestField::INTERRUPTIBILITY, blocking & !BY_NMI);
    }
    deliver_again(vmcs);
}

/// An NMI or a machine check came while the guest ran.
pub fn on_event(cpu: &mut Cpu) {
    match answers::event(cpu.vcpu.vmcs.field(ro::VMEXIT_INTERRUPTION_INFO)) {
        Event::Nmi => {
            exceptions::unblock_nmis();
            nmis_came(1, cpu);
        }
        Event::MachineCheck => {
            view::back(cpu);
            cpu.vcpu.vmcs.set(GuestField::EVENT, VALID | EXCEPTION | MACHINE_CHECK);
        }
    }
}

/// Raises #GP(0) at an access that may itself have been part of delivering an event.
pub fn general_protection_at_access(cpu: &mut Cpu) {
    raise_in_delivery(GENERAL_PROTECTION, 0, cpu);
}

/// Raises an exception; if an event was being delivered, what the CPU makes of the two.
pub fn raise_in_delivery(vector: u64, error: u32, cpu: &mut Cpu) {
    match event::exception_in(vector, cpu.vcpu.vmcs.field(ro::IDT_VECTORING_INFO)) {
        Outcome::Itself => raise_with_error(&mut cpu.vcpu.vmcs, vector, error),
        Outcome::DoubleFault => raise_with_error(&mut cpu.vcpu.vmcs, DOUBLE_FAULT, 0),
        Outcome::Shutdown => report::triple_fault(cpu),
    }
}

/// Raises an exception with an error code.
fn raise_with_error(vmcs: &mut Vmcs, vector: u64, error: u32) {
    let protected = vmcs.get(GuestField::CR0) & 1 != 0;
    vmcs.set(GuestField::EVENT_ERROR, u64::from(error));
    vmcs.set(GuestField::EVENT, event::with_error(vector, protected));
}

/// Raises #DB, for which the registers say why.
pub fn debug(vmcs: &mut Vmcs) {
    vmcs.set(GuestField::EVENT, VALID | EXCEPTION | DEBUG);
}

/// An event that was being delivered when the exit came.
#[derive(Clone, Copy, Debug)]
pub struct Delivered {
    /// Its error code.
    pub error: Option<u32>,
    /// It is an NMI.
    pub nmi: bool,
    /// An instruction makes it: INT n, INT1, INT3, INTO (types 4 to 6 of section "Information for VM Exits That Occur During
    /// Event Delivery").
    pub by_instruction: bool,
}

/// That event.
pub fn delivered(vmcs: &Vmcs) -> Option<Delivered> {
    let event = vmcs.field(ro::IDT_VECTORING_INFO);
    let error = || vmcs.field(ro::IDT_VECTORING_ERR_CODE) as u32;
    (event & VALID != 0).then(|| Delivered {
        error: (event & WITH_ERROR != 0).then(error),
        nmi: event & KIND == NMI,
        by_instruction: event & KIND >= SOFTWARE_INTERRUPT,
    })
}

/// What blocks events in a task that was entered: an NMI blocks others, IRET ends that.
pub fn task_entered(vmcs: &mut Vmcs, by_iret: bool) {
    let nmi = delivered(vmcs).is_some_and(|event| event.nmi);
    let over = BY_STI_OR_MOV_SS | if by_iret { BY_NMI } else { 0 };
    let blocking = vmcs.get(GuestField::INTERRUPTIBILITY) & !over;
    vmcs.set(GuestField::INTERRUPTIBILITY, blocking | if nmi { BY_NMI } else { 0 });
}

/// NMIs came while the stub ran.
pub extern "C" fn on_nmi(cpu: &mut Cpu) {
    let nmis = cpu.descriptors.take_nmis();
    if nmis > 0 {
        nmis_came(nmis, cpu);
    }
    deliver_nmi(cpu);
}

/// NMIs came, here or in the guest. One of them is another CPU's question ([`crate::stale`]) if there is one; any other
/// is the guest's, unless the guest has not started this CPU.
pub fn nmis_came(nmis: u32, cpu: &mut Cpu) {
    let team = &cpu.shared.team;
    let asked = team.was_asked(cpu.number);
    if asked {
        team.catch_up(cpu.number, &mut Caches::of(cpu));
    }
    if nmis > u32::from(asked) && cpu.life == Life::Runs {
        let waits = !cpu.nmi_held && !view::is_usual(cpu);
        cpu.counts.nmis_held.add(u64::from(waits));
        cpu.nmi_held = true;
    }
}

/// Delivers an NMI that is held, if the guest can take it now; else as soon as it can where that makes an exit, or after
/// a later one.
pub fn deliver_nmi(cpu: &mut Cpu) {
    if !cpu.nmi_held {
        return;
    }
    let blocked = cpu.vcpu.vmcs.get(GuestField::INTERRUPTIBILITY) & NO_NMI_NOW != 0;
    let taken = cpu.vcpu.vmcs.get(GuestField::EVENT) & VALID != 0;
    let nmis_exit = cpu.vcpu.controls.nmis();
    let due = answers::nmi_due(view::is_usual(cpu), !blocked && !taken, nmis_exit);
    view::watch_way_back(cpu, due == Due::BackInUsual);
    match due {
        Due::Now => {
            cpu.vcpu.vmcs.set(GuestField::EVENT, VALID | NMI | 2);
            cpu.nmi_held = false;
        }
        Due::AtWindow => cpu.vcpu.vmcs.nmi_window(true),
        Due::BackInUsual | Due::Later => {}
    }
}
