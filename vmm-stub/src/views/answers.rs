//! What the stub does where a view plays a part: decisions, no acts.

use loadphys_abi::discovery::USUAL_VIEW;

/// A nested translation that failed.
#[derive(Clone, Copy, Debug)]
pub struct Violation {
    /// The guest was in its usual view.
    pub usual: bool,
    /// An event was being delivered to it.
    pub delivering: bool,
    /// The exit qualification (SDM volume 3, table "Exit Qualification for EPT Violations").
    pub qualification: u64,
}

/// What a violation comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// #GP, or what two faults are.
    Refuse,
    /// Back to the usual view, and there #GP at the place where the guest is.
    RefuseInUsual {
        /// Code ran outside of the gate, or tables were used that the view does not show any more.
        stray: bool,
    },
    /// Back to the usual view, where the event is delivered anew: what handles it cannot be executed elsewhere.
    DeliverInUsual,
}

/// Bit 2: a fetch.
const FETCH: u64 = 1 << 2;
/// Bit 7: there is a linear address; bit 8: it had been translated, so that tables were not what was wanted.
const LINEAR: u64 = 1 << 7;
const TRANSLATED: u64 = 1 << 8;

impl Violation {
    /// What it comes to.
    pub const fn answer(self) -> Answer {
        let walking = is_walk(self.qualification);
        match (self.usual, self.delivering) {
            (true, _) => Answer::Refuse,
            (false, true) => Answer::DeliverInUsual,
            (false, false) => {
                Answer::RefuseInUsual { stray: walking || self.qualification & FETCH != 0 }
            }
        }
    }
}

/// Whether it was the walker's access to a table.
pub const fn is_walk(qualification: u64) -> bool {
    qualification & (LINEAR | TRANSLATED) == LINEAR
}

/// When an NMI of the guest's is delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Due {
    /// By the next entry.
    Now,
    /// When the guest is back in its usual view: nothing that handles an NMI can be executed before.
    BackInUsual,
    /// As soon as the guest can take one, which makes an exit.
    AtWindow,
    /// After some later exit.
    Later,
}

/// When an NMI is delivered, given in which view the guest is, whether it can take an NMI now (nothing blocks it, and nothing
/// else is delivered first), and whether NMIs exit at all.
pub const fn nmi_due(usual: bool, can_take: bool, nmis_exit: bool) -> Due {
    let usual = usual || cfg!(feature = "broken-nmi-in-view");
    match (usual, can_take, nmis_exit) {
        (false, ..) => Due::BackInUsual,
        (true, true, _) => Due::Now,
        (true, false, true) => Due::AtWindow,
        (true, false, false) => Due::Later,
    }
}

/// What a VMFUNC that exited comes to, given EAX and ECX: the way back is closed while an NMI waits for it, and only then does
/// it exit. (Anything else names what is not there.)
pub const fn is_way_back(function: u32, view: u32) -> bool {
    cfg!(feature = "broken-vmfunc") || function == 0 && view == USUAL_VIEW
}

/// What exits with basic reason 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// An NMI.
    Nmi,
    /// A machine check, the one exception that exits.
    MachineCheck,
}

/// Which it was, given the interruption information (section "Information for VM Exits Due to Vectored Events").
pub const fn event(information: u64) -> Event {
    const KIND: u64 = 0b111 << 8;
    const NMI: u64 = 2 << 8;
    if information & KIND == NMI { Event::Nmi } else { Event::MachineCheck }
}

#[cfg(test)]
mod tests {
    use super::{Answer, Due, Event, Violation, event, is_way_back, nmi_due};

    const READ: u64 = 1 << 0 | 1 << 7 | 1 << 8;
    const WRITE: u64 = 1 << 1 | 1 << 7 | 1 << 8;
    const FETCH: u64 = 1 << 2 | 1 << 7 | 1 << 8;
    const WALK: u64 = 1 << 0 | 1 << 7;

    fn answer(usual: bool, delivering: bool, qualification: u64) -> Answer {
        Violation { usual, delivering, qualification }.answer()
    }

    #[test]
    fn the_usual_view_refuses_as_ever() {
        for qualification in [READ, WRITE, FETCH, WALK] {
            for delivering in [false, true] {
                assert_eq!(answer(true, delivering, qualification), Answer::Refuse);
            }
        }
    }

    #[test]
    fn no_refusal_leaves_the_guest_in_another_view() {
        let stray = |qualification| match answer(false, false, qualification) {
            Answer::RefuseInUsual { stray } => stray,
            other => panic!("{other:?}"),
        };
        assert_eq!([READ, WRITE, FETCH, WALK].map(stray), [false, false, true, true]);
        assert_eq!(answer(false, true, FETCH), Answer::DeliverInUsual);
    }

    #[test]
    fn an_nmi_waits_in_every_other_view_whatever_else_there_is() {
        for can_take in [false, true] {
            for nmis_exit in [false, true] {
                assert_eq!(nmi_due(false, can_take, nmis_exit), Due::BackInUsual);
            }
        }
        assert_eq!(nmi_due(true, true, true), Due::Now);
        assert_eq!(nmi_due(true, true, false), Due::Now);
        assert_eq!(nmi_due(true, false, true), Due::AtWindow);
        assert_eq!(nmi_due(true, false, false), Due::Later);
    }

    #[test]
    fn one_switch_is_the_way_back_and_no_other() {
        assert!(is_way_back(0, 0));
        for (function, view) in [(0, 1), (1, 0), (0, 512), (u32::MAX, 0), (0, u32::MAX)] {
            assert!(!is_way_back(function, view));
        }
    }

    #[test]
    fn an_nmi_is_told_from_a_machine_check() {
        assert_eq!(event(1 << 31 | 2 << 8 | 2), Event::Nmi);
        assert_eq!(event(1 << 31 | 1 << 12 | 2 << 8 | 2), Event::Nmi);
        assert_eq!(event(1 << 31 | 3 << 8 | 18), Event::MachineCheck);
    }
}
