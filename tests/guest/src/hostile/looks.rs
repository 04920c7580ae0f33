//! Where this guest is looked at from outside.
#![expect(unsafe_code, reason = "a name that is known outside")]

use core::arch::naked_asm;

/// An emulator's debugger stops here: before anything is tried, and when all is over.
#[unsafe(no_mangle)]
#[unsafe(naked)]
pub extern "C" fn hostile_look() {
    naked_asm!("ret")
}
