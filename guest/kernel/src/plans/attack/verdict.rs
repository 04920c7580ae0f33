//! What came of an attack, in words that are the same for what is alike.

use core::fmt;

use foreign_access::Refusal;
use foreign_access::cpu::CallInstruction;
use loadphys_abi::Status;
use loadphys_plan::records::Sentence;
use x86_64::VirtAddr;

use crate::interrupts::vector;
use crate::layout::{
    ALIAS_SLOT, DIRECT_SLOT, DYNAMIC_SLOT, FOREIGN_SLOTS, IMAGE_SLOT, KERNEL_HALF, MOST_CPUS,
    PLACES_SLOT, SELF_SLOT,
};
use crate::power::sentence;

/// What came of one store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stored {
    /// It came where it was aimed.
    Landed,
    /// It was done, and not there.
    Elsewhere,
    /// It faulted.
    Faulted {
        /// By this vector.
        vector: u64,
        /// After the nested tables did not allow it.
        by_stub: bool,
    },
}

/// What came of an attack.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// Whether it came to nothing; `None` if it was not tried.
    pub stopped: Option<bool>,
    /// By what, by which way it came through, or why it was not tried.
    pub by: Sentence,
}

impl Verdict {
    /// Something stopped it.
    pub fn stopped(by: fmt::Arguments<'_>) -> Self {
        Self { stopped: Some(true), by: sentence(by) }
    }

    /// It came through.
    pub fn came_through(by: fmt::Arguments<'_>) -> Self {
        Self { stopped: Some(false), by: sentence(by) }
    }

    /// It was not tried.
    pub fn untested(why: &str) -> Self {
        Self { stopped: None, by: sentence(format_args!("{why}")) }
    }

    /// No address leads there.
    pub fn no_way() -> Self {
        Self::stopped(format_args!("not mapped anywhere"))
    }

    /// The method was not allowed to do its part.
    pub fn refused(refusal: Refusal) -> Self {
        let status = match refusal {
            Refusal::Stub(status) => Status::from_number(status),
            Refusal::Differs | Refusal::Above4GiB => None,
        };
        match status {
            Some(status) => Self::stopped(format_args!("the stub refuses the entry: {status:?}")),
            None => Self::stopped(format_args!("refused: {refusal:?}")),
        }
    }

    /// Of one store, by this way.
    pub fn of(stored: Stored, way: VirtAddr) -> Self {
        match stored {
            Stored::Landed => Self::came_through(format_args!("{}", place(way))),
            Stored::Elsewhere => Self::came_through(format_args!("it stored to something else")),
            Stored::Faulted { vector, by_stub } => {
                let name = vector::name(vector);
                let stub = if by_stub { by_nested_tables() } else { "" };
                Self::stopped(format_args!("{stub}{name}"))
            }
        }
    }

    /// The same attack once more, under other circumstances; it is told if that came to something else.
    pub fn and(self, circumstances: &str, later: &Self) -> Self {
        if self == *later {
            return self;
        }
        let through = if later.stopped == Some(false) { "it comes through: " } else { "" };
        let by = sentence(format_args!("{}; {circumstances}: {through}{}", self.by, later.by));
        Self { by, ..self }
    }

    /// More is known of what came through or stopped it.
    pub fn though(self, more: &str) -> Self {
        Self { by: sentence(format_args!("{}, {more}", self.by)), ..self }
    }

    /// What leads up to it is told first.
    pub fn after(self, before: &str) -> Self {
        Self { by: sentence(format_args!("{before}, then {}", self.by)), ..self }
    }
}

/// What the CPU calls an access that the nested tables do not allow, and who told the guest of it.
fn by_nested_tables() -> &'static str {
    match CallInstruction::read() {
        CallInstruction::Vmcall => "EPT violation, the stub: ",
        CallInstruction::Vmmcall => "nested page fault, the stub: ",
    }
}

/// Where in the virtual space an address is.
fn place(way: VirtAddr) -> &'static str {
    match u16::from(way.p4_index()) {
        ALIAS_SLOT => "by the alias",
        DIRECT_SLOT => "by the map of all memory",
        PLACES_SLOT => "by the array of frames",
        SELF_SLOT => "by the self slot",
        DYNAMIC_SLOT => "by a window",
        IMAGE_SLOT => "by the image",
        slot if slot < KERNEL_HALF => "by its page",
        slot if (FOREIGN_SLOTS..FOREIGN_SLOTS + MOST_CPUS).contains(&slot) => "by the lent slot",
        _ => "by an address of the kernel's half",
    }
}
