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

/// Loads all of them but RAX from where RSP points. The assembly names their places: `rcx` and so on, `r8` for the eight.
macro_rules! load_all_but_rax {
    () => {
        concat!(
            "mov rcx, [rsp + {rcx}]\n",
            "mov rdx, [rsp + {rdx}]\n",
            "mov rbx, [rsp + {rbx}]\n",
            "mov rbp, [rsp + {rbp}]\n",
            "mov rsi, [rsp + {rsi}]\n",
            "mov rdi, [rsp + {rdi}]\n",
            "mov r8, [rsp + {r8}]\n",
            "mov r9, [rsp + {r8} + 8]\n",
            "mov r10, [rsp + {r8} + 16]\n",
            "mov r11, [rsp + {r8} + 24]\n",
            "mov r12, [rsp + {r8} + 32]\n",
            "mov r13, [rsp + {r8} + 40]\n",
            "mov r14, [rsp + {r8} + 48]\n",
            "mov r15, [rsp + {r8} + 56]\n"
        )
    };
}
pub(crate) use load_all_but_rax;

/// Stores them there.
macro_rules! store_all_but_rax {
    () => {
        concat!(
            "mov [rsp + {rcx}], rcx\n",
            "mov [rsp + {rdx}], rdx\n",
            "mov [rsp + {rbx}], rbx\n",
            "mov [rsp + {rbp}], rbp\n",
            "mov [rsp + {rsi}], rsi\n",
            "mov [rsp + {rdi}], rdi\n",
            "mov [rsp + {r8}], r8\n",
            "mov [rsp + {r8} + 8], r9\n",
            "mov [rsp + {r8} + 16], r10\n",
            "mov [rsp + {r8} + 24], r11\n",
            "mov [rsp + {r8} + 32], r12\n",
            "mov [rsp + {r8} + 40], r13\n",
            "mov [rsp + {r8} + 48], r14\n",
            "mov [rsp + {r8} + 56], r15\n"
        )
    };
}
pub(crate) use store_all_but_rax;
