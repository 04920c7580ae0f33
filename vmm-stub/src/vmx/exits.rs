//! What is done at each exit (SDM volume 3, appendix C "VMX Basic Exit Reasons").
#![expect(unsafe_code, reason = "executes WBINVD, XSETBV and WRMSR for the guest")]

use core::arch::asm;

use loadphys_abi::counters::REASONS;
use raw_cpuid::cpuid;
use x86::vmx::vmcs::ro;
use x86_64::registers::model_specific::Msr;

use crate::cpu::{Cpu, VPID};
use crate::ending::fatal;
use crate::vmx::enter::Registers;
use crate::vmx::vmcs::{GuestField, Vmcs};
use crate::vmx::{
    apic_base, cr0, events, instructions, misc_enable, report, start_up, support, view,
};
use crate::{calls, cpuid, xcr0};

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
    let reason = cpu.vmcs.field(ro::EXIT_REASON);
    count(cpu, reason);
    if reason == reason::VMCALL {
        calls::answer(registers, cpu);
        next_instruction(&mut cpu.vmcs);
    } else {
        dispatch(reason, registers, cpu);
    }
    if cpu.nmi_held {
        events::deliver_nmi(cpu);
    }
}

fn count(cpu: &Cpu, reason: u64) {
    let slot = (reason & 0xffff).min(REASONS as u64 - 1);
    cpu.counts.exits.add(1);
    cpu.counts.by_reason[slot as usize].add(1);
}

