//! What is done at each exit (SDM volume 3, appendix C "VMX Basic Exit Reasons").

use x86::vmx::vmcs::ro;

use crate::guest_walk::can_be_loaded;
use crate::registers::Registers;
use crate::vcpu::{Exception, Vcpu};
use crate::vmx::vmcs::GuestField;
use crate::vmx::{Cpu, cr0, events, start_up, support, task, view};
use crate::{apic_page, calls, emulate, icr, report};

/// Basic exit reasons.
mod reason {
    pub const EXCEPTION_OR_NMI: u64 = 0;
    pub const TRIPLE_FAULT: u64 = 2;
    pub const INIT: u64 = 3;
    pub const SIPI: u64 = 4;
    pub const NMI_WINDOW: u64 = 8;
    pub const TASK_SWITCH: u64 = 9;
    pub const CPUID: u64 = 10;
    pub const GETSEC: u64 = 11;
    pub const INVD: u64 = 13;
    pub const VMCALL: u64 = 18;
    pub const VMCLEAR: u64 = 19;
    pub const VMXON: u64 = 27;
    pub const CR_ACCESS: u64 = 28;
    pub const RDMSR: u64 = 31;
    pub const WRMSR: u64 = 32;
    pub const INVALID_GUEST_STATE: u64 = 33;
    pub const MACHINE_CHECK_AT_ENTRY: u64 = 41;
    pub const EPT_VIOLATION: u64 = 48;
    pub const EPT_MISCONFIGURATION: u64 = 49;
    pub const INVEPT: u64 = 50;
    pub const INVVPID: u64 = 53;
    pub const XSETBV: u64 = 55;
    pub const VMFUNC: u64 = 59;
}

/// Called by the assembly of [`crate::vmx::enter`] after every exit.
pub extern "C" fn on_exit(registers: &mut Registers, cpu: &mut Cpu) {
    let reason = cpu.vcpu.vmcs.field(ro::EXIT_REASON);
    cpu.counts.exit((reason & 0xffff) as usize);
    if reason == reason::VMCALL {
        calls::answer(registers, cpu);
        cpu.vcpu.next_instruction();
    } else {
        dispatch(reason, registers, cpu);
    }
    if cpu.nmi_held {
        events::deliver_nmi(cpu);
    }
}

#[inline(never)]
fn dispatch(reason: u64, registers: &mut Registers, cpu: &mut Cpu) {
    events::outside_of_smm(&mut cpu.vcpu.vmcs);
    match reason {
        reason::CPUID => emulate::cpuid(registers, cpu),
        reason::CR_ACCESS => on_cr_access(registers, cpu),
        reason::XSETBV => emulate::xsetbv(registers, cpu),
        reason::INVD => emulate::invd(cpu),
        reason::INIT => start_up::on_init(registers, cpu),
        reason::SIPI => start_up::on_sipi(registers, cpu),
        reason::EPT_VIOLATION => view::on_violation(registers, cpu),
        reason::VMFUNC => view::on_vmfunc(registers, cpu),
        reason::EXCEPTION_OR_NMI => events::on_event(cpu),
        // Delivered by `on_exit`.
        reason::NMI_WINDOW => cpu.vcpu.vmcs.nmi_window(false),
        reason::WRMSR if registers.rcx as u32 == icr::MSR => {
            apic_page::command_by_msr(registers, cpu);
        }
        reason::WRMSR => emulate::wrmsr(registers, cpu),
        reason::TASK_SWITCH => task::switch(registers, cpu),
        reason::RDMSR => cpu.vcpu.raise(Exception::GeneralProtection),
        reason::VMCLEAR..=reason::VMXON | reason::INVEPT | reason::INVVPID | reason::GETSEC => {
            cpu.vcpu.raise(Exception::InvalidOpcode);
        }
        _ => end(reason, cpu),
    }
}

/// Exits after which the guest cannot go on.
fn end(reason: u64, cpu: &Cpu) -> ! {
    // Bit 31: the entry failed.
    let what = match reason & 0xffff {
        reason::TRIPLE_FAULT => report::triple_fault(cpu),
        reason::INVALID_GUEST_STATE => "the guest's state cannot be entered",
        reason::MACHINE_CHECK_AT_ENTRY => "machine check while entering the guest",
        reason::EPT_MISCONFIGURATION => "the nested tables are broken",
        _ => "an exit that was not expected",
    };
    report::unexpected(cpu, reason, cpu.vcpu.vmcs.field(ro::EXIT_QUALIFICATION), what)
}

/// The stub owns CR0.NE and CR4.VMXE. Nothing else of CR0 or CR4 exits, so a write to CR4 that does is one that sets
/// VMXE, which does not exist for the guest.
fn on_cr_access(registers: &Registers, cpu: &mut Cpu) {
    let qualification = cpu.vcpu.vmcs.field(ro::EXIT_QUALIFICATION);
    let number = qualification >> 8 & 15;
    let value = registers.numbered(number).unwrap_or_else(|| cpu.vcpu.vmcs.get(GuestField::RSP));
    // Bits 3:0: which register; bits 5:4: 0 for MOV to it.
    match qualification & 0x3f {
        0 => write_cr0(value, cpu),
        4 => cpu.vcpu.raise(Exception::GeneralProtection),
        _ => report::unexpected(
            cpu,
            reason::CR_ACCESS,
            qualification,
            "a control-register access that was not expected",
        ),
    }
}

fn write_cr0(value: u64, cpu: &mut Cpu) {
    const LONG_CODE: u64 = 1 << 13;
    let vmcs = &mut cpu.vcpu.vmcs;
    let now = cr0::Context {
        cr0: vmcs.get(GuestField::CR0),
        cr4: vmcs.get(GuestField::CR4),
        efer: vmcs.get(GuestField::EFER),
        long_code: vmcs.get(GuestField::CS_RIGHTS) & LONG_CODE != 0,
    };
    let change = cr0::write(value, now);
    match change {
        Ok(change) if !change.load_pdptes || load_pdptes(cpu) => apply(&change, cpu),
        _ => cpu.vcpu.raise(Exception::GeneralProtection),
    }
}

fn apply(change: &cr0::Change, cpu: &mut Cpu) {
    const IA32E_GUEST: u64 = 1 << 9;
    const LMA: u64 = 1 << 10;
    support::set_caching(change.cr0);
    let vmcs = &mut cpu.vcpu.vmcs;
    vmcs.set(GuestField::CR0, change.cr0);
    vmcs.set(GuestField::CR0_SHADOW, change.shadow);
    vmcs.set(GuestField::EFER, change.efer);
    let entry = vmcs.get(GuestField::ENTRY_CONTROLS) & !IA32E_GUEST;
    let long = if change.efer & LMA != 0 { IA32E_GUEST } else { 0 };
    vmcs.set(GuestField::ENTRY_CONTROLS, entry | long);
    if change.flush {
        cpu.vcpu.forget_own();
    }
    cpu.vcpu.next_instruction();
}

/// Loads the four PDPTEs of PAE paging, from memory of the guest only; says whether they can be used.
fn load_pdptes(cpu: &mut Cpu) -> bool {
    let at = cpu.vcpu.vmcs.get(GuestField::CR3) & 0xffff_ffe0;
    let Some(entries) = calls::load_words::<4>(&cpu.shared.rules, at) else {
        return false;
    };
    if !can_be_loaded(&entries) {
        return false;
    }
    for (i, entry) in (0..).zip(entries) {
        cpu.vcpu.vmcs.set(GuestField::PDPTE0.plus(i), entry);
    }
    true
}
