//! The VMX capability MSRs (SDM volume 3, appendix A "VMX Capability Reporting Facility").

/// The numbers of the MSRs.
pub mod msr {
    /// IA32_VMX_BASIC.
    pub const BASIC: u32 = 0x480;
    /// IA32_VMX_PINBASED_CTLS.
    pub const PIN: u32 = 0x481;
    /// IA32_VMX_PROCBASED_CTLS.
    pub const PRIMARY: u32 = 0x482;
    /// IA32_VMX_EXIT_CTLS.
    pub const EXIT: u32 = 0x483;
    /// IA32_VMX_ENTRY_CTLS.
    pub const ENTRY: u32 = 0x484;
    /// IA32_VMX_MISC.
    pub const MISC: u32 = 0x485;
    /// IA32_VMX_CR0_FIXED0.
    pub const CR0_FIXED0: u32 = 0x486;
    /// IA32_VMX_CR0_FIXED1.
    pub const CR0_FIXED1: u32 = 0x487;
    /// IA32_VMX_CR4_FIXED0.
    pub const CR4_FIXED0: u32 = 0x488;
    /// IA32_VMX_CR4_FIXED1.
    pub const CR4_FIXED1: u32 = 0x489;
    /// IA32_VMX_PROCBASED_CTLS2.
    pub const SECONDARY: u32 = 0x48b;
    /// IA32_VMX_EPT_VPID_CAP.
    pub const EPT_VPID: u32 = 0x48c;
    /// IA32_VMX_VMFUNC.
    pub const VM_FUNCTIONS: u32 = 0x491;
    /// How far an IA32_VMX_TRUE_x_CTLS lies behind its IA32_VMX_x_CTLS.
    pub const TO_TRUE: u32 = 0x48d - PIN;
    /// The last of them all, IA32_VMX_PROCBASED_CTLS3 and what may follow left out.
    pub const LAST: u32 = VM_FUNCTIONS;
}

/// Bit 55 of IA32_VMX_BASIC: the IA32_VMX_TRUE_x_CTLS are there, and what they say counts.
const HAS_TRUE: u64 = 1 << 55;

/// What the CPU offers. MSRs that a CPU need not have are 0 where it does not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capabilities {
    /// IA32_VMX_BASIC.
    pub basic: u64,
    /// IA32_VMX_PINBASED_CTLS, or the TRUE one.
    pub pin: u64,
    /// IA32_VMX_PROCBASED_CTLS, or the TRUE one.
    pub primary: u64,
    /// IA32_VMX_PROCBASED_CTLS2.
    pub secondary: u64,
    /// IA32_VMX_EXIT_CTLS, or the TRUE one.
    pub exit: u64,
    /// IA32_VMX_ENTRY_CTLS, or the TRUE one.
    pub entry: u64,
    /// IA32_VMX_EPT_VPID_CAP.
    pub ept_vpid: u64,
    /// IA32_VMX_VMFUNC.
    pub vm_functions: u64,
    /// IA32_VMX_MISC.
    pub misc: u64,
    /// IA32_VMX_CR0_FIXED0: bits that must be set.
    pub cr0_fixed0: u64,
    /// IA32_VMX_CR0_FIXED1: bits that may be set.
    pub cr0_fixed1: u64,
    /// IA32_VMX_CR4_FIXED0: bits that must be set.
    pub cr4_fixed0: u64,
    /// IA32_VMX_CR4_FIXED1: bits that may be set.
    pub cr4_fixed1: u64,
}

impl Capabilities {
    /// Reads them on a CPU with VMX; asks only for MSRs that are there.
    pub fn read(read: impl Fn(u32) -> u64) -> Self {
        let basic = read(msr::BASIC);
        let to_true = if basic & HAS_TRUE != 0 { msr::TO_TRUE } else { 0 };
        let primary = read(msr::PRIMARY + to_true);
        let secondary = if may_be_on(primary, 31) { read(msr::SECONDARY) } else { 0 };
        let ept_or_vpid = may_be_on(secondary, 1) || may_be_on(secondary, 5);
        Self {
            basic,
            pin: read(msr::PIN + to_true),
            primary,
            secondary,
            exit: read(msr::EXIT + to_true),
            entry: read(msr::ENTRY + to_true),
            ept_vpid: if ept_or_vpid { read(msr::EPT_VPID) } else { 0 },
            vm_functions: if may_be_on(secondary, 13) { read(msr::VM_FUNCTIONS) } else { 0 },
            misc: read(msr::MISC),
            cr0_fixed0: read(msr::CR0_FIXED0),
            cr0_fixed1: read(msr::CR0_FIXED1),
            cr4_fixed0: read(msr::CR4_FIXED0),
            cr4_fixed1: read(msr::CR4_FIXED1),
        }
    }

    /// Whether the TRUE MSRs were read.
    pub const fn has_true(&self) -> bool {
        self.basic & HAS_TRUE != 0
    }

    /// What the VMXON region and every VMCS begin with.
    pub const fn revision(&self) -> u32 {
        self.basic as u32 & 0x7fff_ffff
    }
}

/// Whether a control may be 1: the upper half of its MSR says so (section A.3.1 and others).
pub const fn may_be_on(msr: u64, bit: u32) -> bool {
    msr >> 32 & 1 << bit != 0
}

/// Whether a control may be 0: the lower half says so.
pub const fn may_be_off(msr: u64, bit: u32) -> bool {
    msr & 1 << bit == 0
}
