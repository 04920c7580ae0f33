//! The controls that matter here: where each is offered, its bit, its name in the manual.
//!
//! Section titles are those of the SDM, volume 3.

use crate::cpuid;
use crate::vmx::capability::Capabilities;

/// An MSR that offers controls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Offer {
    /// Pin-based controls.
    Pin,
    /// Primary processor-based controls.
    Primary,
    /// Secondary processor-based controls.
    Secondary,
    /// VM-exit controls.
    Exit,
    /// VM-entry controls.
    Entry,
    /// Abilities of EPT and VPID.
    EptVpid,
    /// What VMFUNC can do.
    VmFunctions,
    /// Bits of CR4.
    Cr4,
    /// Among others, activity states.
    Misc,
}

impl Offer {
    pub(super) const fn of(self, cpu: &Capabilities) -> u64 {
        match self {
            Self::Pin => cpu.pin,
            Self::Primary => cpu.primary,
            Self::Secondary => cpu.secondary,
            Self::Exit => cpu.exit,
            Self::Entry => cpu.entry,
            Self::EptVpid => cpu.ept_vpid,
            Self::VmFunctions => cpu.vm_functions,
            Self::Cr4 => cpu.cr4_fixed1,
            Self::Misc => cpu.misc,
        }
    }

    /// The MSR's name in the manual.
    pub const fn name(self, has_true: bool) -> &'static str {
        match (self, has_true) {
            (Self::Pin, false) => "IA32_VMX_PINBASED_CTLS",
            (Self::Pin, true) => "IA32_VMX_TRUE_PINBASED_CTLS",
            (Self::Primary, false) => "IA32_VMX_PROCBASED_CTLS",
            (Self::Primary, true) => "IA32_VMX_TRUE_PROCBASED_CTLS",
            (Self::Secondary, _) => "IA32_VMX_PROCBASED_CTLS2",
            (Self::Exit, false) => "IA32_VMX_EXIT_CTLS",
            (Self::Exit, true) => "IA32_VMX_TRUE_EXIT_CTLS",
            (Self::Entry, false) => "IA32_VMX_ENTRY_CTLS",
            (Self::Entry, true) => "IA32_VMX_TRUE_ENTRY_CTLS",
            (Self::EptVpid, _) => "IA32_VMX_EPT_VPID_CAP",
            (Self::VmFunctions, _) => "IA32_VMX_VMFUNC",
            (Self::Cr4, _) => "IA32_VMX_CR4_FIXED1",
            (Self::Misc, _) => "IA32_VMX_MISC",
        }
    }
}

