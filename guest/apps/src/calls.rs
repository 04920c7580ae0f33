//! System calls: the number goes in RAX, arguments in RDI, RSI, RDX, R10; answers come in RAX and RDX.
//! No call takes a pointer, so the kernel never reads a program's memory.

/// Numbers of the calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u64)]
pub enum Call {
    /// Sleep until told what to do. Answer: a [`Command`] and a generation.
    Wait = 1,
    /// So many pages (RDI) held what they should.
    Verified = 2,
    /// Page RSI of segment RDI held RDX in word R10, which is wrong.
    Mismatch = 3,
    /// The program is at its end.
    Exit = 4,
    /// The stub answered a call from ring 3 with this status (RDI).
    StubAnswered = 5,
}

impl Call {
    /// All of them, from number 1 on.
    pub const ALL: [Self; 5] =
        [Self::Wait, Self::Verified, Self::Mismatch, Self::Exit, Self::StubAnswered];

    /// The call with this number.
    pub fn from_number(number: u64) -> Option<Self> {
        Self::ALL.into_iter().find(|call| *call as u64 == number)
    }
}

/// What a program that waited is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u64)]
pub enum Command {
    /// Write the pattern of a generation: its share of the words of every shared page, and all
    /// words of its own pages.
    Write = 1,
    /// Check all words of all pages against the pattern of a generation.
    Verify = 2,
    /// Exit.
    Exit = 3,
}

impl Command {
    /// All of them, from number 1 on.
    pub const ALL: [Self; 3] = [Self::Write, Self::Verify, Self::Exit];

    /// The command with this number.
    pub fn from_number(number: u64) -> Option<Self> {
        Self::ALL.into_iter().find(|command| *command as u64 == number)
    }
}
