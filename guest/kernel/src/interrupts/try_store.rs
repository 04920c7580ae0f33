//! A store that may fault: who is to be stopped finds out by what.
#![expect(unsafe_code, reason = "a naked function that may fault")]

use core::arch::naked_asm;

use x86_64::VirtAddr;

use super::vector;
use crate::user::Context;

/// No exception has this number.
const NO_FAULT: u64 = 256;

/// Stores a word, if that does not fault.
///
/// # Errors
/// The vector of the fault.
///
/// # Safety
/// Whatever the address leads to may change, as far as it is not protected.
pub unsafe fn try_store(address: VirtAddr, word: u64) -> Result<(), u64> {
    // SAFETY: the caller's promise; a fault at the one store is caught by `caught`.
    match unsafe { store(address.as_u64(), word) } {
        NO_FAULT => Ok(()),
        vector => Err(vector),
    }
}

/// Stores RSI at RDI. Gives [`NO_FAULT`], or the vector of the fault, which [`caught`] puts in RAX.
#[unsafe(naked)]
unsafe extern "C" fn store(address: u64, word: u64) -> u64 {
    naked_asm!(
        ".globl tried_store, missed_store",
        "mov eax, {none}",
        "tried_store: mov [rdi], rsi",
        "missed_store: ret",
        none = const NO_FAULT,
    )
}

unsafe extern "C" {
    static tried_store: u8;
    static missed_store: u8;
}

/// Whether the fault is that of [`try_store`]; if so, the context goes on behind it.
pub fn caught(context: &mut Context) -> bool {
    let here = &raw const tried_store as u64;
    let caught = vector::is_of_access(context.vector) && context.rip == here;
    if caught {
        (context.rip, context.rax) = (&raw const missed_store as u64, context.vector);
    }
    caught
}