#[inline(never)]
fn dispatch(reason: u64, registers: &mut Registers, cpu: &mut Cpu) {
    events::outside_of_smm(&mut cpu.vmcs);
    match reason {
        reason::CPUID => on_cpuid(registers, cpu),
        reason::CR_ACCESS => on_cr_access(registers, cpu),
        reason::XSETBV => on_xsetbv(registers, cpu),
        reason::INVD => on_invd(&mut cpu.vmcs),
        reason::INIT => start_up::on_init(registers, cpu),
        reason::SIPI => start_up::on_sipi(registers, cpu),
        reason::EPT_VIOLATION => view::on_violation(cpu),
        reason::VMFUNC => view::on_vmfunc(registers, cpu),
        reason::EXCEPTION_OR_NMI => events::on_event(cpu),
        // Delivered by `on_exit`.
        reason::NMI_WINDOW => cpu.vmcs.nmi_window(false),
        reason::WRMSR => on_wrmsr(registers, cpu),
        reason::RDMSR | reason::TASK_SWITCH => {
            events::general_protection(&mut cpu.vmcs);
        }
        reason::VMCLEAR..=reason::VMXON | reason::INVEPT | reason::INVVPID | reason::GETSEC => {
            events::invalid_opcode(&mut cpu.vmcs);
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
    report::unexpected(cpu, reason, what)
}

/// Goes on behind the instruction that exited, as if it had been executed.
#[inline]
pub fn next_instruction(vmcs: &mut Vmcs) {
    const TRAP_FLAG: u64 = 1 << 8;
    const SINGLE_STEP: u64 = 1 << 14;
    let rip = vmcs.get(GuestField::RIP) + vmcs.field(ro::VMEXIT_INSTRUCTION_LEN);
    vmcs.set(GuestField::RIP, if long_code(vmcs) { rip } else { rip & 0xffff_ffff });
    let blocking = vmcs.get(GuestField::INTERRUPTIBILITY);
    let over = events::BY_STI_OR_MOV_SS | events::BY_SMI;
    if blocking & over != 0 {
        vmcs.set(GuestField::INTERRUPTIBILITY, blocking & !over);
    }
    if vmcs.get(GuestField::RFLAGS) & TRAP_FLAG != 0 {
        let due = vmcs.get(GuestField::PENDING_DEBUG) | SINGLE_STEP;
        vmcs.set(GuestField::PENDING_DEBUG, due);
    }
}

/// Whether the guest is in 64-bit mode: IA32_EFER.LMA and CS.L. Outside it RIP has 32 bits.
#[inline]
fn long_code(vmcs: &Vmcs) -> bool {
    const LMA: u64 = 1 << 10;
    const LONG: u64 = 1 << 13;
    vmcs.get(GuestField::CS_RIGHTS) & LONG != 0 && vmcs.get(GuestField::EFER) & LMA != 0
}

fn on_cpuid(registers: &mut Registers, cpu: &mut Cpu) {
    let (leaf, subleaf) = (registers.rax as u32, registers.rcx as u32);
    let found = cpuid!(leaf, subleaf);
    let shared = cpu.shared;
    let [eax, ebx, ecx, edx] = cpuid::answer(
        (leaf, subleaf),
        [found.eax, found.ebx, found.ecx, found.edx],
        cpu.vmcs.get(GuestField::CR4),
        &shared.controls.hidden,
        shared.features,
    )
    .map(u64::from);
    (registers.rax, registers.rbx, registers.rcx, registers.rdx) = (eax, ebx, ecx, edx);
    next_instruction(&mut cpu.vmcs);
}

/// INVD would throw away what the stub wrote; writing it back first is allowed.
fn on_invd(vmcs: &mut Vmcs) {
    // SAFETY: writes caches back, which changes no memory that anyone can see.
    unsafe { asm!("wbinvd", options(nostack)) };
    next_instruction(vmcs);
}

/// Of the MSRs whose writes exit two can be written, each in one way.
fn on_wrmsr(registers: &Registers, cpu: &mut Cpu) {
    let value = registers.rdx << 32 | registers.rax & 0xffff_ffff;
    let number = registers.rcx as u32;
    let allowed = match number {
        apic_base::NUMBER => apic_base::allows(support::msr(number), value, cpuid!(1).ecx),
        misc_enable::NUMBER => misc_enable::allows(support::msr(number), value),
        _ => false,
    };
    if !allowed {
        return events::general_protection(&mut cpu.vmcs);
    }
    // SAFETY: the page of registers stays where it is, no-execute as it is, and the CPU takes the value.
    unsafe { Msr::new(number).write(value) };
    next_instruction(&mut cpu.vmcs);
}

fn on_xsetbv(registers: &Registers, cpu: &mut Cpu) {
    let value = registers.rdx << 32 | registers.rax & 0xffff_ffff;
    if registers.rcx as u32 != 0 || !xcr0::allowed(value, cpu.shared.xcr0) {
        return events::general_protection(&mut cpu.vmcs);
    }
    // SAFETY: the CPU supports the value, CR4.OSXSAVE is set, and the stub uses no state that XCR0 switches.
    unsafe {
        asm!("xsetbv", in("ecx") 0, in("eax") value as u32, in("edx") (value >> 32) as u32, options(nostack));
    }
    next_instruction(&mut cpu.vmcs);
}

/// The stub owns CR0.NE and CR4.VMXE. Nothing else of CR0 or CR4 exits, so a write to CR4 that does is one that sets
/// VMXE, which does not exist for the guest.
fn on_cr_access(registers: &Registers, cpu: &mut Cpu) {
    let qualification = cpu.vmcs.field(ro::EXIT_QUALIFICATION);
    let number = qualification >> 8 & 15;
    let value = registers.numbered(number).unwrap_or_else(|| cpu.vmcs.get(GuestField::RSP));
    // Bits 3:0: which register; bits 5:4: 0 for MOV to it.
    match qualification & 0x3f {
        0 => write_cr0(value, cpu),
        4 => events::general_protection(&mut cpu.vmcs),
        _ => report::unexpected(
            cpu,
            reason::CR_ACCESS,
            "a control-register access that was not expected",
        ),
    }
}

fn write_cr0(value: u64, cpu: &mut Cpu) {
    const LONG_CODE: u64 = 1 << 13;
    let vmcs = &mut cpu.vmcs;
    let now = cr0::Context {
        cr0: vmcs.get(GuestField::CR0),
        cr4: vmcs.get(GuestField::CR4),
        efer: vmcs.get(GuestField::EFER),
        long_code: vmcs.get(GuestField::CS_RIGHTS) & LONG_CODE != 0,
    };
    let change = cr0::write(value, now);
    match change {
        Ok(change) if !change.load_pdptes || load_pdptes(cpu) => apply(&change, cpu),
        _ => events::general_protection(&mut cpu.vmcs),
    }
}

fn apply(change: &cr0::Change, cpu: &mut Cpu) {
    const IA32E_GUEST: u64 = 1 << 9;
    const LMA: u64 = 1 << 10;
    let vmcs = &mut cpu.vmcs;
    vmcs.set(GuestField::CR0, change.cr0);
    vmcs.set(GuestField::CR0_SHADOW, change.shadow);
    vmcs.set(GuestField::EFER, change.efer);
    let entry = vmcs.get(GuestField::ENTRY_CONTROLS) & !IA32E_GUEST;
    let long = if change.efer & LMA != 0 { IA32E_GUEST } else { 0 };
    vmcs.set(GuestField::ENTRY_CONTROLS, entry | long);
    if change.flush
        && cpu.shared.controls.vpid
        && let Err(failure) = instructions::invvpid(VPID)
    {
        fatal!("INVVPID failed: {failure}");
    }
    next_instruction(&mut cpu.vmcs);
}

/// Loads the four PDPTEs of PAE paging, from memory of the guest only; says whether they can be used.
fn load_pdptes(cpu: &mut Cpu) -> bool {
    const RESERVED: u64 = 0xfff0_0000_0000_01e6;
    let at = cpu.vmcs.get(GuestField::CR3) & 0xffff_ffe0;
    let Some(entries) = calls::load_words::<4>(&cpu.shared.rules, at) else {
        return false;
    };
    let bad = |entry: &u64| entry & 1 != 0 && entry & RESERVED != 0;
    if entries.iter().any(bad) {
        return false;
    }
    for (i, entry) in (0..).zip(entries) {
        cpu.vmcs.set(GuestField::PDPTE0.plus(i), entry);
    }
    true
}
