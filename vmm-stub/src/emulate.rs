//! Instructions that exit under VT-x and SVM alike, done for the guest.
#![expect(unsafe_code, reason = "executes WBINVD, XSETBV and WRMSR for the guest")]

use core::arch::asm;

use raw_cpuid::cpuid;
use x86_64::registers::model_specific::Msr;

use crate::cpu::Cpu;
use crate::machine::msr;
use crate::registers::Registers;
use crate::vcpu::{Exception, Vcpu};
use crate::{apic_base, cpuid, misc_enable, xcr0};

pub fn cpuid<V: Vcpu>(registers: &mut Registers, cpu: &mut Cpu<V>) {
    let (leaf, subleaf) = (registers.rax as u32, registers.rcx as u32);
    let found = cpuid!(leaf, subleaf);
    let shared = cpu.shared;
    let [eax, ebx, ecx, edx] = cpuid::answer(
        (leaf, subleaf),
        [found.eax, found.ebx, found.ecx, found.edx],
        cpu.vcpu.cr4(),
        &shared.hidden,
        shared.features,
    )
    .map(u64::from);
    (registers.rax, registers.rbx, registers.rcx, registers.rdx) = (eax, ebx, ecx, edx);
    cpu.vcpu.next_instruction();
}

/// INVD would throw away what the stub wrote; writing it back first is allowed.
pub fn invd<V: Vcpu>(cpu: &mut Cpu<V>) {
    // SAFETY: writes caches back, which changes no memory that anyone can see.
    unsafe { asm!("wbinvd", options(nostack)) };
    cpu.vcpu.next_instruction();
}

/// What WRMSR and XSETBV take: EDX:EAX.
pub const fn operand(registers: &Registers) -> u64 {
    registers.rdx << 32 | registers.rax & 0xffff_ffff
}

/// MSRs that load microcode, Intel's and AMD's. The machine keeps what its firmware has loaded: a write does nothing, as kernels
/// know it of hypervisors, and they see that by the revision.
const MICROCODE_UPDATES: [u32; 2] = [0x79, 0xc001_0020];

/// Of the other MSRs whose writes exit on both two can be written, each in one way.
pub fn wrmsr<V: Vcpu>(registers: &Registers, cpu: &mut Cpu<V>) {
    let value = operand(registers);
    let number = registers.rcx as u32;
    if MICROCODE_UPDATES.contains(&number) {
        return cpu.vcpu.next_instruction();
    }
    let allowed = match number {
        apic_base::NUMBER => apic_base::allows(msr(number), value, cpuid!(1).ecx),
        misc_enable::NUMBER => misc_enable::allows(msr(number), value, cpuid!(1).edx),
        _ => false,
    };
    if !allowed {
        return cpu.vcpu.raise(Exception::GeneralProtection);
    }
    // SAFETY: the page of registers stays where it is, no-execute as it is, and the CPU takes the value.
    unsafe { Msr::new(number).write(value) };
    cpu.vcpu.next_instruction();
}

pub fn xsetbv<V: Vcpu>(registers: &Registers, cpu: &mut Cpu<V>) {
    let value = operand(registers);
    if registers.rcx as u32 != 0 || !xcr0::allowed(value, cpu.shared.xcr0) {
        return cpu.vcpu.raise(Exception::GeneralProtection);
    }
    // SAFETY: the CPU supports the value, CR4.OSXSAVE is set, and the stub uses no state that XCR0 switches.
    unsafe {
        asm!("xsetbv", in("ecx") 0, in("eax") value as u32, in("edx") (value >> 32) as u32, options(nostack));
    }
    cpu.vcpu.next_instruction();
}
