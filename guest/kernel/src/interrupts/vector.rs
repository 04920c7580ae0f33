//! Vectors: exceptions as the manual numbers them (SDM volume 3, table 7-1), ours above.

/// Non-maskable interrupt.
pub const NMI: u64 = 2;
/// An exception while another was being delivered.
pub const DOUBLE_FAULT: u64 = 8;
/// General-protection fault; the stub sends one where the guest touches what is not there for it.
pub const GENERAL_PROTECTION: u64 = 13;
/// Page fault; CR2 holds the address.
pub const PAGE_FAULT: u64 = 14;
/// Machine check.
pub const MACHINE_CHECK: u64 = 18;
/// The timer of the local APIC.
pub const TIMER: u64 = 32;
/// Sent by the kernel to itself, see [`super::to_self`].
pub const TO_SELF: u64 = 33;
/// Another CPU asks this one to flush, see [`crate::tlb`].
pub const SHOOTDOWN: u64 = 34;
/// There is something to do for a parked CPU.
pub const WAKE: u64 = 35;
/// The local APIC's interrupt for nothing.
pub const SPURIOUS: u64 = 255;
/// No vector: the program came by SYSCALL.
pub const SYSCALL: u64 = 256;

/// Whether it comes of an access to memory that is not allowed, by the tables or by the stub.
pub const fn is_of_access(vector: u64) -> bool {
    matches!(vector, PAGE_FAULT | GENERAL_PROTECTION)
}

/// What an exception is called.
pub const fn name(vector: u64) -> &'static str {
    match vector {
        0 => "divide error",
        1 => "debug exception",
        NMI => "non-maskable interrupt",
        3 => "breakpoint",
        4 => "overflow",
        5 => "bound range exceeded",
        6 => "invalid opcode",
        7 => "device not available",
        DOUBLE_FAULT => "double fault",
        10 => "invalid TSS",
        11 => "segment not present",
        12 => "stack fault",
        GENERAL_PROTECTION => "general protection fault",
        PAGE_FAULT => "page fault",
        16 => "floating-point error",
        17 => "alignment check",
        MACHINE_CHECK => "machine check",
        19 => "SIMD floating-point exception",
        20 => "virtualization exception",
        21 => "control protection exception",
        TIMER => "timer",
        TO_SELF => "interrupt from the kernel to itself",
        SHOOTDOWN => "another CPU's request to flush",
        WAKE => "another CPU's call to work",
        _ => "unexpected vector",
    }
}
