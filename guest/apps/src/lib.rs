//! What the kernel and the ring-3 programs agree on: which programs there are ([`Program`]), what
//! they are told at the start ([`Start`]), what they may call ([`calls`]), where their memory lies
//! ([`places`]), in which order they may touch it ([`course`]) and what they write there ([`pattern`]).
#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]

pub mod calls;
pub mod course;
pub mod pattern;
pub mod places;

/// The programs of the image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u64)]
pub enum Program {
    /// Writes and checks the pages of the shared segment and its own, as it is told.
    Sharer = 0,
    /// Reads memory that is not mapped.
    ReadUnmapped = 1,
    /// Jumps to where no code is.
    JumpNowhere = 2,
    /// Writes to its own code.
    WriteCode = 3,
    /// Executes an instruction that only ring 0 may.
    Privileged = 4,
    /// Calls the stub, which only ring 0 may, and reports the status.
    CallStub = 5,
    /// Sets RFLAGS.AC, under which SMAP protects nothing, and runs for a while.
    SetAlignmentCheck = 6,
    /// Uses a vector register, which only the kernel may.
    UseVectors = 7,
    /// Computes with floating-point numbers, which nobody may.
    UseFloats = 8,
    /// Touches its own pages in the order of a course.
    Follower = 9,
    /// Executes VMFUNC, which switches views where there are any, if the kernel has put it there; UD2 otherwise.
    SwitchView = 10,
}

impl Program {
    /// All of them, by number.
    pub const ALL: [Self; 11] = [
        Self::Sharer,
        Self::ReadUnmapped,
        Self::JumpNowhere,
        Self::WriteCode,
        Self::Privileged,
        Self::CallStub,
        Self::SetAlignmentCheck,
        Self::UseVectors,
        Self::UseFloats,
        Self::Follower,
        Self::SwitchView,
    ];

    /// The program with this number.
    pub fn from_number(number: u64) -> Option<Self> {
        Self::ALL.get(usize::try_from(number).ok()?).copied()
    }
}

/// What a program is told, in RDI, RSI, RDX, RCX, R8 and R9.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Start {
    /// Which program it is.
    pub program: Program,
    /// A number of its own; modulo the sharers, its place among them.
    pub index: u64,
    /// How many share the segment.
    pub sharers: u64,
    /// Pages of the shared segment.
    pub shared_pages: u64,
    /// Pages of its own.
    pub private_pages: u64,
    /// The course that it follows, if it follows one.
    pub route: Option<course::Route>,
}

#[cfg(test)]
mod tests {
    use super::Program;

    #[test]
    fn programs_are_found_by_number() {
        for program in Program::ALL {
            assert_eq!(Program::from_number(program as u64), Some(program));
        }
        assert_eq!(Program::from_number(Program::ALL.len() as u64), None);
    }
}
