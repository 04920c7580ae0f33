//! CPUID: every leaf, without the bits that a stub hides or shows.

use loadphys_test_guests::{calls, say};
use raw_cpuid::cpuid;

use crate::attempt::{self, Outcome};
use crate::seen;

/// Leaf, subleaf (`None`: any), register and bits that need not be the same.
const CHANGED: [(u32, Option<u32>, usize, u32); 4] = [
    // Hypervisor, and what a stub hides: VMX, SMX, DTES64, DS-CPL, DS.
    (1, None, 2, 1 << 31 | 1 << 5 | 1 << 6 | 1 << 2 | 1 << 4),
    (1, None, 3, 1 << 21),
    // SGX, processor trace.
    (7, Some(0), 1, 1 << 2 | 1 << 25),
    // SVM.
    (0x8000_0001, None, 2, 1 << 2),
];

/// Leaves with subleaves, and how many are looked at.
const WITH_SUBLEAVES: [(u32, u32); 5] = [(4, 5), (7, 2), (0xb, 3), (0xd, 10), (0x8000_001d, 4)];

/// Leaves of their own: SGX, processor trace, SVM.
const HIDDEN: [u32; 3] = [0x12, 0x14, 0x8000_000a];

/// Looks.
pub fn look() {
    for first in [0, 0x8000_0000] {
        let last = cpuid!(first).eax;
        for leaf in first..=last.min(first + 0x40) {
            let several = WITH_SUBLEAVES.iter().find(|(with, _)| *with == leaf);
            (0..several.map_or(1, |(_, count)| *count)).for_each(|subleaf| tell(leaf, subleaf));
        }
    }
    tell_of_stub();
    virtualisation();
}

/// Whether the CPU says that it is one of Intel's: Bochs does, QEMU's emulated one does not.
pub fn is_intels() -> bool {
    const INTEL: u32 = u32::from_le_bytes(*b"Genu");
    cpuid!(0).ebx == INTEL
}

fn tell(leaf: u32, subleaf: u32) {
    let found = cpuid!(leaf, subleaf);
    let mut registers = [found.eax, found.ebx, found.ecx, found.edx];
    for (_, _, register, bits) in CHANGED
        .iter()
        .filter(|(with, sub, ..)| *with == leaf && sub.is_none_or(|sub| sub == subleaf))
    {
        registers[*register] &= !bits;
    }
    let [eax, ebx, ecx, edx] = registers;
    if !HIDDEN.contains(&leaf) && registers != [0; 4] {
        seen!("cpuid {leaf:x}.{subleaf:x} {eax:x} {ebx:x} {ecx:x} {edx:x}");
    }
}

/// What a stub shows instead.
fn tell_of_stub() {
    let (basic, extended) = (cpuid!(1), cpuid!(0x8000_0001));
    let shown = |word: u32, bit: u32| word >> bit & 1;
    say!(
        "changed: cpuid hypervisor={} vmx={} svm={}",
        shown(basic.ecx, 31),
        shown(basic.ecx, 5),
        shown(extended.ecx, 2)
    );
    if calls::stub_is_below() {
        let features = calls::features();
        say!("below: cpuid version={} views={}", features.version, features.views);
    }
}

/// No instruction of VT-x or SVM is there to be used, with CR4.VMXE and EFER.SVME out of reach.
fn virtualisation() {
    let unknown = |outcome| outcome == Outcome::Exception(6);
    let (vmxon, vmrun) = (unknown(attempt::vmxon(0x1000)), unknown(attempt::vmrun(0x1000)));
    seen!("vmxon unknown={vmxon} vmrun unknown={vmrun}");
}
