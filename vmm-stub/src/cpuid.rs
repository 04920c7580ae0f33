//! What the guest reads by CPUID: the machine, without VT-x, with the stub's own leaves.

use loadphys_abi::discovery::{self, FEATURES_LEAF, Features, SIGNATURE_LEAF};

/// Values of EAX, EBX, ECX and EDX.
pub type Answer = [u32; 4];

const EBX: usize = 1;
const ECX: usize = 2;
const EDX: usize = 3;

/// A feature bit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bit {
    leaf: u32,
    subleaf: u32,
    register: usize,
    bit: u32,
}

const fn bit(leaf: u32, subleaf: u32, register: usize, bit: u32) -> Bit {
    Bit { leaf, subleaf, register, bit }
}

/// RDTSCP and IA32_TSC_AUX.
pub const RDTSCP: Bit = bit(0x8000_0001, 0, EDX, 27);
/// INVPCID.
pub const INVPCID: Bit = bit(7, 0, EBX, 10);
/// XSAVES, XRSTORS and IA32_XSS.
pub const XSAVES: Bit = bit(0xd, 1, 0, 3);
/// Machine-check banks in MSRs from 0xc000_2000.
pub const SCALABLE_MCA: Bit = bit(0x8000_0007, 0, EBX, 3);
/// INVLPGB and TLBSYNC.
pub const INVLPGB: Bit = bit(0x8000_0008, 0, EBX, 3);
/// UMONITOR, UMWAIT, TPAUSE.
pub const WAITPKG: Bit = bit(7, 0, ECX, 5);

/// What no guest gets: VT-x, SMX and SVM are the stub's; processor trace and the debug store write to memory by
/// addresses that EPT does not check, or go on writing while the stub runs.
const NEVER: [Bit; 9] = [
    bit(0x8000_0001, 0, ECX, 2),  // SVM
    bit(0x8000_0001, 0, ECX, 12), // SKINIT
    bit(1, 0, ECX, 5),            // VMX
    bit(1, 0, ECX, 6),            // SMX
    bit(1, 0, ECX, 2),            // DTES64
    bit(1, 0, ECX, 4),            // DS-CPL
    bit(1, 0, EDX, 21),           // DS
    bit(7, 0, EBX, 2),            // SGX
    bit(7, 0, EBX, 25),           // Intel PT
];

/// A hypervisor is there.
const HYPERVISOR: Bit = bit(1, 0, ECX, 31);
/// CR4.OSXSAVE, as the guest has it.
const OSXSAVE: Bit = bit(1, 0, ECX, 27);
/// CR4.PKE, as the guest has it.
const OSPKE: Bit = bit(7, 0, ECX, 4);

/// Bits of CR4 that CPUID shows.
const CR4_OSXSAVE: u64 = 1 << 18;
const CR4_PKE: u64 = 1 << 22;

impl Bit {
    fn set(self, leaf: u32, subleaf: u32, answer: &mut Answer, on: bool) {
        if (self.leaf, self.subleaf) == (leaf, subleaf) {
            let mask = 1 << self.bit;
            let register = &mut answer[self.register];
            *register = if on { *register | mask } else { *register & !mask };
        }
    }
}

/// What the guest is told, given what the CPU says to the stub. (Leaf 1 and the extended leaves have no
/// subleaves: whatever ECX held counts as 0.)
pub fn answer(
    (leaf, subleaf): (u32, u32),
    cpu: Answer,
    guest_cr4: u64,
    hidden: &[Bit],
    features: Features,
) -> Answer {
    match leaf {
        SIGNATURE_LEAF => return discovery::signature_registers(),
        FEATURES_LEAF => return features.to_registers(),
        0x4000_0002..=0x4fff_ffff | 0x14 | 0x12 | 0x8000_000a | 0x8000_001f => return [0; 4],
        _ => {}
    }
    let subleaf = if matches!(leaf, 7 | 0xd) { subleaf } else { 0 };
    let mut answer = cpu;
    for bit in NEVER.iter().chain(hidden) {
        bit.set(leaf, subleaf, &mut answer, false);
    }
    HYPERVISOR.set(leaf, subleaf, &mut answer, true);
    OSXSAVE.set(leaf, subleaf, &mut answer, guest_cr4 & CR4_OSXSAVE != 0);
    OSPKE.set(leaf, subleaf, &mut answer, guest_cr4 & CR4_PKE != 0);
    answer
}

#[cfg(test)]
mod tests {
    use super::{CR4_OSXSAVE, INVPCID, answer};
    use loadphys_abi::discovery::{Features, RuleSet, signature_registers};

    const FEATURES: Features = Features {
        version: 1,
        alias_shift: Some(39),
        views: 1,
        rules: RuleSet::Tables,
        gate: false,
        root_views: false,
    };
    const ALL: [u32; 4] = [u32::MAX; 4];

    #[test]
    fn virtualisation_is_hidden_and_a_hypervisor_shown() {
        let on = answer((1, 7), ALL, CR4_OSXSAVE, &[], FEATURES);
        assert_eq!(on[2] & (1 << 5 | 1 << 6), 0);
        assert_eq!(on[2] & (1 << 27 | 1 << 31), 1 << 27 | 1 << 31);
        let off = answer((1, 0), ALL, 0, &[], FEATURES);
        assert_eq!(off[2] & 1 << 27, 0);
        assert_eq!(answer((1, 0), [0; 4], 0, &[], FEATURES), [0, 0, 1 << 31, 0]);
    }

    #[test]
    fn what_the_controls_lack_is_hidden_in_its_subleaf_only() {
        let hidden = [INVPCID];
        assert_eq!(answer((7, 0), ALL, 0, &hidden, FEATURES)[1] & 1 << 10, 0);
        assert_eq!(answer((7, 1), ALL, 0, &hidden, FEATURES), ALL);
        assert_eq!(answer((7, 0), ALL, 0, &[], FEATURES)[1] & 1 << 10, 1 << 10);
    }

    #[test]
    fn the_stubs_leaves_are_its_own() {
        let at = |leaf| answer((leaf, 3), ALL, 0, &[], FEATURES);
        assert_eq!(at(0x4000_0000), signature_registers());
        assert_eq!(Features::from_registers(at(0x4000_0001)), FEATURES);
        assert_eq!(at(0x4000_0002), [0; 4]);
        assert_eq!(at(0x8000_0008), ALL);
    }
}
