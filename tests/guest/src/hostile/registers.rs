//! Reads and writes of model-specific registers, and writes of CR0, CR4 and XCR0.
#![expect(unsafe_code, reason = "puts registers back as they were")]

use core::arch::asm;

use x86_64::registers::control::{Cr0, Cr4};
use x86_64::registers::model_specific::Msr;

use crate::descriptors::Mode;
use crate::execute::{GENERAL_PROTECTION, RAX, RCX, RDX, Registers};
use crate::local::Local;
use crate::tally;

const RDMSR: &[u8] = &[0x0f, 0x32];
const WRMSR: &[u8] = &[0x0f, 0x30];
const MOV_TO_CR0: &[u8] = &[0x0f, 0x22, 0xc0];
const MOV_TO_CR4: &[u8] = &[0x0f, 0x22, 0xe0];
const MOV_TO_CR8: &[u8] = &[0x44, 0x0f, 0x22, 0xc0];
const LMSW: &[u8] = &[0x0f, 0x01, 0xf0];
const CLTS: &[u8] = &[0x0f, 0x06];
const XSETBV: &[u8] = &[0x0f, 0x01, 0xd1];
const INVD: &[u8] = &[0x0f, 0x08];

/// What the stub keeps from its guests altogether: first and last of each range.
const DENIED: [(u64, u64); 5] =
    [(0x3a, 0x3a), (0x480, 0x491), (0x3f1, 0x3f1), (0x560, 0x571), (0x600, 0x600)];
const BIOS_UPDATE: u64 = 0x79;
const APIC_BASE: u64 = 0x1b;
const MISC_ENABLE: u64 = 0x1a0;
const EFER: u64 = 0xc000_0080;
/// IA32_APIC_BASE: this guest's own interrupts go through memory, so it stays in that mode.
const X2APIC: u64 = 1 << 10;

/// CR4.
const VMXE: u64 = 1 << 13;
const OSXSAVE: u64 = 1 << 18;

impl Local {
    /// One access to a register.
    pub fn register(&mut self) {
        match self.random.below(8) {
            0 => self.denied(),
            1 => self.write_any_msr(),
            2 => self.read_any_msr(),
            3 => self.write_cr0(),
            4 => self.write_cr4(),
            5 => self.write_xcr0(),
            6 => self.write_what_may_stop_the_stub(),
            _ => self.small_ones(),
        }
    }

    fn denied(&mut self) {
        let (first, last) = self.random.of(DENIED);
        let number = first + self.random.below(last - first + 1);
        let value = self.value(0);
        let code = self.random.of([RDMSR, WRMSR]);
        self.msr(code, number, value, Some(false));
    }

    fn write_what_may_stop_the_stub(&mut self) {
        let (bit, any) = (self.random.of([34, 22, 63]), self.random.any());
        let tries = [
            (MISC_ENABLE, msr(MISC_ENABLE) ^ 1 << bit),
            (BIOS_UPDATE, any),
            (APIC_BASE, msr(APIC_BASE) + 0x1000),
            (APIC_BASE, msr(APIC_BASE) ^ 1 << 11),
        ];
        let (number, value) = self.random.of(tries);
        // No microcode is loaded, and nothing is said of it.
        self.msr(WRMSR, number, value, Some(number == BIOS_UPDATE));
    }

    fn any_msr(&mut self) -> u64 {
        let high = 0xc000_0000 + self.random.below(0x2000);
        let usual = self.random.of([0x10, 0x174, 0x175, 0x176, 0x1d9, 0x277, 0x2ff, 0x200, EFER]);
        let segments = 0xc000_0081 + self.random.below(3);
        let (low, any) = (self.random.below(0x2000), self.random.any());
        self.random.of([low, high, usual, segments, any])
    }

    fn write_any_msr(&mut self) {
        let number = self.any_msr();
        let value = self.value(if number == EFER { msr(EFER) } else { 0 });
        if number as u32 == APIC_BASE as u32 && value & X2APIC != 0 {
            return;
        }
        let efer = msr(EFER);
        self.msr(WRMSR, number, value, None);
        put_back(EFER, efer);
    }

