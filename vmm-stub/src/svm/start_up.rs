//! INIT and SIPI: how the guest starts and stops its CPUs, through its local APIC as on bare metal.
//!
//! A CPU that does not run code of the guest waits in the stub. What the guest sends is seen where it is sent
//! ([`crate::apic_page`]), noted for the CPU ([`crate::order`]), and the CPU is told by an NMI.
#![expect(unsafe_code, reason = "waits for an NMI, and resets debug registers")]

use core::arch::asm;
use core::arch::naked_asm;

use raw_cpuid::cpuid;

use crate::cpu::Life;
use crate::flush::Caches;
use crate::local_apic::LocalApic;
use crate::registers::Registers;
use crate::svm::nmi::Blocking;
use crate::svm::vmcb::intercept;
use crate::svm::{Cpu, guest_state, step};

/// An INIT that the guest on this CPU sends to a CPU.
pub fn init(cpu: &mut Cpu, to: usize) {
    if cpu.shared.orders[to].init() {
        summon(cpu, to);
    }
}

/// A SIPI.
pub fn start_up(cpu: &mut Cpu, to: usize, page: u8) {
    if cpu.shared.orders[to].start_up(page) {
        summon(cpu, to);
    }
}

/// Has a CPU look at its orders.
pub fn summon(cpu: &mut Cpu, to: usize) {
    cpu.shared.team.summon(to, &mut Caches::of(cpu));
}

/// Looks at the orders of this CPU, which runs. If it is to be reset, it comes back when it was started again.
pub fn obey(registers: &mut Registers, cpu: &mut Cpu) {
    if !cpu.shared.orders[cpu.number].take_reset() {
        return;
    }
    if cpu.number == 0 {
        crate::report::reset(cpu);
    }
    cpu.life = Life::WaitsForSipi;
    cpu.shared.team.end(cpu.number);
    if let Some(apic) = LocalApic::of_this_cpu() {
        apic.reset();
    }
    *registers = wait(cpu);
}

/// Waits for the first time.
pub fn first(cpu: &mut Cpu) -> Registers {
    // SAFETY: NMIs wait until the CPU can take them, as from now on at all times in the stub.
    unsafe { asm!("clgi", options(nomem, nostack)) };
    wait(cpu)
}

/// Waits until this CPU is started; its registers then. GIF is 0.
pub fn wait(cpu: &mut Cpu) -> Registers {
    let page = loop {
        if let Some(page) = cpu.shared.orders[cpu.number].take_start() {
            break page;
        }
        wait_for_nmi();
        if cpu.descriptors.take_nmis() > 0 {
            cpu.shared.team.was_asked(cpu.number);
        }
    };
    become_reset(cpu, page);
    cpu.life = Life::Runs;
    cpu.shared.team.begin(cpu.number, &mut Caches::of(cpu));
    // EDX: the CPU's family, model and stepping.
    Registers { rdx: u64::from(cpuid!(1).eax), ..Registers::default() }
}

/// All that INIT resets, and where a SIPI starts. Nothing of before is left to be delivered, or in the TLB.
fn become_reset(cpu: &mut Cpu, page: u8) {
    cpu.nmi_held = false;
    step::end(&mut cpu.vcpu, false);
    cpu.vcpu.blocking = Blocking::Open;
    cpu.vcpu.vmcb.intercept(intercept::IRET, false);
    guest_state::write_reset(&mut cpu.vcpu.vmcb.save, page);
    (cpu.vcpu.vmcb.control.event, cpu.vcpu.vmcb.control.shadow) = (0, 0);
    cpu.vcpu.forget_all();
    // SAFETY: the stub uses none of them, and its own DR7, which every exit loads, switches all breakpoints off.
    unsafe {
        asm!(
            "mov dr0, {zero}", "mov dr1, {zero}", "mov dr2, {zero}", "mov dr3, {zero}",
            zero = in(reg) 0_u64,
            options(nomem, nostack, preserves_flags),
        );
    }
}

unsafe extern "C" {
    /// From here to [`svm_waited`] an NMI comes back to here, see [`crate::exceptions`].
    pub(crate) fn svm_look_for_nmi();
    pub(crate) fn svm_waited();
}

/// Waits with GIF set until this CPU has counted an NMI, where GS points.
#[unsafe(naked)]
extern "C" fn wait_for_nmi() {
    naked_asm!(
        "stgi",
        ".globl svm_look_for_nmi, svm_waited",
        "svm_look_for_nmi:",
        "cmp dword ptr gs:[0], 0",
        "jne 2f",
        "hlt",
        "svm_waited:",
        "2:",
        "clgi",
        "ret",
    )
}
