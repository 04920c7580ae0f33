//! The local APIC at its usual place, and what it sends to other CPUs.
#![expect(unsafe_code, reason = "device registers")]

const BASE: u64 = 0xfee0_0000;
const ID: u64 = 0x20;
const COMMAND: u64 = 0x300;
const COMMAND_HIGH: u64 = 0x310;

/// Delivery modes of the interrupt-command register, asserted.
const NMI: u32 = 0b100 << 8 | 1 << 14;
const INIT: u32 = 0b101 << 8 | 1 << 14;
const STARTUP: u32 = 0b110 << 8 | 1 << 14;

/// The number of this CPU.
pub fn id() -> u32 {
    // SAFETY: a register of the local APIC, mapped at its own address.
    unsafe { ((BASE + ID) as *const u32).read_volatile() >> 24 }
}

fn send(to: u32, command: u32) {
    // SAFETY: as in `id`; CPUs expect what they get.
    unsafe {
        ((BASE + COMMAND_HIGH) as *mut u32).write_volatile(to << 24);
        ((BASE + COMMAND) as *mut u32).write_volatile(command);
    }
}

/// Sends an NMI.
pub fn nmi(to: u32) {
    send(to, NMI);
}

/// Resets a CPU.
pub fn init(to: u32) {
    send(to, INIT);
}

/// Starts a CPU that was reset, at a page below 1 MiB.
pub fn start_up(to: u32, page: u8) {
    send(to, STARTUP | u32::from(page));
}
