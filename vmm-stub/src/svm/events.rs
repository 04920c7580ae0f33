//! NMIs come, and are delivered to the guest ([`crate::svm::nmi`]).
#![expect(unsafe_code, reason = "opens the gate for NMIs")]

use core::arch::asm;

use crate::cpu::Life;
use crate::event::{DEBUG, DOUBLE_FAULT, EXCEPTION, NMI, PAGE_FAULT, VALID, WITH_ERROR};
use crate::flush::Caches;
use crate::svm::nmi::{Blocking, Due, due};
use crate::svm::step;
use crate::svm::vmcb::intercept;
use crate::svm::{Cpu, start_up};

/// NMIs came while the guest ran: they are taken, and looked at.
pub fn on_nmi(cpu: &mut Cpu) {
    // SAFETY: interrupts are off; what waits is taken by the stub's own handlers, which count NMIs.
    unsafe { asm!("stgi", "nop", "clgi", options(nostack)) };
    let nmis = cpu.descriptors.take_nmis();
    if nmis > 0 {
        came(nmis, cpu);
    }
}

/// One of them is another CPU's question ([`crate::stale`]) or order ([`crate::order`]) if there is one; any other is the
/// guest's.
fn came(nmis: u32, cpu: &mut Cpu) {
    let asked = cpu.shared.team.was_asked(cpu.number);
    if asked {
        cpu.shared.team.catch_up(cpu.number, &mut Caches::of(cpu));
    }
    if nmis > u32::from(asked) && cpu.life == Life::Runs {
        cpu.nmi_held = true;
    }
}

/// IRET, before it is executed.
pub const fn on_iret(cpu: &mut Cpu) {
    cpu.vcpu.vmcb.intercept(intercept::IRET, false);
    cpu.vcpu.blocking = Blocking::AtIret(cpu.vcpu.vmcb.save.rip);
}

/// #DB, which exits while the stub single-steps only: behind the instruction.
pub const fn on_debug(cpu: &mut Cpu) {
    let was_iret = matches!(cpu.vcpu.blocking, Blocking::AtIret(_));
    if step::end(&mut cpu.vcpu, was_iret) {
        cpu.vcpu.vmcb.control.event = VALID | EXCEPTION | DEBUG;
    }
}

/// An interrupt came before the end of the step, or woke the guest from the HLT that it was. It is the guest's, who takes it by
/// the next entry, and the NMI comes first.
pub const fn on_interrupt(cpu: &mut Cpu) {
    step::end(&mut cpu.vcpu, false);
    if let Blocking::AtIret(_) = cpu.vcpu.blocking {
        cpu.vcpu.blocking = Blocking::Open;
    }
}

/// The instruction of a step raised an exception: it is delivered, and the NMI right behind it.
pub const fn on_exception(vector: u64, cpu: &mut Cpu) {
    step::end(&mut cpu.vcpu, false);
    let control = &mut cpu.vcpu.vmcb.control;
    let [error, address] = control.exit_info;
    let with_error = matches!(vector, DOUBLE_FAULT | 10..=PAGE_FAULT | 17 | 21 | 29 | 30);
    control.event = VALID | EXCEPTION | vector;
    if with_error {
        control.event |= WITH_ERROR | error << 32;
    }
    if vector == PAGE_FAULT {
        cpu.vcpu.vmcb.save.cr2 = address;
    }
}

/// An event whose delivery was cut short by the exit is delivered by the next entry, unless another one is.
pub const fn go_on_delivering(cpu: &mut Cpu) {
    let control = &mut cpu.vcpu.vmcb.control;
    if control.in_delivery & VALID != 0 && control.event & VALID == 0 {
        control.event = control.in_delivery;
    }
}

/// Delivers the NMI that is held, or sees to it that there is an exit when it can be.
pub fn deliver_nmi(cpu: &mut Cpu) {
    let control = &cpu.vcpu.vmcb.control;
    let event = control.event & VALID != 0;
    // In 64-bit mode a stack is whole without SS.
    let shadow = control.shadow & 1 != 0 && !cpu.vcpu.is_64_bit();
    match due(cpu.vcpu.blocking, cpu.vcpu.vmcb.save.rip, shadow, event) {
        Due::Now => {
            cpu.nmi_held = false;
            cpu.vcpu.vmcb.control.event = VALID | NMI | 2;
            cpu.vcpu.blocking = Blocking::UntilIret;
            cpu.vcpu.vmcb.intercept(intercept::IRET, true);
        }
        Due::AfterStep => step::begin(&mut cpu.vcpu),
        // An NMI of the stub's waits for the entry and comes right behind the event.
        Due::AfterEvent => start_up::summon(cpu, cpu.number),
        Due::AtIret => {}
    }
}
