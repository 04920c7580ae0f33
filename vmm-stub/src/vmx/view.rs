//! The view in which the guest is on this CPU, and what it does with VMFUNC that the hardware does not do for it.
//!
//! VMFUNC stores the EPT pointer that it has chosen to the VMCS (section "EPTP Switching"), so each exit finds it there.
#![expect(unsafe_code, reason = "writes the EPT pointer")]

use x86::vmx::vmcs::{control, ro};

use crate::registers::Registers;
use crate::report::{self, Access};
use crate::vcpu::{Exception, Vcpu};
use crate::views::Views;
use crate::views::answers::{Answer, Violation, is_way_back};
use crate::vmx::vmcs::Vmcs;
use crate::vmx::{Cpu, apic_guard, events, touch};

/// Whether the guest is in its usual view.
pub fn is_usual(cpu: &Cpu) -> bool {
    let Some(views) = &cpu.shared.views else { return true };
    cpu.vcpu.vmcs.field(control::EPTP_FULL) == views.usual()
}

/// Lets the guest go on in its usual view.
pub fn back(cpu: &mut Cpu) {
    if let Some(views) = &cpu.shared.views {
        load(&mut cpu.vcpu.vmcs, views.usual());
    }
}

/// Leaves a view that has been taken away, for one in which there is nothing.
pub fn leave_what_is_gone(vmcs: &mut Vmcs, views: &Views<'_>) {
    if !views.is_listed(vmcs.field(control::EPTP_FULL)) {
        load(vmcs, views.nothing());
    }
}

fn load(vmcs: &mut Vmcs, pointer: u64) {
    // SAFETY: the callers name views, whose tables map nothing of the stub and stay where they are.
    unsafe { vmcs.set_any(control::EPTP_FULL, pointer) };
}

/// A VMFUNC that the hardware did not do. Whatever is refused is refused in the usual view.
pub fn on_vmfunc(registers: &Registers, cpu: &mut Cpu) {
    back(cpu);
    let (function, view) = (registers.rax as u32, registers.rcx as u32);
    if cpu.shared.views.is_some() && is_way_back(function, view) {
        return cpu.vcpu.next_instruction();
    }
    cpu.counts.view_strays.add(1);
    cpu.vcpu.raise(Exception::InvalidOpcode);
}

/// The guest touched what its view does not show, or not in this way.
pub fn on_violation(registers: &mut Registers, cpu: &mut Cpu) {
    if touch::settles(cpu) || apic_guard::on_store(registers, cpu) {
        return;
    }
    let violation = Violation {
        usual: is_usual(cpu),
        delivering: events::in_delivery(&cpu.vcpu.vmcs),
        qualification: cpu.vcpu.vmcs.field(ro::EXIT_QUALIFICATION),
    };
    let answer = violation.answer();
    if answer != Answer::DeliverInUsual {
        let address = cpu.vcpu.vmcs.field(ro::GUEST_PHYSICAL_ADDR_FULL);
        report::stray_access(cpu, wanted(violation.qualification), address);
    }
    match answer {
        Answer::Refuse => events::general_protection_at_access(cpu),
        Answer::RefuseInUsual { stray } => {
            back(cpu);
            cpu.counts.view_strays.add(u64::from(stray));
            cpu.vcpu.raise(Exception::GeneralProtection);
        }
        Answer::DeliverInUsual => {
            back(cpu);
            cpu.counts.view_strays.add(1);
            events::deliver_again(&mut cpu.vcpu.vmcs);
        }
    }
}

/// Bits 2:0 of the qualification.
const fn wanted(qualification: u64) -> Access {
    match qualification & 0b111 {
        q if q & 0b100 != 0 => Access::Execute,
        q if q & 0b010 != 0 => Access::Write,
        _ => Access::Read,
    }
}

/// From now on this CPU hears of the way back to the usual view, or does not any more.
pub fn watch_way_back(cpu: &mut Cpu, on: bool) {
    let Some(views) = &cpu.shared.views else { return };
    match (cpu.vcpu.watches_way_back, on) {
        (false, true) => views.close_way_back(),
        (true, false) => views.open_way_back(),
        _ => return,
    }
    cpu.vcpu.watches_way_back = on;
}
