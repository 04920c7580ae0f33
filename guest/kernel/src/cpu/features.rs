//! What the CPU can do, by CPUID (SDM volume 2, "CPUID").

use heapless::String;
use loadphys_abi::discovery::{self, RuleSet};
use raw_cpuid::{CpuId, cpuid};

/// Features that the kernel uses where they are offered.
#[derive(Clone, Debug)]
pub struct Features {
    /// Brand string.
    pub brand: String<64>,
    /// Supervisor mode cannot execute user pages.
    pub smep: bool,
    /// Supervisor mode cannot touch user pages unless it says so.
    pub smap: bool,
    /// User mode cannot read descriptor-table registers.
    pub umip: bool,
    /// Address spaces are tagged in the TLB.
    pub pcid: bool,
    /// Vectors of 32 bytes with all that is needed to use them (AVX2, XSAVE).
    pub avx2: bool,
    /// Pages of 1 GiB.
    pub gigabyte_pages: bool,
    /// Pages can be barred from execution.
    pub no_execute: bool,
    /// SYSCALL and SYSRET.
    pub syscall: bool,
    /// The loadphys stub below, if it is there.
    pub stub: Option<discovery::Features>,
}

impl Features {
    /// Asks the CPU.
    pub fn read() -> Self {
        let cpuid = CpuId::new();
        let basic = cpuid.get_feature_info();
        let extended = cpuid.get_extended_feature_info();
        let processor = cpuid.get_extended_processor_and_feature_identifiers();
        let has = |answer: Option<bool>| answer.unwrap_or(false);
        Self {
            brand: brand(&cpuid),
            smep: has(extended.as_ref().map(|e| e.has_smep())),
            smap: has(extended.as_ref().map(|e| e.has_smap())),
            umip: has(extended.as_ref().map(|e| e.has_umip())),
            pcid: has(basic.as_ref().map(|b| b.has_pcid())),
            avx2: has(extended.as_ref().map(|e| e.has_avx2()))
                && has(basic.as_ref().map(|b| b.has_avx() && b.has_xsave())),
            gigabyte_pages: has(processor.as_ref().map(|p| p.has_1gib_pages())),
            no_execute: has(processor.as_ref().map(|p| p.has_execute_disable())),
            syscall: has(processor.as_ref().map(|p| p.has_syscall_sysret())),
            stub: has(basic.as_ref().map(|b| b.has_hypervisor())).then(stub).flatten(),
        }
    }

    /// What the stub below checks; [`RuleSet::Tables`] where there is none.
    pub fn rules(&self) -> RuleSet {
        self.stub.map_or(RuleSet::Tables, |stub| stub.rules)
    }

    /// The first of the features that another CPU has and this one has not, or the other way round.
    pub fn difference(&self, other: &Self) -> Option<(&'static str, bool, bool)> {
        let pairs = [
            ("SMEP", self.smep, other.smep),
            ("SMAP", self.smap, other.smap),
            ("UMIP", self.umip, other.umip),
            ("PCID", self.pcid, other.pcid),
            ("no-execute", self.no_execute, other.no_execute),
            ("SYSCALL", self.syscall, other.syscall),
            ("AVX2", self.avx2, other.avx2),
            ("the stub", self.stub.is_some(), other.stub.is_some()),
        ];
        pairs.into_iter().find(|(_, here, there)| here != there)
    }
}

fn brand<R: raw_cpuid::CpuIdReader>(cpuid: &CpuId<R>) -> String<64> {
    let brand = cpuid.get_processor_brand_string();
    let text = brand.as_ref().map_or("unnamed", |brand| brand.as_str().trim());
    text.chars().filter(char::is_ascii).take(64).collect()
}

/// The stub, if the hypervisor below is that and speaks our version.
fn stub() -> Option<discovery::Features> {
    let signature = cpuid!(discovery::SIGNATURE_LEAF);
    let [_, b, c, d] = discovery::signature_registers();
    if [signature.ebx, signature.ecx, signature.edx] != [b, c, d] {
        return None;
    }
    let leaf = cpuid!(discovery::FEATURES_LEAF);
    let features = discovery::Features::from_registers([leaf.eax, leaf.ebx, leaf.ecx, leaf.edx]);
    (features.version == discovery::ABI_VERSION).then_some(features)
}