    fn read_any_msr(&mut self) {
        let number = self.any_msr();
        self.msr(RDMSR, number, 0, None);
    }

    /// Any value, or one that differs from another one by a bit.
    fn value(&mut self, from: u64) -> u64 {
        let bit = 1 << self.random.below(64);
        let any = self.random.any();
        self.random.of([from ^ bit, bit, any >> 32, any])
    }

    /// An access that must end in this way, if that is known.
    fn msr(&mut self, code: &[u8], number: u64, value: u64, done: Option<bool>) {
        let mut registers = self.any_registers();
        registers[RCX] = number;
        registers[RAX] = value & 0xffff_ffff;
        registers[RDX] = value >> 32;
        let outcome = self.execute(code, registers, Mode::Kernel);
        let wrong = done.is_some_and(|done| done != outcome.done);
        let clean = outcome.done || outcome.vector == GENERAL_PROTECTION;
        assert!(clean && !wrong, "{code:x?} of {number:#x}, {value:#x}: {outcome:x?}");
        if outcome.done { tally::MSRS_DONE.add() } else { tally::MSRS_REFUSED.add() }
    }

    fn write_cr0(&mut self) {
        let now = Cr0::read_raw();
        let value = self.value(now);
        self.control(MOV_TO_CR0, value);
        // SAFETY: what was there.
        unsafe { Cr0::write_raw(now) };
    }

    fn write_cr4(&mut self) {
        let now = Cr4::read_raw();
        let value = self.value(now);
        let done = self.control(MOV_TO_CR4, value);
        assert!(!done || value & VMXE == 0, "CR4.VMXE was set");
        // SAFETY: what was there.
        unsafe { Cr4::write_raw(now) };
    }

    fn write_xcr0(&mut self) {
        let now = Cr4::read_raw();
        // SAFETY: a CPU without XSAVE takes no such value, and then XSETBV is none that it knows.
        unsafe { Cr4::write_raw(now | OSXSAVE) };
        let mut registers = self.any_registers();
        let any = self.random.any();
        let value = self.random.of([any & 0x3ff, any & 0xffff_ffff, any]);
        registers[RAX] = value & 0xffff_ffff;
        registers[RDX] = value >> 32;
        registers[RCX] = self.random.of([0, 0, 0, 1, any]);
        self.note(XSETBV, registers);
        // SAFETY: the value after a reset.
        unsafe { asm!("xsetbv", in("ecx") 0, in("eax") 1, in("edx") 0) };
        // SAFETY: what was there.
        unsafe { Cr4::write_raw(now) };
    }

    /// What changes little, or exits and changes nothing.
    fn small_ones(&mut self) {
        let code = self.random.of([MOV_TO_CR8, LMSW, CLTS, INVD]);
        let now = Cr0::read_raw();
        let value = self.random.below(16);
        self.control(code, value);
        // SAFETY: what was there.
        unsafe { Cr0::write_raw(now) };
    }

    fn any_registers(&mut self) -> Registers {
        core::array::from_fn(|_| self.random.any())
    }

    fn control(&mut self, code: &[u8], value: u64) -> bool {
        let mut registers = self.any_registers();
        registers[RAX] = value;
        self.note(code, registers)
    }

    fn note(&mut self, code: &[u8], registers: Registers) -> bool {
        let outcome = self.execute(code, registers, Mode::Kernel);
        let clean = outcome.done || outcome.vector == GENERAL_PROTECTION;
        assert!(clean, "{code:x?} ended in {outcome:x?}");
        if outcome.done {
            tally::CONTROLS_DONE.add()
        } else {
            tally::CONTROLS_REFUSED.add()
        }
        outcome.done
    }
}

fn msr(number: u64) -> u64 {
    // SAFETY: these are there, and reading them does nothing.
    unsafe { Msr::new(number as u32).read() }
}

fn put_back(number: u64, value: u64) {
    // SAFETY: what was there.
    unsafe { Msr::new(number as u32).write(value) };
}
