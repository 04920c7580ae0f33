//! IA32_MISC_ENABLE (SDM volume 4, table 2-2): the guest may switch fast strings and, where there is such a thing, the automatic
//! thermal control, as Linux does; and nothing else. The stub's own tables have no-execute bits, which bit 34 would make reserved
//! ones, and it reads CPUID leaves that bit 22 would hide.

/// Its number.
pub const NUMBER: u32 = 0x1a0;

/// Fast strings.
const FAST_STRINGS: u64 = 1 << 0;

/// Automatic thermal control circuit.
const THERMAL: u64 = 1 << 3;

/// CPUID leaf 1, EDX: the CPU has it (TM).
const HAS_THERMAL: u32 = 1 << 29;

/// Whether this value may be written, given what is there, and EDX of CPUID leaf 1.
pub const fn allows(now: u64, new: u64, features: u32) -> bool {
    let thermal = if features & HAS_THERMAL != 0 { THERMAL } else { 0 };
    (now ^ new) & !(FAST_STRINGS | thermal) == 0
}

#[cfg(test)]
mod tests {
    use super::{FAST_STRINGS, HAS_THERMAL, THERMAL, allows};

    #[test]
    fn only_fast_strings_and_thermal_control_change() {
        for now in [0, 0x85_0089, FAST_STRINGS | 1 << 34] {
            assert!(allows(now, now, 0) && allows(now, now ^ FAST_STRINGS, 0));
            assert!(allows(now, now ^ THERMAL, HAS_THERMAL) && !allows(now, now ^ THERMAL, 0));
            for bit in (1..64).filter(|bit| 1 << bit != THERMAL) {
                assert!(!allows(now, now ^ 1 << bit, HAS_THERMAL), "bit {bit}");
            }
        }
    }
}
