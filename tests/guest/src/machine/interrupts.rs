//! Handlers of this guest's own: #DB, NMIs and the timer are counted, and the local APIC is made ready.
#![expect(unsafe_code, reason = "an IDT with its handlers, device registers, ports")]

use core::arch::{asm, naked_asm};
use core::sync::atomic::{AtomicU64, Ordering};

use loadphys_test_guests::traps::{self, NMI};
use spin::Once;
use x86_64::VirtAddr;
use x86_64::instructions::port::Port;
use x86_64::instructions::tables::lidt;
use x86_64::structures::DescriptorTablePointer;

use crate::nmis;

/// Vectors of interrupts.
pub const TIMER: u64 = 0x30;
const SPURIOUS: u64 = 0x3f;
const VECTORS: usize = 0x40;
const DEBUG: usize = 1;

/// Registers of the local APIC.
const APIC: u64 = 0xfee0_0000;
const END_OF_INTERRUPT: u64 = 0xb0;
const SPURIOUS_VECTOR: u64 = 0xf0;
const TIMER_VECTOR: u64 = 0x320;
const INITIAL_COUNT: u64 = 0x380;
const DIVIDE: u64 = 0x3e0;

static DEBUGS: AtomicU64 = AtomicU64::new(0);
static REASONS: AtomicU64 = AtomicU64::new(0);
static TICKS: AtomicU64 = AtomicU64::new(0);

/// Loads the handlers; the old interrupt controllers are silenced.
pub fn prepare() {
    static IDT: Once<[[u64; 2]; VECTORS]> = Once::new();
    let idt = IDT.call_once(|| {
        let mut idt = [[0; 2]; VECTORS];
        idt[..traps::VECTORS].copy_from_slice(&traps::gates());
        for (vector, handler) in [
            (DEBUG, on_debug as *const () as u64),
            (NMI, on_nmi as *const () as u64),
            (TIMER as usize, on_timer as *const () as u64),
            (SPURIOUS as usize, on_spurious as *const () as u64),
        ] {
            idt[vector] = traps::gate(handler, 0);
        }
        idt
    });
    let limit = (size_of_val(idt) - 1) as u16;
    let pointer = DescriptorTablePointer { limit, base: VirtAddr::from_ptr(idt) };
    // SAFETY: the handlers below end as they should; no interrupt of a device is wanted.
    unsafe {
        lidt(&pointer);
        Port::<u8>::new(0x21).write(0xff);
        Port::<u8>::new(0xa1).write(0xff);
    }
    write(SPURIOUS_VECTOR, 1 << 8 | SPURIOUS as u32);
}

/// Reads a register of the local APIC.
pub fn read(register: u64) -> u32 {
    // SAFETY: mapped at its own address.
    unsafe { ((APIC + register) as *const u32).read_volatile() }
}

/// Writes one.
pub fn write(register: u64, value: u32) {
    // SAFETY: as above; what it sends is expected.
    unsafe { ((APIC + register) as *mut u32).write_volatile(value) };
}

/// Starts the timer, for one interrupt.
pub fn start_timer(count: u32) {
    const BY_1: u32 = 0b1011;
    write(DIVIDE, BY_1);
    write(TIMER_VECTOR, TIMER as u32);
    write(INITIAL_COUNT, count);
}

/// Timer interrupts so far.
pub fn ticks() -> u64 {
    TICKS.load(Ordering::SeqCst)
}

/// #DB so far, and bits of DR6 with them; begins anew.
pub fn take_debugs() -> (u64, u64) {
    (DEBUGS.swap(0, Ordering::SeqCst), REASONS.swap(0, Ordering::SeqCst))
}

/// Waits for an interrupt with HLT.
pub fn halt() {
    // SAFETY: interrupts that come are handled.
    unsafe { asm!("sti", "hlt", "cli", options(nostack)) };
}

/// Counts, notes DR6 and empties it; the instruction that a breakpoint stops is executed after all.
#[unsafe(naked)]
extern "C" fn on_debug() -> ! {
    naked_asm!(
        "push rax",
        "mov rax, dr6",
        "and eax, 0xe00f",
        "or [rip + {reasons}], rax",
        "mov eax, 0xffff0ff0",
        "mov dr6, rax",
        "inc qword ptr [rip + {debugs}]",
        "or dword ptr [rsp + 24], 0x10000", // RF
        "pop rax",
        "iretq",
        reasons = sym REASONS,
        debugs = sym DEBUGS,
    )
}

#[unsafe(naked)]
extern "C" fn on_timer() -> ! {
    naked_asm!(
        "push rax",
        "inc qword ptr [rip + {ticks}]",
        "mov eax, {end}",
        "mov dword ptr [rax], 0",
        "pop rax",
        "iretq",
        ticks = sym TICKS,
        end = const APIC + END_OF_INTERRUPT,
    )
}

#[unsafe(naked)]
extern "C" fn on_spurious() -> ! {
    naked_asm!("iretq")
}

/// Calls [`nmis::came`] with all registers saved that it may change.
#[unsafe(naked)]
extern "C" fn on_nmi() -> ! {
    naked_asm!(
        "push rbp",
        "mov rbp, rsp",
        "push rax",
        "push rcx",
        "push rdx",
        "push rbx",
        "push rsi",
        "push rdi",
        "push r8",
        "push r9",
        "push r10",
        "push r11",
        "and rsp, -16",
        "call {came}",
        "lea rsp, [rbp - 80]",
        "pop r11",
        "pop r10",
        "pop r9",
        "pop r8",
        "pop rdi",
        "pop rsi",
        "pop rbx",
        "pop rdx",
        "pop rcx",
        "pop rax",
        "pop rbp",
        "iretq",
        came = sym nmis::came,
    )
}
