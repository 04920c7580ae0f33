//! The debug registers: they keep what is written, breakpoints stop, and instructions that make a stub run are steps like any
//! other.
#![expect(unsafe_code, reason = "sets breakpoints and the trap flag")]

use core::arch::asm;

use raw_cpuid::cpuid;
use x86_64::registers::control::Cr4;

use crate::attempt;
use crate::interrupts::take_debugs;
use crate::seen;

/// DR7: nothing, and on; detects accesses.
const OFF: u64 = 0x400;
const DETECT: u64 = 1 << 13;

/// CR4.DE.
const EXTENSIONS: u64 = 1 << 3;

static mut WATCHED: u64 = 0;

/// Looks.
pub fn look() {
    keep();
    stop();
    step();
    detect();
    let now = Cr4::read_raw();
    assert!(attempt::write_cr4(now & !EXTENSIONS).is_done());
    let without = attempt::read_dr4().is_done();
    assert!(attempt::write_cr4(now | EXTENSIONS).is_done());
    seen!("dr4 {without} with extensions {}", attempt::read_dr4());
    assert!(attempt::write_cr4(now).is_done());
}

/// Writes and reads them, many times.
pub fn touch() {
    for round in 0..20 {
        set([round; 4], OFF);
        let _ = get();
    }
}

fn set(addresses: [u64; 4], control: u64) {
    let [a, b, c, d] = addresses;
    // SAFETY: #DB is handled.
    unsafe {
        asm!("mov dr0, {}", "mov dr1, {}", "mov dr2, {}", "mov dr3, {}", "mov dr7, {}",
            in(reg) a, in(reg) b, in(reg) c, in(reg) d, in(reg) control, options(nostack));
    }
}

fn get() -> [u64; 6] {
    let (a, b, c, d, e, f);
    // SAFETY: reads registers.
    unsafe {
        asm!("mov {}, dr0", "mov {}, dr1", "mov {}, dr2", "mov {}, dr3", "mov {}, dr6", "mov {}, dr7",
            out(reg) a, out(reg) b, out(reg) c, out(reg) d, out(reg) e, out(reg) f, options(nostack));
    }
    [a, b, c, d, e, f]
}

/// What exits changes none of them.
fn keep() {
    set([0x1111_2222_3333, 0x4444, 0x5555, 0x6666], OFF | 0x0300);
    let _exits = cpuid!(0);
    seen!("debug registers {:x?}", get());
    set([0; 4], OFF);
}

/// Breakpoints at a store, at an instruction, and at one that exits.
fn stop() {
    let watched = &raw mut WATCHED;
    // The first: exact, stores of 8 bytes.
    set([watched as u64, 0, 0, 0], OFF | 0b01 | 0b1001 << 16);
    // SAFETY: a word of this guest's.
    unsafe { watched.write_volatile(1) };
    let store = take_debugs();
    let here: u64;
    // SAFETY: only an address.
    unsafe { asm!("lea {}, [rip + 77f]", "77:", out(reg) here, options(nostack)) };
    set([0, here, 0, 0], OFF | 0b0100);
    set([0; 4], OFF);
    let none = take_debugs();
    let exits = stop_at_cpuid();
    seen!("breakpoints {store:x?} {none:x?} {exits:x?}");
}

/// DR2 stops before a CPUID.
fn stop_at_cpuid() -> (u64, u64) {
    // SAFETY: #DB is handled, and nothing but registers changes.
    unsafe {
        asm!(
            "lea rax, [rip + 77f]",
            "mov dr2, rax",
            "mov eax, 0x410",
            "mov dr7, rax",
            "push rbx",
            "xor eax, eax",
            "77: cpuid",
            "pop rbx",
            "mov eax, 0x400",
            "mov dr7, rax",
            out("rax") _, out("rcx") _, out("rdx") _,
        );
    }
    take_debugs()
}

/// Steps over instructions of which some exit.
fn step() {
    let counted = |(count, reasons): (u64, u64)| {
        seen!("single steps {count} {reasons:x}");
    };
    // SAFETY: #DB is handled; the instructions change registers alone.
    unsafe {
        asm!(
            "push rbx",
            "pushfq",
            "or dword ptr [rsp], 0x100",
            "popfq",
            "nop",
            "xor eax, eax",
            "cpuid",
            "nop",
            "invd",
            "rdtsc",
            "mov rax, cr0",
            "xor eax, 0x20",
            "mov cr0, rax",
            "xor eax, 0x20",
            "mov cr0, rax",
            "mov eax, ss",
            "mov ss, eax",
            "cpuid",
            "nop",
            "pushfq",
            "and dword ptr [rsp], ~0x100",
            "popfq",
            "pop rbx",
            out("rax") _, out("rcx") _, out("rdx") _,
        );
    }
    counted(take_debugs());
}

/// An access to a debug register is stopped once.
fn detect() {
    set([0; 4], OFF | DETECT);
    let registers = get();
    let (count, reasons) = take_debugs();
    seen!("detected accesses {count} {reasons:x} {registers:x?}");
    set([0; 4], OFF);
}
