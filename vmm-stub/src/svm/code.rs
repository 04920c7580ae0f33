//! Exit codes (APM volume 2, appendix C "SVM Intercept Exit Codes").

/// The first exception.
pub const EXCEPTION: u64 = 0x40;
/// #DB.
pub const DEBUG: u64 = 0x41;
/// The last exception.
pub const LAST_EXCEPTION: u64 = 0x5f;
/// A physical interrupt.
pub const INTERRUPT: u64 = 0x60;
/// A physical NMI.
pub const NMI: u64 = 0x61;
/// A physical INIT.
pub const INIT: u64 = 0x63;
/// CPUID.
pub const CPUID: u64 = 0x72;
/// IRET, before it is executed.
pub const IRET: u64 = 0x74;
/// INVD.
pub const INVD: u64 = 0x76;
/// INVLPGA.
pub const INVLPGA: u64 = 0x7a;
/// RDMSR or WRMSR.
pub const MSR: u64 = 0x7c;
/// A triple fault.
pub const SHUTDOWN: u64 = 0x7f;
/// VMRUN.
pub const VMRUN: u64 = 0x80;
/// VMMCALL.
pub const VMMCALL: u64 = 0x81;
/// VMLOAD; VMSAVE, STGI and CLGI follow.
pub const VMLOAD: u64 = 0x82;
/// SKINIT.
pub const SKINIT: u64 = 0x86;
/// XSETBV.
pub const XSETBV: u64 = 0x8d;
/// The nested tables do not show what was wanted.
pub const NESTED_PAGE_FAULT: u64 = 0x400;
/// The guest's state cannot be entered.
pub const INVALID: u64 = u64::MAX;

/// Bytes of the instruction that exits with this code, without superfluous prefixes; 0 where none does.
pub const fn instruction_bytes(code: u64) -> u64 {
    match code {
        CPUID | INVD | MSR => 2,
        VMMCALL | XSETBV => 3,
        _ => 0,
    }
}
