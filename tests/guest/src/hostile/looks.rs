//! Where this guest is looked at from outside.
#![expect(unsafe_code, reason = "a port of the emulator")]

use x86_64::instructions::port::Port;

/// Bochs's own device (its manual, "I/O Debug Device"), the word that wakes it, and the one that stops the machine for the debugger.
const PORT: u16 = 0x8a00;
const ENABLE: u16 = 0x8a00;
const STOP: u16 = 0x8ae0;

/// Before anything is tried, and when all is over. (An instruction at which it is to stop Bochs 2.7 overlooks with several CPUs,
/// where it is the first one of a turn; a word that is stored to, loaders store to as well.)
pub fn look() {
    // SAFETY: no other machine has anything there.
    unsafe {
        Port::new(PORT).write(ENABLE);
        Port::new(PORT).write(STOP);
    }
}
