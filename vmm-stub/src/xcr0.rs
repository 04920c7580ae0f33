//! What may be loaded into XCR0 (SDM volume 1, section "Enabling the XSAVE Feature Set and XSAVE-Enabled
//! Features"): XSETBV always exits, and what the CPU would refuse must be refused for it.

const X87: u64 = 1 << 0;
const SSE: u64 = 1 << 1;
const AVX: u64 = 1 << 2;
const MPX: u64 = 0b11 << 3;
const AVX_512: u64 = 0b111 << 5;
const AMX: u64 = 0b11 << 17;

/// Whether a CPU with these features (CPUID leaf 0xd, EDX:EAX) takes this value.
pub const fn allowed(value: u64, supported: u64) -> bool {
    value & !supported == 0
        && value & X87 != 0
        && needs(value, AVX, SSE)
        && needs(value, AVX_512, AVX)
        && together(value, MPX)
        && together(value, AVX_512)
        && together(value, AMX)
}

const fn needs(value: u64, feature: u64, other: u64) -> bool {
    value & feature == 0 || value & other == other
}

const fn together(value: u64, bits: u64) -> bool {
    value & bits == 0 || value & bits == bits
}

#[cfg(test)]
mod tests {
    use super::allowed;

    #[test]
    fn what_kernels_load_is_allowed() {
        for value in [1, 0b11, 0b111, 0xe7, 0x1f, 0x6_00e7] {
            assert!(allowed(value, 0x6_00ff), "{value:#x}");
        }
    }

    #[test]
    fn what_the_cpu_refuses_is_refused() {
        for value in [0, 0b110, 0b101, 0x67, 0xe3, 0b1011, 0x2_0007, 1 << 63 | 1] {
            assert!(!allowed(value, 0x6_00ff), "{value:#x}");
        }
        assert!(!allowed(0b111, 0b11));
    }
}
