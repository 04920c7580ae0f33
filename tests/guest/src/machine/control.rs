//! CR0, CR2, CR4, CR8, EFER and XCR0: which values the CPU takes, and what is read back.
#![expect(unsafe_code, reason = "puts registers back as they were")]

use core::arch::asm;
use core::sync::atomic::{AtomicU64, Ordering};

use loadphys_test_guests::say;
use raw_cpuid::cpuid;
use x86_64::registers::control::{Cr0, Cr2, Cr4};

use crate::attempt::{self, Outcome};
use crate::identity;
use crate::seen;
use crate::seen::Digest;

/// CR0.
const PE: u64 = 1 << 0;
const NE: u64 = 1 << 5;
const NW: u64 = 1 << 29;
const CD: u64 = 1 << 30;
const PG: u64 = 1 << 31;
/// CR4.
const PAE: u64 = 1 << 5;
const LA57: u64 = 1 << 12;
const VMXE: u64 = 1 << 13;
const OSXSAVE: u64 = 1 << 18;
/// EFER, and the one bit of it that a stub takes away.
const EFER: u64 = 0xc000_0080;
const SVME: u64 = 1 << 12;
/// SYSCALL, and no-execute.
const USUAL: u64 = 1 << 0 | 1 << 11;

/// Looks.
pub fn look() {
    cr0();
    cr4();
    small_ones();
    efer();
    xcr0();
}

/// Flips each bit of a register but for some, which QEMU's emulation takes even if nothing can go on then; tells which flips are taken, and which can be read back.
fn flips(name: &str, but: u64, read: fn() -> u64, write: fn(u64) -> Outcome) {
    let now = read();
    let (mut taken, mut kept) = (0, 0);
    for bit in (0..64).map(|bit| 1 << bit).filter(|bit| but & bit == 0) {
        let done = write(now ^ bit).is_done();
        let differs = (read() ^ now) & bit != 0;
        taken |= if done { bit } else { 0 };
        kept |= if differs { bit } else { 0 };
        assert!(write(now).is_done(), "{name} is put back");
    }
    seen!("{name} {now:x} taken={taken:x} kept={kept:x}");
}

fn cr0() {
    // Some firmware leaves the caches off; then no two beginnings are the same.
    let now = Cr0::read_raw() & !(CD | NW) | NE;
    assert!(attempt::write_cr0(now).is_done());
    flips("cr0", PE | PG, Cr0::read_raw, attempt::write_cr0);
    for (name, value) in [
        ("ne+cd", now ^ NE ^ CD),
        ("cd", now | CD),
        ("ne+cd+nw", now ^ NE ^ CD ^ NW),
        ("ne+nw", now ^ NE ^ NW),
        ("ne-cd-nw", now),
        ("upper", now | 1 << 40),
    ] {
        let outcome = attempt::write_cr0(value);
        seen!("cr0 {name} {outcome} {:x}", Cr0::read_raw());
    }
    assert!(attempt::write_cr0(now).is_done());
}

/// Bits of CR4 by the feature that they belong to: register (of leaf 1: ECX, EDX; of leaf 7: EBX, ECX) and bit.
const FEATURES: [(u64, usize, u32); 10] = [
    (0b11, 1, 1),
    (1 << 2, 1, 4),
    (1 << 3, 1, 2),
    (1 << 4, 1, 3),
    (1 << 6, 1, 7),
    (1 << 7, 1, 13),
    (0b11 << 9, 1, 25),
    (1 << 16, 2, 0),
    (1 << 20, 2, 7),
    (1 << 21, 2, 20),
];

/// QEMU leaves the guest's world for a bit of CR4 that does not exist, so on its CPU (AMD's) none is tried.
fn untried() -> u64 {
    let (basic, extended) = (cpuid!(1), cpuid!(7));
    let registers = [basic.ecx, basic.edx, extended.ebx, extended.ecx];
    let has = |(_, register, bit): &&(u64, usize, u32)| registers[*register] >> bit & 1 != 0;
    let offered = FEATURES.iter().filter(has).fold(0, |all, (bits, ..)| all | bits);
    if identity::is_intels() { 0 } else { !offered }
}

