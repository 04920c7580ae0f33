//! Which controls the stub runs the guest with: a pure function of what the CPU offers.
//!
//! Nothing is masked away: a control that is needed and not offered is an error that names it. What can be
//! done without is [`Absent`], and the caller says so aloud.

use core::fmt;

use heapless::Vec;

use crate::cpuid;
use crate::vmx::capability::{Capabilities, may_be_off, may_be_on};

mod offers;

use offers::{
    ACCESSED_DIRTY, GIB_PAGES, INVEPT_ALL, INVEPT_SINGLE, INVVPID, INVVPID_SINGLE, NMIS,
    VM_FUNCTIONS, VPID,
};
pub use offers::{
    Control, INSTRUCTIONS, NEEDED, NEEDED_ABILITIES, NEEDED_OFF, Offer, SEVERAL, VIEWS,
};

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

impl Invept {
    /// The operand that names it.
    pub const fn operand(self) -> u64 {
        if cfg!(feature = "broken-invept-type") { 3 } else { self as u64 }
    }
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
    /// Whether the guest has several CPUs.
    pub several: bool,
    /// Whether there can be views that VMFUNC switches to.
    pub views: bool,
    /// Whether the guest has XSAVES.
    pub xsaves: bool,
    /// CPUID bits of instructions that cannot be given to the guest.
    pub hidden: Vec<cpuid::Bit, 4>,
    /// What is not there and can be done without.
    pub absent: Vec<Absent, 12>,
}

impl Controls {
    /// Whether NMIs exit, and the stub delivers those that are the guest's.
    pub const fn nmis(&self) -> bool {
        self.several || self.views
    }
}

/// Chooses the controls, for a machine with several CPUs or one.
///
/// # Errors
/// The first [`Missing`] control.
pub fn negotiate(cpu: &Capabilities, several: bool) -> Result<Controls, Missing> {
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
    let several =
        several && SEVERAL.into_iter().all(|control| without(control, "the guest gets one CPU"));
    let views =
        VIEWS.into_iter().all(|control| without(control, "no gate, no views of other roots"));
    // One flush is to reach every view.
    let all = on(cpu, INVEPT_ALL) && (views || !on(cpu, INVEPT_SINGLE));
    let invept = if all { Invept::AllContexts } else { Invept::SingleContext };
    let switched_on = Optional { vpid, views, nmis: several || views };
    let value = |offer| value(cpu, offer, switched_on);
    Ok(Controls {
        pin: value(Offer::Pin),
        primary: value(Offer::Primary),
        secondary: value(Offer::Secondary),
        exit: value(Offer::Exit),
        entry: value(Offer::Entry),
        invept,
        vpid,
        gib_pages,
        several,
        views,
        xsaves: !hidden.contains(&cpuid::XSAVES),
        hidden,
        absent,
    })
}

/// Whether a control or ability is offered. Abilities and CR4 have one bit each, no two halves.
const fn on(cpu: &Capabilities, (offer, bit, _): Control) -> bool {
    match offer {
        Offer::EptVpid | Offer::VmFunctions | Offer::Cr4 | Offer::Misc => {
            offer.of(cpu) & 1 << bit != 0
        }
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

/// What can be done without, and is wanted on where all of it is there.
#[derive(Clone, Copy)]
struct Optional {
    vpid: bool,
    views: bool,
    nmis: bool,
}

/// What must be on, and what is wanted on.
fn value(cpu: &Capabilities, offer: Offer, there: Optional) -> u32 {
    let optional = INSTRUCTIONS.iter().map(|(control, _)| *control);
    let optional = optional.filter(|control| on(cpu, *control));
    let vpid = there.vpid.then_some(VPID);
    let views = there.views.then_some(VM_FUNCTIONS);
    let nmis = NMIS.into_iter().filter(|_| there.nmis);
    let wanted = NEEDED.into_iter().chain(optional).chain(vpid).chain(views).chain(nmis);
    let bits = wanted.filter(|(of, ..)| *of == offer);
    bits.fold(offer.of(cpu) as u32, |value, (_, bit, _)| value | 1 << bit)
}

#[cfg(test)]
mod outcomes;
#[cfg(test)]
mod tests;
