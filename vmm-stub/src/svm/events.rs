//! NMIs come, and are delivered to the guest ([`nmi`]).
#![expect(unsafe_code, reason = "opens the gate for NMIs")]

use core::arch::asm;

use crate::cpu::Life;
use crate::event::{DEBUG, EXCEPTION, NMI, VALID};
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

/// #DB, which exits while the stub single-steps only.
pub fn on_debug(cpu: &mut Cpu) {
    if step::end(&mut cpu.vcpu) {
        cpu.vcpu.vmcb.control.event = VALID | EXCEPTION | DEBUG;
    }
}

/// Delivers the NMI that is held, or sees to it that there is an exit when it can be.
pub fn deliver_nmi(cpu: &mut Cpu) {
    let control = &cpu.vcpu.vmcb.control;
    let (shadow, event) = (control.shadow & 1 != 0, control.event & VALID != 0);
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
