//! What is done at each exit.

use crate::registers::Registers;
use crate::svm::{Cpu, code, efer, events, fault, start_up, support};
use crate::vcpu::{Exception, Vcpu};
use crate::{apic_page, calls, emulate, exit_slots, icr, report};

/// Called by the assembly of [`crate::svm::enter`] after every exit.
pub extern "C" fn on_exit(registers: &mut Registers, cpu: &mut Cpu) {
    let code = cpu.vcpu.vmcb.control.exit_code;
    let information = cpu.vcpu.vmcb.control.exit_info[0];
    cpu.counts.exit(exit_slots::slot(code, information));
    cpu.vcpu.entered();
    registers.rax = cpu.vcpu.vmcb.save.rax;
    if code == code::VMMCALL {
        calls::answer(registers, cpu);
        cpu.vcpu.next_instruction();
    } else {
        dispatch(code, registers, cpu);
    }
    if cpu.nmi_held {
        events::deliver_nmi(cpu);
    }
    cpu.vcpu.vmcb.save.rax = registers.rax;
}

#[inline(never)]
fn dispatch(code: u64, registers: &mut Registers, cpu: &mut Cpu) {
    match code {
        code::CPUID => emulate::cpuid(registers, cpu),
        // These exit before the ring is looked at.
        code::XSETBV | code::INVD if cpu.vcpu.vmcb.save.cpl != 0 => {
            cpu.vcpu.raise(Exception::GeneralProtection);
        }
        code::XSETBV => emulate::xsetbv(registers, cpu),
        code::INVD => emulate::invd(cpu),
        code::MSR => on_msr(registers, cpu),
        code::NESTED_PAGE_FAULT => fault::on_nested_fault(registers, cpu),
        code::NMI => {
            events::go_on_delivering(cpu);
            events::on_nmi(cpu);
            start_up::obey(registers, cpu);
        }
        code::IRET => events::on_iret(cpu),
        code::DEBUG => events::on_debug(cpu),
        code::INTERRUPT => events::on_interrupt(cpu),
        code::EXCEPTION..=code::LAST_EXCEPTION => {
            events::on_exception(code - code::EXCEPTION, cpu);
        }
        code::INVLPGA | code::VMRUN | code::VMLOAD..=code::SKINIT => {
            cpu.vcpu.raise(Exception::InvalidOpcode);
        }
        code::SHUTDOWN => report::triple_fault(cpu),
        code::INIT => report::reset(cpu),
        code::INVALID => unexpected(code, "the guest's state cannot be entered", cpu),
        _ => unexpected(code, "an exit that was not expected", cpu),
    }
}

fn unexpected(code: u64, what: &str, cpu: &Cpu) -> ! {
    report::unexpected(cpu, code, cpu.vcpu.vmcb.control.exit_info[0], what)
}

/// Information: 0 for a read, 1 for a write.
fn on_msr(registers: &mut Registers, cpu: &mut Cpu) {
    let writes = cpu.vcpu.vmcb.control.exit_info[0] & 1 != 0;
    match (registers.rcx as u32, writes) {
        (efer::NUMBER, false) => read_efer(registers, cpu),
        (efer::NUMBER, true) => write_efer(registers, cpu),
        (icr::MSR, true) => apic_page::command_by_msr(registers, cpu),
        (_, true) => emulate::wrmsr(registers, cpu),
        (_, false) => cpu.vcpu.raise(Exception::GeneralProtection),
    }
}

fn read_efer(registers: &mut Registers, cpu: &mut Cpu) {
    let value = efer::read(cpu.vcpu.vmcb.save.efer);
    (registers.rax, registers.rdx) = (value & 0xffff_ffff, value >> 32);
    cpu.vcpu.next_instruction();
}

fn write_efer(registers: &Registers, cpu: &mut Cpu) {
    let supported = efer::supported(support::efer_features());
    let save = &mut cpu.vcpu.vmcb.save;
    match efer::write(emulate::operand(registers), save.efer, save.cr0, supported) {
        Some(value) => {
            save.efer = value;
            // What it says of no-execute bits is in the TLB.
            cpu.vcpu.forget_all();
            cpu.vcpu.next_instruction();
        }
        None => cpu.vcpu.raise(Exception::GeneralProtection),
    }
}
