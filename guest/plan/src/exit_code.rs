//! What a guest writes to QEMU's isa-debug-exit device, and what QEMU makes of it.

/// The device's port.
pub const PORT: u16 = 0xf4;

/// All that was asked was done and nothing was found wrong.
pub const OK: u8 = 0x10;

/// Something was found wrong; a record or the last lines of the console say what.
pub const FAILED: u8 = 0x11;

/// QEMU's exit status for a code. It is odd: a reset or triple fault, which ends QEMU with 0,
/// cannot be taken for a verdict.
pub const fn qemu_status(code: u8) -> i32 {
    ((code as i32) << 1) | 1
}

const _: () = assert!(qemu_status(OK) == 33 && qemu_status(FAILED) == 35);