fn cr4() {
    let but = PAE | LA57 | VMXE | untried();
    flips("cr4", but, Cr4::read_raw, attempt::write_cr4);
    let now = Cr4::read_raw();
    if untried() == 0 {
        let taken = attempt::write_cr4(now | VMXE).is_done();
        say!("changed: cr4.vmxe taken={taken} reads={}", Cr4::read_raw() & VMXE != 0);
    }
    assert!(attempt::write_cr4(now).is_done());
}

/// CR2 and CR8 keep what is written, whatever exits meanwhile.
fn small_ones() {
    // SAFETY: no fault has left anything in CR2, and interrupts are off.
    unsafe { asm!("mov cr2, {}", "mov cr8, {}", in(reg) 0x1234_5678_9abc_u64, in(reg) 9_u64) };
    let _exits = cpuid!(0);
    let priority: u64;
    // SAFETY: as above.
    unsafe { asm!("mov {0}, cr8", "mov cr8, {1}", out(reg) priority, in(reg) 0_u64) };
    seen!("cr2 {:x} cr8 {priority:x}", Cr2::read_raw());
    let word: u64;
    // SAFETY: sets and clears CR0.TS.
    unsafe { asm!("smsw {0:r}", "or {0:r}, 8", "lmsw {0:x}", "smsw {0:r}", "clts", out(reg) word) };
    seen!("lmsw {word:x} clts {:x}", Cr0::read_raw());
    let stored = AtomicU64::new(1);
    // SAFETY: all was written back; what is stored then is in memory where caches are emulated, and where a stub writes them back.
    unsafe { asm!("wbinvd", "mov qword ptr [{}], 2", "invd", in(reg) stored.as_ptr()) };
    seen!("invd done, stored {}", stored.load(Ordering::SeqCst));
    assert_eq!(stored.load(Ordering::SeqCst), 2, "INVD lost a store");
}

fn efer() {
    let read = || attempt::read_msr(EFER).number() & !SVME;
    // QEMU takes any value: only what every CPU takes is tried there.
    let but = if identity::is_intels() { SVME } else { !USUAL };
    flips("efer", but, read, |value| attempt::write_msr(EFER, value));
    let now = read();
    let taken = attempt::write_msr(EFER, now | SVME).is_done();
    let reads = attempt::read_msr(EFER).number() & SVME != 0;
    say!("changed: efer.svme taken={taken} reads={reads}");
    // An emulator without SVM ignores the bit.
    let _ = attempt::write_msr(EFER, now);
}

/// Tries all sets of the first ten features, and one more.
fn xcr0() {
    const XSAVE: u32 = 1 << 26;
    if cpuid!(1).ecx & XSAVE == 0 {
        return seen!("xsave none");
    }
    let now = Cr4::read_raw();
    assert!(attempt::write_cr4(now & !OSXSAVE).is_done());
    seen!("xsetbv off {} {}", attempt::set_xcr(0, 1), attempt::get_xcr(0));
    assert!(attempt::write_cr4(now | OSXSAVE).is_done());
    let (mut taken, mut digest) = (0, Digest::NONE);
    for value in 0..0x400 {
        let outcome = attempt::set_xcr(0, value);
        taken += u32::from(outcome.is_done());
        // The size of what XSAVE stores now.
        digest = digest.with(outcome.number()).with(u64::from(cpuid!(0xd).ebx));
    }
    seen!("xsetbv taken={taken} of 1024 {:x}", digest.0);
    let others = [(0, 1 << 63 | 1), (1, 1), (0xffff_ffff, 1), (0, 1)];
    for (number, value) in others {
        let outcome = attempt::set_xcr(number, value);
        seen!("xsetbv {number:x} {value:x} {outcome} {}", attempt::get_xcr(0));
    }
    assert!(attempt::write_cr4(now).is_done());
}
