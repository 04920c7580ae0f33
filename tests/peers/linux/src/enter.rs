//! Where the program begins.
#![expect(unsafe_code, reason = "the first instructions of a program")]

use core::arch::naked_asm;
use core::sync::atomic::{AtomicUsize, Ordering};

/// Where the stack begins.
static STACK: AtomicUsize = AtomicUsize::new(0);

/// Linux enters here with RSP at the arguments, aligned to 16 (System V ABI for x86-64, section 3.4.1). Nobody needs them.
#[unsafe(naked)]
#[unsafe(no_mangle)]
extern "C" fn _start() -> ! {
    naked_asm!("xor ebp, ebp", "mov rdi, rsp", "call {begin}", "ud2", begin = sym begin)
}

extern "C" fn begin(stack: usize) -> ! {
    STACK.store(stack, Ordering::Relaxed);
    crate::run()
}

/// Where the stack of this program begins, and that of its copies.
pub fn stack() -> usize {
    STACK.load(Ordering::Relaxed)
}
