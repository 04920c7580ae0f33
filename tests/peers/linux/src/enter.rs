//! Where a program begins.

use core::sync::atomic::{AtomicUsize, Ordering};

/// Where the stack begins.
static STACK: AtomicUsize = AtomicUsize::new(0);

/// Makes this function, which takes nothing and never comes back, the program.
///
/// Linux enters with RSP at the arguments, aligned to 16 (System V ABI for x86-64, section 3.4.1). Nobody needs them.
#[macro_export]
macro_rules! entry {
    ($run:path) => {
        #[unsafe(naked)]
        #[unsafe(no_mangle)]
        extern "C" fn _start() -> ! {
            core::arch::naked_asm!("xor ebp, ebp", "mov rdi, rsp", "call {begin}", "ud2", begin = sym begin)
        }

        extern "C" fn begin(stack: usize) -> ! {
            $crate::enter::begin(stack);
            $run()
        }
    };
}

/// Said first of all: where the stack begins.
pub fn begin(stack: usize) {
    STACK.store(stack, Ordering::Relaxed);
}

/// Where the stack of this program begins, and that of its copies.
pub fn stack() -> usize {
    STACK.load(Ordering::Relaxed)
}
