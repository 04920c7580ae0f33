//! The way of another CPU from real mode, where a SIPI starts it, to 64-bit mode.
//!
//! A SIPI names a page below 1 MiB. The code there ([`code`]) is relative to its page; it switches to the tables of
//! [`crate::entry!`] and to 64-bit mode at once (SDM volume 3, section 10.8.5 "Initializing IA-32e Mode"), and goes on in
//! the image, with the stack that was offered last. One CPU is started at a time.
#![expect(unsafe_code, reason = "code that other CPUs run")]

use core::arch::global_asm;
use core::slice;
use core::sync::atomic::{AtomicU64, Ordering};

unsafe extern "C" {
    static boot_trampoline_start: u8;
    static boot_trampoline_end: u8;
}

global_asm!(
    ".globl boot_trampoline_start, boot_trampoline_end",
    ".section .rodata.trampoline, \"a\"",
    ".code16",
    ".balign 8",
    "boot_trampoline_start:",
    "jmp 2f",
    // Where the GDT is: limit and base, at byte 8.
    ".balign 8",
    ".word 15",
    ".long boot_trampoline_gdt",
    "2:",
    "cli",
    "cld",
    "mov eax, 0x20", // CR4: PAE
    "mov cr4, eax",
    "mov eax, offset boot_root",
    "mov cr3, eax",
    "mov ecx, 0xc0000080", // IA32_EFER: LME and NXE
    "mov eax, 0x900",
    "xor edx, edx",
    "wrmsr",
    ".byte 0x66", // the base has 32 bits
    "lgdt cs:[8]",
    "mov eax, 0x80000021", // CR0: PG, NE, PE; the caches on
    "mov cr0, eax",
    // A far jump with a 32-bit offset, to the 64-bit segment.
    ".byte 0x66, 0xea",
    ".long boot_trampoline_landing",
    ".word 8",
    "boot_trampoline_end:",
    ".code64",
    // Below 4 GiB, as the tables' identity map is.
    ".section .boot.text, \"ax\"",
    ".balign 8",
    "boot_trampoline_gdt: .quad 0, 0x00af9b000000ffff",
    "boot_trampoline_landing:",
    "xor eax, eax",
    "mov ds, eax",
    "mov es, eax",
    "mov ss, eax",
    "mov fs, eax",
    "mov gs, eax",
    // Who finds no stack has come when nobody waited any more.
    "movabs rcx, offset {stack}",
    "xchg rax, [rcx]",
    "test rax, rax",
    "jz 2f",
    "mov rsp, rax",
    "pop rdi",
    "pop rax",
    "xor ebp, ebp",
    "call rax",
    "ud2",
    "2:",
    "hlt",
    "jmp 2b",
    ".text",
    stack = sym STACK,
);

/// The stack of the CPU that is being started, with what it is to do on it; 0: none is.
static STACK: AtomicU64 = AtomicU64::new(0);

/// What goes to the start of the page that a SIPI names.
pub fn code() -> &'static [u8] {
    let (first, end) = (&raw const boot_trampoline_start, &raw const boot_trampoline_end);
    // SAFETY: the assembly above lies between the two.
    unsafe { slice::from_raw_parts(first, end as usize - first as usize) }
}

/// Leaves a stack, from `top` down, for the CPU that is started next, which calls `function` with `argument`: interrupts
/// off, the GDT that of the page's code, the tables those of the entry code; pages may be barred from execution.
///
/// # Safety
/// `top` is aligned to 16 bytes, the words below are memory that nobody else uses, mapped in the entry code's tables; the
/// argument is what the function wants.
pub unsafe fn offer<T>(
    top: *mut u64,
    function: extern "C" fn(&'static T) -> !,
    argument: &'static T,
) {
    let words = top.wrapping_sub(2);
    // SAFETY: the caller's promise.
    unsafe {
        words.write(core::ptr::from_ref(argument).addr() as u64);
        words.add(1).write(function as *const () as u64);
    }
    STACK.store(words as u64, Ordering::Release);
}

/// Takes the stack back; says whether it was still there: no CPU has come for it then, nor will have it.
pub fn take_back() -> bool {
    STACK.swap(0, Ordering::AcqRel) != 0
}

/// Whether a CPU has come for the stack.
pub fn is_taken() -> bool {
    STACK.load(Ordering::Acquire) == 0
}
