//! Exit codes (APM volume 2, appendix C "SVM Intercept Exit Codes").

use loadphys_abi::counters::REASONS;

/// A physical NMI.
pub const NMI: u64 = 0x61;
/// A physical INIT.
pub const INIT: u64 = 0x63;
/// CPUID.
pub const CPUID: u64 = 0x72;
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

/// The first code of what the stub ever intercepts; below are control and debug registers.
const FIRST: u64 = 0x40;

/// In which slot of the counters a code is counted: from code 0x40 on in order, and the last for those beyond, of which there is
/// one, the nested page fault.
pub const fn slot(code: u64) -> usize {
    let slot = code.saturating_sub(FIRST);
    if slot < REASONS as u64 { slot as usize } else { REASONS - 1 }
}

/// Bytes of the instruction that exits with this code, without superfluous prefixes; 0 where none does.
pub const fn instruction_bytes(code: u64) -> u64 {
    match code {
        CPUID | INVD | MSR => 2,
        VMMCALL | XSETBV => 3,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::{CPUID, NESTED_PAGE_FAULT, NMI, VMMCALL, XSETBV, slot};

    #[test]
    fn no_two_codes_share_a_slot() {
        let codes = [NMI, CPUID, VMMCALL, XSETBV, NESTED_PAGE_FAULT];
        assert_eq!(codes.map(slot), [0x21, 0x32, 0x41, 0x4d, 0x4f]);
    }
}
