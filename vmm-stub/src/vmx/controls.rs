//! Which controls the stub runs the guest with: a pure function of what the CPU offers.
//!
//! Nothing is masked away: a control that is needed and not offered is an error that names it. What can be
//! done without is [`Absent`], and the caller says so aloud.

use core::fmt;

use heapless::Vec;

use crate::cpuid;
use crate::vmx::capability::{Capabilities, may_be_off, may_be_on};

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
    /// Bits of CR4.
    Cr4,
}

impl Offer {
    const fn of(self, cpu: &Capabilities) -> u64 {
        match self {
            Self::Pin => cpu.pin,
            Self::Primary => cpu.primary,
            Self::Secondary => cpu.secondary,
            Self::Exit => cpu.exit,
            Self::Entry => cpu.entry,
            Self::EptVpid => cpu.ept_vpid,
            Self::Cr4 => cpu.cr4_fixed1,
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
            (Self::Cr4, _) => "IA32_VMX_CR4_FIXED1",
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

const VPID: Control = (Offer::Secondary, 5, "enable VPID");
const INVVPID: Control = (Offer::EptVpid, 32, "INVVPID");
const INVVPID_SINGLE: Control = (Offer::EptVpid, 41, "single-context INVVPID");
const INVEPT_SINGLE: Control = (Offer::EptVpid, 25, "single-context INVEPT");
const INVEPT_ALL: Control = (Offer::EptVpid, 26, "all-context INVEPT");
const GIB_PAGES: Control = (Offer::EptVpid, 17, "EPT 1 GiB pages");
const ACCESSED_DIRTY: Control = (Offer::EptVpid, 21, "EPT accessed and dirty flags");

/// A needed control that the CPU does not offer as it is needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Missing {
    /// Which.
    pub control: Control,
    /// Whether it had to be on or off.
    pub on: bool,
    has_true: bool,
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (offer, bit, name) = self.control;
        let problem = if self.on { "is needed and not offered" } else { "cannot be switched off" };
        write!(f, "the CPU's {} bit {bit}, '{name}', {problem}", offer.name(self.has_true))
    }
}

/// A control that is not there, and what becomes of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Absent {
    /// Which.
    pub control: Control,
    /// What the guest has to do without.
    pub consequence: &'static str,
}

impl fmt::Display for Absent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (offer, bit, name) = self.control;
        let msr = offer.name(false);
        write!(f, "no '{name}' ({msr} bit {bit}): {}", self.consequence)
    }
}

/// How INVEPT is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u64)]
pub enum Invept {
    /// Type 1: what belongs to one EPT pointer.
    SingleContext = 1,
    /// Type 2: everything.
    AllContexts = 2,
}

/// What the guest runs with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Controls {
    /// Pin-based controls.
    pub pin: u32,
    /// Primary processor-based controls.
    pub primary: u32,
    /// Secondary processor-based controls.
    pub secondary: u32,
    /// VM-exit controls.
    pub exit: u32,
    /// VM-entry controls.
    pub entry: u32,
    /// How INVEPT is used.
    pub invept: Invept,
    /// Whether the guest has a VPID.
    pub vpid: bool,
    /// Whether EPT maps 1 GiB pages.
    pub gib_pages: bool,
    /// Whether the guest has XSAVES.
    pub xsaves: bool,
    /// CPUID bits of instructions that cannot be given to the guest.
    pub hidden: Vec<cpuid::Bit, 4>,
    /// What is not there and can be done without.
    pub absent: Vec<Absent, 8>,
}

/// Chooses the controls.
///
/// # Errors
/// The first [`Missing`] control.
pub fn negotiate(cpu: &Capabilities) -> Result<Controls, Missing> {
    check(cpu)?;
    let mut absent = Vec::new();
    let mut without = |control, consequence| {
        let there = on(cpu, control);
        if !there {
            // Room for every optional control there is.
            let _ = absent.push(Absent { control, consequence });
        }
        there
    };
    let vpid = [VPID, INVVPID, INVVPID_SINGLE]
        .into_iter()
        .all(|control| without(control, "every entry and exit flushes the TLB"));
    let gib_pages = without(GIB_PAGES, "nested paging uses 2 MiB pages");
    without(ACCESSED_DIRTY, "nothing here reads them");
    let lacks = |(control, _): &&(Control, cpuid::Bit)| !without(*control, "hidden from the guest");
    let hidden: Vec<_, 4> = INSTRUCTIONS.iter().filter(lacks).map(|(_, bit)| *bit).collect();
    let invept = if on(cpu, INVEPT_SINGLE) { Invept::SingleContext } else { Invept::AllContexts };
    let value = |offer| value(cpu, offer, vpid);
    Ok(Controls {
        pin: value(Offer::Pin),
        primary: value(Offer::Primary),
        secondary: value(Offer::Secondary),
        exit: value(Offer::Exit),
        entry: value(Offer::Entry),
        invept,
        vpid,
        gib_pages,
        xsaves: !hidden.contains(&cpuid::XSAVES),
        hidden,
        absent,
    })
}

/// Whether a control or ability is offered. Abilities and CR4 have one bit each, no two halves.
const fn on(cpu: &Capabilities, (offer, bit, _): Control) -> bool {
    match offer {
        Offer::EptVpid | Offer::Cr4 => offer.of(cpu) & 1 << bit != 0,
        _ => may_be_on(offer.of(cpu), bit),
    }
}

fn check(cpu: &Capabilities) -> Result<(), Missing> {
    let missing = |control, on| Missing { control, on, has_true: cpu.has_true() };
    let needed = NEEDED.iter().chain(&NEEDED_ABILITIES);
    if let Some(control) = needed.copied().find(|c| !on(cpu, *c)) {
        return Err(missing(control, true));
    }
    if !on(cpu, INVEPT_SINGLE) && !on(cpu, INVEPT_ALL) {
        return Err(missing(INVEPT_SINGLE, true));
    }
    let stuck = |(offer, bit, _): &Control| !may_be_off(offer.of(cpu), *bit);
    match NEEDED_OFF.iter().copied().find(stuck) {
        Some(control) => Err(missing(control, false)),
        None => Ok(()),
    }
}

/// What must be on, and what is wanted on.
fn value(cpu: &Capabilities, offer: Offer, vpid: bool) -> u32 {
    let optional = INSTRUCTIONS.iter().map(|(control, _)| *control);
    let optional = optional.filter(|control| on(cpu, *control));
    let vpid = vpid.then_some(VPID);
    let wanted = NEEDED.into_iter().chain(optional).chain(vpid);
    let bits = wanted.filter(|(of, ..)| *of == offer);
    bits.fold(offer.of(cpu) as u32, |value, (_, bit, _)| value | 1 << bit)
}

#[cfg(test)]
mod fixtures;
#[cfg(test)]
mod tests;
