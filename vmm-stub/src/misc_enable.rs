//! IA32_MISC_ENABLE (SDM volume 4, table 2-2): the guest may switch fast strings, and nothing else. The stub's own tables
//! have no-execute bits, which bit 34 would make reserved ones, and it reads CPUID leaves that bit 22 would hide.

/// Its number.
pub const NUMBER: u32 = 0x1a0;

/// Fast strings.
const FAST_STRINGS: u64 = 1 << 0;

/// Whether this value may be written, given what is there.
pub const fn allows(now: u64, new: u64) -> bool {
    now & !FAST_STRINGS == new & !FAST_STRINGS
}

#[cfg(test)]
mod tests {
    use super::{FAST_STRINGS, allows};

    #[test]
    fn only_fast_strings_change() {
        for now in [0, 0x85_0089, FAST_STRINGS | 1 << 34] {
            assert!(allows(now, now) && allows(now, now ^ FAST_STRINGS));
            for bit in 1..64 {
                assert!(!allows(now, now ^ 1 << bit), "bit {bit}");
            }
        }
    }
}
