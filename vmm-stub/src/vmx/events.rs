//! What is delivered to the guest by the next entry (section "VM-Entry Controls for Event Injection").

use x86::vmx::vmcs::ro;

use crate::cpu::{Cpu, Life};
use crate::flush::Caches;
use crate::vmx::report;
use crate::vmx::vmcs::{GuestField, Vmcs};

/// Bits of an event: valid, with error code, type.
const VALID: u64 = 1 << 31;
const WITH_ERROR: u64 = 1 << 11;
const KIND: u64 = 0b111 << 8;
const NMI: u64 = 2 << 8;
const EXCEPTION: u64 = 3 << 8;

/// #UD.
const INVALID_OPCODE: u64 = 6;
/// #DF.
const DOUBLE_FAULT: u64 = 8;
/// #GP.
const GENERAL_PROTECTION: u64 = 13;
/// #PF.
const PAGE_FAULT: u64 = 14;

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
    raise_with_error(vmcs, GENERAL_PROTECTION);
}

/// Raises #GP(0) at an access that may itself have been part of delivering an event: then it becomes what the CPU
/// would make of two faults (section "Interrupt 8 - Double Fault Exception (#DF)").
pub fn general_protection_at_access(cpu: &mut Cpu) {
    let event = cpu.vmcs.field(ro::IDT_VECTORING_INFO);
    let vector = event & 0xff;
    let in_exception = event & VALID != 0 && event & KIND == EXCEPTION;
    match vector {
        DOUBLE_FAULT if in_exception => report::triple_fault(cpu),
        0 | 10..=GENERAL_PROTECTION | PAGE_FAULT if in_exception => {
            raise_with_error(&mut cpu.vmcs, DOUBLE_FAULT);
        }
        _ => raise_with_error(&mut cpu.vmcs, GENERAL_PROTECTION),
    }
}

/// Raises an exception with error code 0; in real mode there are none.
fn raise_with_error(vmcs: &mut Vmcs, vector: u64) {
    let protected = vmcs.get(GuestField::CR0) & 1 != 0;
    let with_error = if protected { WITH_ERROR } else { 0 };
    vmcs.set(GuestField::EVENT_ERROR, 0);
    vmcs.set(GuestField::EVENT, VALID | EXCEPTION | with_error | vector);
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
        team.catch_up(cpu.number, &mut Caches { shared: cpu.shared });
    }
    if nmis > u32::from(asked) && cpu.life == Life::Runs {
        cpu.nmi_held = true;
    }
}

/// Delivers an NMI that is held, if the guest can take it now; else as soon as it can where that makes an exit, or after
/// a later one.
pub fn deliver_nmi(cpu: &mut Cpu) {
    let several = cpu.shared.controls.several;
    let vmcs = &mut cpu.vmcs;
    let blocked = vmcs.get(GuestField::INTERRUPTIBILITY) & NO_NMI_NOW != 0;
    let taken = vmcs.get(GuestField::EVENT) & VALID != 0;
    if cpu.nmi_held && !blocked && !taken {
        vmcs.set(GuestField::EVENT, VALID | NMI | 2);
        cpu.nmi_held = false;
    } else if cpu.nmi_held && several {
        vmcs.nmi_window(true);
    }
}
