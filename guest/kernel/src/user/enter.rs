//! Letting a program run, as a function call that returns when the program is interrupted.
#![expect(unsafe_code, reason = "a naked function")]

use core::arch::naked_asm;
use core::mem::offset_of;

use super::Context;
use crate::cpu::{KERNEL_STACK_OFFSET, PRIVILEGE_STACK_OFFSET};
use crate::interrupts::{pop_registers, vector};

/// Lets the program run until it makes a call, is interrupted or faults; then its context says
/// which, and interrupts are off.
///
/// A program that came by SYSCALL goes back by SYSRET. RIP is canonical then, because the CPU set it
/// and nothing is mapped in the last page below the non-canonical range (SDM volume 2, "SYSRET";
/// otherwise the fault would strike in ring 0 with the program's RSP).
///
/// # Safety
/// The program's space is loaded; its registers are those of ring 3.
#[unsafe(naked)]
pub unsafe extern "C" fn enter(context: &mut Context) {
    naked_asm!(
        "push rbx",
        "push rbp",
        "push r12",
        "push r13",
        "push r14",
        "push r15",
        "cli",
        "mov gs:[{kernel_stack}], rsp",
        "lea rax, [rdi + {context_bytes}]",
        "mov gs:[{privilege_stack}], rax",
        "mov rsp, rdi",
        pop_registers!(),
        "cmp qword ptr [rsp], {syscall}",
        "je 2f",
        "add rsp, 16",
        "swapgs",
        "iretq",
        "2:",
        "add rsp, 16",
        "pop rcx",
        "add rsp, 8",
        "pop r11",
        "pop rsp",
        "swapgs",
        "sysretq",
        kernel_stack = const KERNEL_STACK_OFFSET,
        privilege_stack = const PRIVILEGE_STACK_OFFSET,
        context_bytes = const size_of::<Context>(),
        syscall = const vector::SYSCALL,
    )
}

// `pop` takes the tail apart by position.
const _: () = {
    let first = offset_of!(Context, vector);
    assert!(offset_of!(Context, error) == first + 8 && offset_of!(Context, rip) == first + 16);
    assert!(offset_of!(Context, cs) == first + 24 && offset_of!(Context, rflags) == first + 32);
    assert!(offset_of!(Context, rsp) == first + 40);
};
