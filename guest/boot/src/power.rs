//! The ways to end a machine from inside that need no tables. (ACPI power-off is the kernel's.)
#![expect(unsafe_code, reason = "port I/O that ends the machine")]

use x86_64::instructions::port::Port;

/// Where xtask puts QEMU's isa-debug-exit device.
const ISA_DEBUG_EXIT: u16 = 0xf4;

/// Where Bochs listens for the word that ends it.
const BOCHS_SHUTDOWN: u16 = 0x8900;

/// Ends QEMU with exit status `(code << 1) | 1`, if it has the device; else comes back.
pub fn isa_debug_exit(code: u32) {
    // SAFETY: the command line says that this machine is QEMU with that device.
    unsafe { Port::<u32>::new(ISA_DEBUG_EXIT).write(code) };
}

/// Ends Bochs; on another machine it comes back.
pub fn bochs_shutdown() {
    for byte in *b"Shutdown" {
        // SAFETY: the command line says that this machine is Bochs.
        unsafe { Port::<u8>::new(BOCHS_SHUTDOWN).write(byte) };
    }
}

/// Stops this CPU for ever.
pub fn halt() -> ! {
    loop {
        x86_64::instructions::interrupts::disable();
        x86_64::instructions::hlt();
    }
}
