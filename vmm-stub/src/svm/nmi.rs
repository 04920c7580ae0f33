//! NMIs of the guest, where it has several CPUs: then NMIs exit, since some are the stub's, and what the CPU does by itself
//! otherwise is done here. An NMI blocks others until the IRET of its handler has been executed; so IRET exits meanwhile, before it is executed.

/// What blocks NMIs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blocking {
    /// Nothing.
    Open,
    /// The handler of one runs. IRET exits.
    UntilIret,
    /// The IRET at this address is about to be executed.
    AtIret(u64),
}

/// When an NMI is delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Due {
    /// By the next entry.
    Now,
    /// When the handler of the last one is through, which makes an exit.
    AtIret,
    /// Behind the next instruction.
    AfterStep,
    /// Right behind the event that the next entry delivers.
    AfterEvent,
}

/// When an NMI is due for a guest at this address: whether it cannot be interrupted there (`shadow`, which MOV SS leaves for one
/// instruction, before the stack is whole), and whether an event is delivered first.
pub const fn due(blocking: Blocking, rip: u64, shadow: bool, event: bool) -> Due {
    match blocking {
        Blocking::UntilIret => Due::AtIret,
        _ if event => Due::AfterEvent,
        Blocking::AtIret(iret) if iret == rip => Due::AfterStep,
        _ if shadow => Due::AfterStep,
        _ => Due::Now,
    }
}

#[cfg(test)]
mod tests {
    use super::{Blocking, Due, due};

    #[test]
    fn a_second_nmi_waits_until_the_iret_has_been_executed() {
        assert_eq!(due(Blocking::UntilIret, 5, false, false), Due::AtIret);
        assert_eq!(due(Blocking::AtIret(5), 5, false, false), Due::AfterStep);
        assert_eq!(due(Blocking::AtIret(5), 9, false, false), Due::Now);
        assert_eq!(due(Blocking::AtIret(5), 5, false, true), Due::AfterEvent);
    }

    #[test]
    fn nothing_is_delivered_where_it_cannot_be() {
        assert_eq!(due(Blocking::Open, 5, false, false), Due::Now);
        assert_eq!(due(Blocking::Open, 5, true, false), Due::AfterStep);
        assert_eq!(due(Blocking::Open, 5, true, true), Due::AfterEvent);
    }
}
