//! INIT and SIPI: how the guest starts and stops its CPUs, through its local APIC as on bare metal.
//!
//! Both exit, and neither changes anything by itself (section "Other Causes of VM Exits"); what they would do is done
//! here. Every CPU but the boot CPU begins in the activity state wait-for-SIPI, so a SIPI starts it, in real mode, and no
//! INIT is needed before the first. An INIT to a CPU that runs puts it back there.
//!
//! To a CPU that waits an INIT is blocked. Bochs 2.7 remembers one, and never forgets an INIT that reached a CPU in the guest,
//! not even when it has made it exit: that CPU cannot be started any more. So until all CPUs have been started no INIT is let
//! go to one that waits ([`apic_guard`]). One that a CPU gets later stays in the way there: it cannot be started again.

use core::sync::atomic::Ordering;

use raw_cpuid::cpuid;
use x86::vmx::vmcs::ro;

use crate::cpu::Life;
use crate::exceptions;
use crate::flush::Caches;
use crate::local_apic::LocalApic;
use crate::registers::Registers;
use crate::report;
use crate::vmx::vmcs::GuestField;
use crate::vmx::{Cpu, apic_guard, guest_state, view};

/// Activity states (section "Guest Non-Register State").
const ACTIVE: u64 = 0;
const WAITS_FOR_SIPI: u64 = 3;

/// The state of a CPU that the guest has not used yet.
pub fn unused(cpu: &mut Cpu) {
    guest_state::write(&mut cpu.vcpu.vmcs, 0);
    become_reset(cpu, 0);
    cpu.vcpu.vmcs.set(GuestField::ACTIVITY, WAITS_FOR_SIPI);
}

/// An INIT. The boot CPU would start its firmware again: to the guest that is a reset of the machine.
pub fn on_init(registers: &mut Registers, cpu: &mut Cpu) {
    if cpu.number == 0 {
        report::reset(cpu);
    }
    cpu.life = Life::WaitsForSipi;
    cpu.shared.orders[cpu.number].wait();
    cpu.shared.team.end(cpu.number);
    if let Some(apic) = LocalApic::of_this_cpu() {
        apic.reset();
    }
    *registers = Registers::default();
    become_reset(cpu, 0);
    cpu.vcpu.vmcs.set(GuestField::ACTIVITY, WAITS_FOR_SIPI);
}

/// A SIPI: its vector is the exit qualification.
pub fn on_sipi(registers: &mut Registers, cpu: &mut Cpu) {
    exceptions::unblock_nmis();
    let vector = cpu.vcpu.vmcs.field(ro::EXIT_QUALIFICATION) as u8;
    // EDX: the CPU's family, model and stepping.
    *registers = Registers { rdx: u64::from(cpuid!(1).eax), ..Registers::default() };
    become_reset(cpu, vector);
    cpu.vcpu.vmcs.set(GuestField::ACTIVITY, ACTIVE);
    cpu.life = Life::Runs;
    cpu.shared.orders[cpu.number].run();
    cpu.shared.team.begin(cpu.number, &mut Caches::of(cpu));
    apic_guard::open_when_all_run(cpu.shared);
}

/// An INIT that the guest sends to a CPU, where the stub sees it: to one that waits it is blocked.
pub fn init(cpu: &Cpu, to: usize) {
    if let (Some(apic), false) = (LocalApic::of_this_cpu(), cpu.shared.orders[to].waits()) {
        apic.init(cpu.shared.apics[to].load(Ordering::Relaxed));
    }
}

/// A SIPI: a CPU that waits for one exits.
pub fn start_up(cpu: &Cpu, to: usize, page: u8) {
    if let Some(apic) = LocalApic::of_this_cpu() {
        apic.start_up(cpu.shared.apics[to].load(Ordering::Relaxed), page);
    }
}

/// All that INIT resets, and where a SIPI starts. Nothing of before is left to be delivered, or in the TLB.
fn become_reset(cpu: &mut Cpu, vector: u8) {
    cpu.nmi_held = false;
    view::watch_way_back(cpu, false);
    view::back(cpu);
    if cpu.vcpu.controls.nmis() {
        cpu.vcpu.vmcs.nmi_window(false);
    }
    guest_state::write_reset(&mut cpu.vcpu.vmcs, vector);
    guest_state::reset_debug_registers();
    cpu.vcpu.forget_own();
}
