//! A look at a program's address that may fault: the oracle that finds stale translations.
#![expect(unsafe_code, reason = "a naked function that may fault")]

use core::arch::naked_asm;

use x86_64::VirtAddr;

use super::vector;
use crate::user::Context;

/// What the program would read at this address, or `None` if that faults. What answers is the
/// TLB, if it has an answer.
pub fn probe(address: VirtAddr, smap: bool) -> Option<u64> {
    let mut found = 0;
    // SAFETY: a fault at the one load is caught by `caught`.
    let reached = unsafe { load(address.as_u64(), &raw mut found, smap) };
    (reached != 0).then_some(found)
}

/// Loads from RDI to the place RSI; RDX says whether SMAP is on. Gives 1, or 0 after a fault.
#[unsafe(naked)]
unsafe extern "C" fn load(address: u64, to: *mut u64, smap: bool) -> u64 {
    naked_asm!(
        "test dl, dl",
        "jz 2f",
        "stac",
        "2:",
        ".globl probe_load, probe_missed",
        "probe_load: mov rax, [rdi]",
        "mov [rsi], rax",
        "mov eax, 1",
        "jmp 3f",
        "probe_missed:",
        "xor eax, eax",
        "3:",
        "test dl, dl",
        "jz 4f",
        "clac",
        "4:",
        "ret",
    )
}

unsafe extern "C" {
    static probe_load: u8;
    static probe_missed: u8;
}

/// Whether the fault is that of [`probe`]; if so, the context goes on behind it.
pub fn caught(context: &mut Context) -> bool {
    let here = &raw const probe_load as u64;
    let caught = vector::is_of_access(context.vector) && context.rip == here;
    if caught {
        context.rip = &raw const probe_missed as u64;
    }
    caught
}
