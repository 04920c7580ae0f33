//! The MSR permissions map: the guest has the machine's MSRs, except a few (APM volume 2, section 15.11 "MSR Intercepts").

use crate::svm::efer;
use crate::{apic_base, icr};

/// Its size.
pub const BYTES: usize = 2 * 4096;

/// MSRs that the guest can neither read nor write: #GP, as on a CPU without SVM.
const DENIED: [(u32, u32); 2] = [
    (0xc001_0114, 0xc001_0119), // VM_CR, IGNNE, SMM_CTL, VM_HSAVE_PA, SVM_KEY, SMM_KEY
    (0xc001_0130, 0xc001_0131), // GHCB, SEV_STATUS
];

/// MSRs whose writes exit. Some are done, in part: IA32_APIC_BASE as far as [`apic_base`] allows, EFER ([`efer`]), commands to
/// other CPUs ([`crate::apic_page`]), and of a microcode update nothing. The others are refused: they say what is memory, behind
/// all tables, where SMM is, and what CPUID says.
const WRITES_EXIT: [(u32, u32); 13] = [
    (icr::MSR, icr::MSR),
    (apic_base::NUMBER, apic_base::NUMBER),
    (efer::NUMBER, efer::NUMBER),
    (0xc001_0010, 0xc001_0010), // SYSCFG
    (0xc001_0016, 0xc001_0019), // IORRBase, IORRMask
    (0xc001_001a, 0xc001_001a), // TOP_MEM
    (0xc001_001d, 0xc001_001d), // TOP_MEM2
    (0xc001_0020, 0xc001_0020), // PATCH_LOADER
    (0xc001_0058, 0xc001_0058), // MMIO_CFG_BASE_ADDR
    (0xc001_0111, 0xc001_0111), // SMM_BASE
    (0xc001_0112, 0xc001_0113), // SMM_ADDR, SMM_MASK
    (0xc001_0132, 0xc001_0133), // RMP_BASE, RMP_END
    (0xc001_1000, 0xc001_1005), // what CPUID says
];

/// MSRs whose reads exit.
const READS_EXIT: [u32; 1] = [efer::NUMBER];

/// The first MSRs of the three ranges that the map has, 2 KiB each.
const RANGES: [u32; 3] = [0, 0xc000_0000, 0xc001_0000];
const RANGE_MSRS: u32 = 0x2000;
const RANGE_BYTES: usize = 2048;

const READ: u8 = 0b01;
const WRITE: u8 = 0b10;

/// Sets the bits of what exits in a zeroed map.
pub fn fill(map: &mut [u8]) {
    for (first, last) in DENIED {
        (first..=last).for_each(|msr| set(map, msr, READ | WRITE));
    }
    for (first, last) in WRITES_EXIT {
        (first..=last).for_each(|msr| set(map, msr, WRITE));
    }
    READS_EXIT.iter().for_each(|msr| set(map, *msr, READ));
}

/// Two bits an MSR.
fn set(map: &mut [u8], msr: u32, bits: u8) {
    for (range, first) in RANGES.into_iter().enumerate() {
        if let Some(place) = msr.checked_sub(first).filter(|place| *place < RANGE_MSRS) {
            map[range * RANGE_BYTES + place as usize / 4] |= bits << (place % 4 * 2);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{BYTES, fill};

    #[test]
    fn each_msr_has_its_two_bits() {
        let mut map = [0; BYTES];
        fill(&mut map);
        let bits = |byte: usize, place: usize| map[byte] >> (2 * place) & 3;
        assert_eq!(bits(0x1b / 4, 3), 0b10, "APIC base");
        assert_eq!(bits(0x800 + 0x80 / 4, 0), 0b11, "EFER");
        assert_eq!(bits(0x1000 + 0x117 / 4, 3), 0b11, "VM_HSAVE_PA");
        assert_eq!(bits(0x1000 + 0x20 / 4, 0), 0b10, "PATCH_LOADER");
        assert_eq!(bits(0x1000 + 0x1a / 4, 2), 0b10, "TOP_MEM");
        assert_eq!(map.iter().map(|byte| byte.count_ones()).sum::<u32>(), 2 * 8 + 23 + 1);
    }
}
