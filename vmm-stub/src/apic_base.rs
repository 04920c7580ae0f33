//! IA32_APIC_BASE (SDM volume 3, section 12.4.4 "Local APIC Status and Location"): the guest may go over to x2APIC mode,
//! and nothing else. The stub reaches its CPUs through their local APICs, at the place where they are.

/// Its number.
pub const NUMBER: u32 = 0x1b;

/// The APIC is on.
pub const ENABLED: u64 = 1 << 11;
/// In x2APIC mode.
pub const X2APIC: u64 = 1 << 10;

/// Whether this value may be written, given what is there and ECX of CPUID leaf 1.
pub const fn allows(now: u64, new: u64, features: u32) -> bool {
    const HAS_X2APIC: u32 = 1 << 21;
    let has_x2apic = features & HAS_X2APIC != 0;
    new == now || has_x2apic && now & ENABLED != 0 && new == now | X2APIC
}

#[cfg(test)]
mod tests {
    use super::{ENABLED, X2APIC, allows};

    const BOOT: u64 = 0xfee0_0000 | ENABLED | 1 << 8;
    const ALL: u32 = u32::MAX;

    #[test]
    fn only_the_way_to_x2apic_is_open() {
        assert!(allows(BOOT, BOOT, 0) && allows(BOOT, BOOT | X2APIC, ALL));
        for new in [0, BOOT & !ENABLED, BOOT ^ 1 << 8, BOOT + 0x1000, BOOT | 1, BOOT | 1 << 60] {
            assert!(!allows(BOOT, new, ALL), "{new:#x}");
            assert!(!allows(BOOT | X2APIC, new, ALL), "{new:#x}");
        }
        assert!(!allows(BOOT, BOOT | X2APIC, !(1 << 21)));
        assert!(!allows(BOOT | X2APIC, BOOT, ALL), "not a way back that the CPU has");
        let off = BOOT & !ENABLED;
        assert!(!allows(off, off | X2APIC, ALL));
    }
}