/// A control: where it is offered, its bit, its name in the manual.
pub type Control = (Offer, u32, &'static str);

/// Controls without which there is no guest (SDM volume 3, sections "VM-Execution Control Fields", "VM-Exit
/// Control Fields", "VM-Entry Control Fields").
pub const NEEDED: [Control; 13] = [
    (Offer::Primary, 28, "use MSR bitmaps"),
    (Offer::Primary, 31, "activate secondary controls"),
    (Offer::Secondary, 1, "enable EPT"),
    (Offer::Secondary, 7, "unrestricted guest"),
    (Offer::Exit, 2, "save debug controls"),
    (Offer::Exit, 9, "host address-space size"),
    (Offer::Exit, 18, "save IA32_PAT"),
    (Offer::Exit, 19, "load IA32_PAT"),
    (Offer::Exit, 20, "save IA32_EFER"),
    (Offer::Exit, 21, "load IA32_EFER"),
    (Offer::Entry, 2, "load debug controls"),
    (Offer::Entry, 14, "load IA32_PAT"),
    (Offer::Entry, 15, "load IA32_EFER"),
];

/// Abilities without which EPT cannot be used as it is here (appendix A.10 "VPID and EPT Capabilities").
pub const NEEDED_ABILITIES: [Control; 5] = [
    (Offer::EptVpid, 6, "EPT page-walk length of 4"),
    (Offer::EptVpid, 14, "write-back EPT tables"),
    (Offer::EptVpid, 16, "EPT 2 MiB pages"),
    (Offer::EptVpid, 20, "INVEPT"),
    (Offer::Cr4, 13, "CR4.VMXE"),
];

/// What a guest on several CPUs needs besides: a CPU waits for a SIPI in it, and an NMI of the stub's gets through to the
/// stub at any time while the guest's own are blocked as on bare metal.
pub const SEVERAL: [Control; 4] = [
    (Offer::Misc, 8, "activity state wait-for-SIPI"),
    (Offer::Pin, 3, "NMI exiting"),
    (Offer::Pin, 5, "virtual NMIs"),
    (Offer::Primary, 22, "NMI-window exiting"),
];

/// Controls that make NMIs exit, and are switched on for several CPUs and for views; NMI-window exiting comes and goes.
pub(super) const NMIS: [Control; 2] = [SEVERAL[1], SEVERAL[2]];

/// What views need that VMFUNC switches to: itself; and that NMIs exit, so that one can wait until the guest is back in its
/// usual view.
pub const VIEWS: [Control; 5] = [
    (Offer::Secondary, 13, "enable VM functions"),
    (Offer::VmFunctions, 0, "EPTP switching"),
    SEVERAL[1],
    SEVERAL[2],
    SEVERAL[3],
];

/// The one of them that is switched on besides [`NMIS`].
pub(super) const VM_FUNCTIONS: Control = VIEWS[0];

/// Controls that would make the guest exit for what is its own business; a CPU that cannot leave them off is
/// not good enough.
pub const NEEDED_OFF: [Control; 16] = [
    (Offer::Pin, 0, "external-interrupt exiting"),
    (Offer::Pin, 3, "NMI exiting"),
    (Offer::Primary, 7, "HLT exiting"),
    (Offer::Primary, 9, "INVLPG exiting"),
    (Offer::Primary, 10, "MWAIT exiting"),
    (Offer::Primary, 11, "RDPMC exiting"),
    (Offer::Primary, 12, "RDTSC exiting"),
    (Offer::Primary, 15, "CR3-load exiting"),
    (Offer::Primary, 16, "CR3-store exiting"),
    (Offer::Primary, 19, "CR8-load exiting"),
    (Offer::Primary, 20, "CR8-store exiting"),
    (Offer::Primary, 23, "MOV-DR exiting"),
    (Offer::Primary, 24, "unconditional I/O exiting"),
    (Offer::Primary, 29, "MONITOR exiting"),
    (Offer::Primary, 30, "PAUSE exiting"),
    (Offer::Entry, 9, "IA-32e mode guest"),
];

/// Instructions that the guest has only with a control, and the CPUID bit that hides them without it.
pub const INSTRUCTIONS: [(Control, cpuid::Bit); 4] = [
    ((Offer::Secondary, 3, "enable RDTSCP"), cpuid::RDTSCP),
    ((Offer::Secondary, 12, "enable INVPCID"), cpuid::INVPCID),
    ((Offer::Secondary, 20, "enable XSAVES/XRSTORS"), cpuid::XSAVES),
    ((Offer::Secondary, 26, "enable user wait and pause"), cpuid::WAITPKG),
];

/// Tags of the guest in the TLB.
pub(super) const VPID: Control = (Offer::Secondary, 5, "enable VPID");
/// The instruction that flushes by tag.
pub(super) const INVVPID: Control = (Offer::EptVpid, 32, "INVVPID");
/// All of one tag.
pub(super) const INVVPID_SINGLE: Control = (Offer::EptVpid, 41, "single-context INVVPID");
/// All of one EPT pointer.
pub(super) const INVEPT_SINGLE: Control = (Offer::EptVpid, 25, "single-context INVEPT");
/// All of every EPT pointer.
pub(super) const INVEPT_ALL: Control = (Offer::EptVpid, 26, "all-context INVEPT");
/// The largest nested pages.
pub(super) const GIB_PAGES: Control = (Offer::EptVpid, 17, "EPT 1 GiB pages");
/// What nested walks write.
pub(super) const ACCESSED_DIRTY: Control = (Offer::EptVpid, 21, "EPT accessed and dirty flags");
