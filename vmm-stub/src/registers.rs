//! The guest's general registers, as both back ends store them at an exit.

/// The guest's general registers, in the order of their numbers in instructions. RSP is the back end's to keep, and its place
/// here is not used.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C)]
pub struct Registers {
    /// RAX.
    pub rax: u64,
    /// RCX.
    pub rcx: u64,
    /// RDX.
    pub rdx: u64,
    /// RBX.
    pub rbx: u64,
    /// Not used.
    pub unused: u64,
    /// RBP.
    pub rbp: u64,
    /// RSI.
    pub rsi: u64,
    /// RDI.
    pub rdi: u64,
    /// R8 to R15.
    pub r8_to_r15: [u64; 8],
}

impl Registers {
    /// Gives the register with this number a value; RSP keeps its own.
    pub const fn set_numbered(&mut self, number: u64, value: u64) {
        match number {
            0 => self.rax = value,
            1 => self.rcx = value,
            2 => self.rdx = value,
            3 => self.rbx = value,
            5 => self.rbp = value,
            6 => self.rsi = value,
            7 => self.rdi = value,
            8..=15 => self.r8_to_r15[number as usize - 8] = value,
            _ => {}
        }
    }

    /// The register with this number; `None` for RSP.
    pub const fn numbered(&self, number: u64) -> Option<u64> {
        Some(match number {
            0 => self.rax,
            1 => self.rcx,
            2 => self.rdx,
            3 => self.rbx,
            5 => self.rbp,
            6 => self.rsi,
            7 => self.rdi,
            8..=15 => self.r8_to_r15[number as usize - 8],
            _ => return None,
        })
    }
}
