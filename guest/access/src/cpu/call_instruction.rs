//! With which instruction a guest calls its hypervisor.

/// Intel and AMD have one each, and raise #UD at the other's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallInstruction {
    /// VMCALL (SDM volume 3, "VMX Instruction Reference"): Intel, and others who build VT-x.
    Vmcall,
    /// VMMCALL (APM volume 3, "System Instruction Reference"): AMD, and Hygon.
    Vmmcall,
}

impl CallInstruction {
    /// By the vendor's name in CPUID leaf 0 (EBX, EDX, ECX).
    pub fn of_vendor(vendor: &[u8; 12]) -> Self {
        match vendor {
            b"AuthenticAMD" | b"HygonGenuine" => Self::Vmmcall,
            _ => Self::Vmcall,
        }
    }

    /// That of the CPU that runs this code.
    #[cfg(target_arch = "x86_64")]
    pub fn read() -> Self {
        let leaf = core::arch::x86_64::__cpuid(0);
        let mut vendor = [0; 12];
        for (part, word) in vendor.chunks_exact_mut(4).zip([leaf.ebx, leaf.edx, leaf.ecx]) {
            part.copy_from_slice(&word.to_le_bytes());
        }
        Self::of_vendor(&vendor)
    }
}

#[cfg(test)]
mod tests {
    use super::CallInstruction;

    #[test]
    fn vendors_have_their_own_instruction() {
        let all = [b"GenuineIntel", b"CentaurHauls", b"AuthenticAMD", b"HygonGenuine"];
        let [intel, via, amd, hygon] = all.map(CallInstruction::of_vendor);
        assert_eq!([intel, via], [CallInstruction::Vmcall; 2]);
        assert_eq!([amd, hygon], [CallInstruction::Vmmcall; 2]);
    }
}
