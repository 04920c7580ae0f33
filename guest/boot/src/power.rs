//! The ways to end a machine from inside that need no tables. (ACPI power-off is the kernel's.)
#![expect(unsafe_code, reason = "port I/O that ends the machine")]

use x86_64::instructions::port::Port;

/// Where xtask puts QEMU's isa-debug-exit device.
const ISA_DEBUG_EXIT: u16 = 0xf4;

/// Where Bochs listens for the word that ends it.
const BOCHS_SHUTDOWN: u16 = 0x8900;

/// The reset-control register of PC chip sets: resets the machine, not the CPU alone; at once.
const RESET_CONTROL: u16 = 0xcf9;
const WHOLE_MACHINE: u8 = 1 << 1;
const NOW: u8 = 1 << 2;

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

/// Resets the machine by its chip set; on a machine that has no such port it comes back.
pub fn reset() {
    let mut control = Port::<u8>::new(RESET_CONTROL);
    for value in [WHOLE_MACHINE, WHOLE_MACHINE | NOW] {
        // SAFETY: nothing that runs on this machine is needed any more.
        unsafe { control.write(value) };
    }
}

/// Stops this CPU for ever.
pub fn halt() -> ! {
    loop {
        x86_64::instructions::interrupts::disable();
        x86_64::instructions::hlt();
    }
}
