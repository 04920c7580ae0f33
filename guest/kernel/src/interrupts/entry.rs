//! The first instructions after an interrupt, exception or SYSCALL.
//!
//! The CPU pushes SS, RSP, RFLAGS, CS and RIP; the entry of a vector pushes an error code of 0 if the
//! CPU pushed none, and the vector; then all registers follow, so that a whole [`Context`] lies at RSP.
//! - From the kernel that is on the kernel's stack: handle it, return.
//! - From a program it is *in the program's own context*, because RSP0 points to its end
//!   ([`crate::user::enter`] sees to that): nothing is copied; the kernel's registers come back and `enter`
//!   returns to whoever let the program run.
//! - NMI, double fault and machine check may strike between SWAPGS and the next instruction. They
//!   have stacks of their own, come back the way they came, and never use GS.
use core::arch::naked_asm;
use core::mem::offset_of;

use super::kernel_trap::{kernel_trap, strike};
use super::vector;
use crate::cpu::{KERNEL_STACK_OFFSET, PRIVILEGE_STACK_OFFSET, SMAP, Selectors, USER_STACK_OFFSET};
use crate::user::Context;

/// Saves the general registers; with what lies above them they are a [`Context`].
macro_rules! push_registers {
    () => {
        "push r15
         push r14
         push r13
         push r12
         push r11
         push r10
         push r9
         push r8
         push rbp
         push rdi
         push rsi
         push rdx
         push rcx
         push rbx
         push rax"
    };
}

/// Takes them back; RSP is left at the vector.
macro_rules! pop_registers {
    () => {
        "pop rax
         pop rbx
         pop rcx
         pop rdx
         pop rsi
         pop rdi
         pop rbp
         pop r8
         pop r9
         pop r10
         pop r11
         pop r12
         pop r13
         pop r14
         pop r15"
    };
}
pub(crate) use pop_registers;

/// Interrupts leave RFLAGS.AC as the program had it, and with AC set SMAP protects nothing; so it is cleared, where the CPU
/// has CLAC. The interrupted RFLAGS come back with IRET.
macro_rules! clear_ac {
    () => {
        "cmp byte ptr [{smap}], 0
         je 9f
         clac
         9:"
    };
}

/// The entry of a vector for which the CPU pushes no error code.
#[unsafe(naked)]
pub extern "C" fn plain<const VECTOR: u64>() {
    naked_asm!("push 0", "push {vector}", "jmp {common}", vector = const VECTOR, common = sym common)
}

/// The entry of a vector for which the CPU pushes an error code.
#[unsafe(naked)]
pub extern "C" fn with_code<const VECTOR: u64>() {
    naked_asm!("push {vector}", "jmp {common}", vector = const VECTOR, common = sym common)
}

/// The entry of a vector with a stack of its own.
#[unsafe(naked)]
pub extern "C" fn striking<const VECTOR: u64, const HAS_CODE: bool>() {
    naked_asm!(
        ".if {has_code} == 0",
        "push 0",
        ".endif",
        "push {vector}",
        push_registers!(),
        "cld",
        clear_ac!(),
        "mov rdi, rsp",
        "call {strike}",
        pop_registers!(),
        "add rsp, 16",
        "iretq",
        has_code = const HAS_CODE as u64,
        vector = const VECTOR,
        strike = sym strike,
        smap = sym SMAP,
    )
}

#[unsafe(naked)]
extern "C" fn common() {
    naked_asm!(
        push_registers!(),
        "cld",
        clear_ac!(),
        "test byte ptr [rsp + {cs}], 3",
        "jnz 2f",
        // From the kernel. RSP is a multiple of 16: the CPU aligned it before it pushed 40 bytes, and
        // 136 have followed.
        "mov rdi, rsp",
        "call {kernel_trap}",
        pop_registers!(),
        "add rsp, 16",
        "iretq",
        "2:",
        "swapgs",
        "jmp {leave_program}",
        cs = const offset_of!(Context, cs),
        kernel_trap = sym kernel_trap,
        leave_program = sym leave_program,
        smap = sym SMAP,
    )
}

/// SYSCALL leads here, with RIP in RCX, RFLAGS in R11, and the program's RSP.
#[unsafe(naked)]
pub extern "C" fn syscall() {
    naked_asm!(
        "swapgs",
        "mov gs:[{user_stack}], rsp",
        "mov rsp, gs:[{privilege_stack}]",
        "push {user_data}",
        "push qword ptr gs:[{user_stack}]",
        "push r11",
        "push {user_code}",
        "push rcx",
        "push 0",
        "push {syscall}",
        push_registers!(),
        "cld",
        "jmp {leave_program}",
        user_stack = const USER_STACK_OFFSET,
        privilege_stack = const PRIVILEGE_STACK_OFFSET,
        user_data = const Selectors::USER_DATA.0,
        user_code = const Selectors::USER_CODE.0,
        syscall = const vector::SYSCALL,
        leave_program = sym leave_program,
    )
}

/// Back into `enter`, behind the instruction that let the program run: GS is the kernel's again, the context
/// is complete.
#[unsafe(naked)]
pub extern "C" fn leave_program() {
    naked_asm!(
        "mov rsp, gs:[{kernel_stack}]",
        "pop r15",
        "pop r14",
        "pop r13",
        "pop r12",
        "pop rbp",
        "pop rbx",
        "ret",
        kernel_stack = const KERNEL_STACK_OFFSET,
    )
}
