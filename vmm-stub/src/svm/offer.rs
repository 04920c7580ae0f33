//! What the CPU offers of SVM, and what is chosen of it: pure.

use core::fmt;

use heapless::Vec;

/// What says what the CPU offers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Offer {
    /// CPUID leaf 0x8000_0001, ECX: bit 2 is SVM.
    pub features: u32,
    /// CPUID leaf 0x8000_000a, EBX: how many address-space identifiers there are.
    pub asids: u32,
    /// The same leaf, EDX: abilities.
    pub abilities: u32,
    /// MSR VM_CR (0xc001_0114), of which [`SVM_DISABLED`] counts; 0 without SVM.
    pub vm_cr: u64,
}

/// SVM.
const SVM: u32 = 1 << 2;
/// VM_CR.SVMDIS: EFER.SVME cannot be set.
pub const SVM_DISABLED: u64 = 1 << 4;

/// Bits of the abilities (APM volume 3, appendix E, function 8000_000Ah).
const NESTED_PAGING: u32 = 0;
const NEXT_RIP: u32 = 3;
const FLUSH_BY_ASID: u32 = 6;

/// Something that is needed and not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Missing {
    /// SVM itself.
    Svm,
    /// It is switched off.
    Disabled,
    /// Nested paging.
    NestedPaging,
    /// More identifiers than the stub's own.
    Asids(u32),
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Svm => f.write_str("this CPU offers no SVM (CPUID leaf 0x80000001, ECX bit 2)"),
            Self::Disabled => {
                f.write_str("SVM is switched off (VM_CR.SVMDIS): switch it on in the firmware's setup")
            }
            Self::NestedPaging => f.write_str(
                "the CPU's SVM bit 0, 'nested paging' (CPUID leaf 0x8000000a, EDX), is needed and not offered",
            ),
            Self::Asids(count) => write!(
                f,
                "the CPU has {count} address-space identifiers (CPUID leaf 0x8000000a, EBX): 2 are needed"
            ),
        }
    }
}

/// Something that is not there, and what follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Absent {
    /// Its name.
    pub name: &'static str,
    /// Its bit.
    pub bit: u32,
    /// What follows.
    pub consequence: &'static str,
}

impl fmt::Display for Absent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, bit, consequence } = self;
        write!(f, "no '{name}' (CPUID leaf 0x8000000a, EDX bit {bit}): {consequence}")
    }
}

/// How the guest is run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setup {
    /// The CPU says where the next instruction is.
    pub next_rip: bool,
    /// A flush can be of the guest's translations alone.
    pub flush_by_asid: bool,
    /// What is not there.
    pub absent: Vec<Absent, 2>,
}

/// Chooses.
///
/// # Errors
/// [`Missing`].
pub fn negotiate(offer: &Offer) -> Result<Setup, Missing> {
    match () {
        () if offer.features & SVM == 0 => return Err(Missing::Svm),
        () if offer.vm_cr & SVM_DISABLED != 0 => return Err(Missing::Disabled),
        () if offer.abilities & 1 << NESTED_PAGING == 0 => return Err(Missing::NestedPaging),
        () if offer.asids < 2 => return Err(Missing::Asids(offer.asids)),
        () => {}
    }
    let mut absent = Vec::new();
    let mut there = |bit: u32, name, consequence| {
        let there = offer.abilities & 1 << bit != 0;
        if !there {
            // Room for both.
            let _ = absent.push(Absent { name, bit, consequence });
        }
        there
    };
    let lengths = "instructions that exit must have no superfluous prefixes";
    Ok(Setup {
        next_rip: there(NEXT_RIP, "next RIP saved", lengths),
        flush_by_asid: there(FLUSH_BY_ASID, "flush by ASID", "a flush takes the stub's TLB too"),
        absent,
    })
}

#[cfg(test)]
mod tests {
    use super::{Missing, Offer, negotiate};

    const ALL: Offer = Offer { features: u32::MAX, asids: 16, abilities: u32::MAX, vm_cr: 0 };

    #[test]
    fn what_is_needed_is_named() {
        let missing = |offer: Offer| negotiate(&offer).unwrap_err();
        assert_eq!(missing(Offer { features: !4, ..ALL }), Missing::Svm);
        assert_eq!(missing(Offer { vm_cr: 1 << 4, ..ALL }), Missing::Disabled);
        assert_eq!(missing(Offer { abilities: !1, ..ALL }), Missing::NestedPaging);
        assert_eq!(missing(Offer { asids: 1, ..ALL }), Missing::Asids(1));
    }

    #[test]
    fn what_is_optional_is_told() {
        let all = negotiate(&ALL).unwrap();
        assert!(all.next_rip && all.flush_by_asid && all.absent.is_empty());
        let little = negotiate(&Offer { abilities: 1, ..ALL }).unwrap();
        assert!(!little.next_rip && !little.flush_by_asid && little.absent.len() == 2);
        let told = little.absent[0].to_string();
        assert!(
            told.starts_with("no 'next RIP saved' (CPUID leaf 0x8000000a, EDX bit 3): "),
            "{told}"
        );
    }
}
