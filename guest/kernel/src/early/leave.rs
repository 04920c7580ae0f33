//! From the boot tables and the boot stack to the kernel's own.
#![expect(unsafe_code, reason = "changes tables and stack under running code")]

use core::arch::naked_asm;

use x86_64::VirtAddr;
use x86_64::structures::paging::PhysFrame;

/// Loads the root, takes the stack and goes on in `next`. The identity map is gone then.
///
/// # Safety
/// The root maps the image and the stack; nothing that `next` uses lies elsewhere.
pub unsafe fn leave(root: PhysFrame, stack_top: VirtAddr, next: extern "C" fn() -> !) -> ! {
    // SAFETY: the caller's promise.
    unsafe { switch(root.start_address().as_u64(), stack_top.as_u64(), next) }
}

#[unsafe(naked)]
unsafe extern "C" fn switch(root: u64, stack_top: u64, next: extern "C" fn() -> !) -> ! {
    naked_asm!("mov cr3, rdi", "mov rsp, rsi", "xor ebp, ebp", "call rdx", "ud2")
}
