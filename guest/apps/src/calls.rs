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

/// Which patterns are meant: of the shared segment, and of a program's own pages. It comes in one register.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Generation {
    /// Of the shared segment, the same for all sharers; below 1024.
    pub shared: u64,
    /// Tells programs apart that have the same index, such as copies; below 1024.
    pub salt: u64,
}

impl Generation {
    /// As one word; without a salt it is the number itself.
    pub const fn word(self) -> u64 {
        self.salt << 32 | self.shared
    }

    /// From the word.
    pub const fn from_word(word: u64) -> Self {
        Self { shared: word & 0xffff_ffff, salt: word >> 32 }
    }

    /// The generation of a program's own pages.
    pub const fn own(self) -> u64 {
        self.salt << 10 | self.shared
    }
}

/// What a program that waited is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u64)]
pub enum Command {
    /// Write the pattern of a generation: its share of the words of every shared page, and all
    /// words of its own pages. To a follower: follow the course, and check every page that it touches.
    Write = 1,
    /// Check all words of all pages against the pattern of a generation. To a follower: and that no write was lost.
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

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::Generation;

    #[test]
    fn a_generation_is_read_as_it_is_written_and_salts_tell_programs_apart() {
        let mut owns = HashSet::new();
        for (shared, salt) in [(1, 0), (1023, 0), (1, 1), (1023, 1023)] {
            let generation = Generation { shared, salt };
            assert_eq!(Generation::from_word(generation.word()), generation);
            assert!(generation.own() < 1 << 20 && owns.insert(generation.own()));
        }
        assert_eq!(Generation::from_word(7), Generation { shared: 7, salt: 0 });
    }
}
