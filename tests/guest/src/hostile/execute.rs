//! Executes instructions with any registers in any mode, and comes back by the exception in which that ends.
//!
//! The instructions stand before a UD2 on a page of this CPU that ring 3 may execute and 32-bit code can reach. Every
//! exception switches to a stack inside of the CPU's [`Local`], so that it is found whatever the registers hold; there its
//! registers are stored, and [`enter`] returns.
#![expect(unsafe_code, reason = "code that is written and entered")]

use core::arch::naked_asm;
use core::mem::offset_of;

use loadphys_test_guests::traps::VECTORS;

use crate::descriptors::Mode;
use crate::local::{BYTES, Local};
use crate::playground;

/// RAX, RCX, RDX, RBX, RSP, RBP, RSI, RDI, R8 to R15.
pub type Registers = [u64; 16];

pub const RAX: usize = 0;
pub const RCX: usize = 1;
pub const RDX: usize = 2;
pub const RSP: usize = 4;
pub const RSI: usize = 6;
pub const RDI: usize = 7;

/// What goes in, and what came out.
#[derive(Debug)]
#[repr(C)]
pub struct State {
    registers: Registers,
    rip: u64,
    cs: u64,
    rflags: u64,
    ss: u64,
    vector: u64,
    error: u64,
    back: u64,
}

impl State {
    /// Nothing.
    pub const ZERO: Self =
        Self { registers: [0; 16], rip: 0, cs: 0, rflags: 0, ss: 0, vector: 0, error: 0, back: 0 };
}

/// #UD.
pub const INVALID_OPCODE: u64 = 6;
/// #GP.
pub const GENERAL_PROTECTION: u64 = 13;
/// #PF.
pub const PAGE_FAULT: u64 = 14;

/// How it ended.
#[derive(Clone, Copy, Debug)]
pub struct Outcome {
    /// All instructions were executed.
    pub done: bool,
    /// The exception.
    pub vector: u64,
    /// Where.
    pub rip: u64,
    /// The registers then.
    pub registers: Registers,
}

const UD2: [u8; 2] = [0x0f, 0x0b];
/// RFLAGS: always set.
const FIXED: u64 = 2;
/// RFLAGS: an exception after each instruction.
const TRAP_FLAG: u64 = 1 << 8;

impl Local {
    /// Executes code that exceptions end, or the UD2 behind it.
    pub fn execute(&mut self, code: &[u8], registers: Registers, mode: Mode) -> Outcome {
        self.execute_with(code, registers, mode, 0)
    }

    /// The same, with one exception after the first instruction.
    pub fn step(&mut self, code: &[u8], registers: Registers, mode: Mode) -> Outcome {
        self.execute_with(code, registers, mode, TRAP_FLAG)
    }

    fn execute_with(
        &mut self,
        code: &[u8],
        registers: Registers,
        mode: Mode,
        flags: u64,
    ) -> Outcome {
        let start = playground::code(self.number);
        for (at, byte) in (start..).zip(code.iter().chain(&UD2)) {
            // SAFETY: the page is this CPU's alone.
            unsafe { (at as *mut u8).write_volatile(*byte) };
        }
        let Outcome { vector, rip, registers, .. } = self.go_to(start, registers, mode, flags);
        // Where even the fetch of the UD2 fails the instructions were executed; but a #GP there is the stub's, for a view.
        let done = rip == start + code.len() as u64 && vector != GENERAL_PROTECTION;
        Outcome { done, vector, rip, registers }
    }
}

impl Local {
    /// Executes code that is there already, and ends in an exception.
    pub fn execute_at(&mut self, start: u64, registers: Registers) -> Outcome {
        self.go_to(start, registers, Mode::Kernel, 0)
    }

    fn go_to(&mut self, rip: u64, registers: Registers, mode: Mode, flags: u64) -> Outcome {
        let (cs, ss) = mode.selectors();
        let rflags = FIXED | flags;
        self.state = State { registers, rip, cs, rflags, ss, ..State::ZERO };
        // SAFETY: what the code does is what is tried here; it ends in an exception.
        unsafe { enter(&raw mut self.state) };
        let State { registers, rip, vector, .. } = self.state;
        Outcome { done: false, vector, rip, registers }
    }
}

/// Loads the state and goes there; comes back when there is an exception.
#[unsafe(naked)]
unsafe extern "C" fn enter(state: *mut State) {
    naked_asm!(
        "push rbx",
        "push rbp",
        "push r12",
        "push r13",
        "push r14",
        "push r15",
        "mov [rdi + {back}], rsp",
        "push qword ptr [rdi + {ss}]",
        "push qword ptr [rdi + 8 * {rsp}]",
        "push qword ptr [rdi + {rflags}]",
        "push qword ptr [rdi + {cs}]",
        "push qword ptr [rdi + {rip}]",
        "mov rax, [rdi]",
        "mov rcx, [rdi + 8 * 1]",
        "mov rdx, [rdi + 8 * 2]",
        "mov rbx, [rdi + 8 * 3]",
        "mov rbp, [rdi + 8 * 5]",
        "mov rsi, [rdi + 8 * 6]",
        "mov r8, [rdi + 8 * 8]",
        "mov r9, [rdi + 8 * 9]",
        "mov r10, [rdi + 8 * 10]",
        "mov r11, [rdi + 8 * 11]",
        "mov r12, [rdi + 8 * 12]",
        "mov r13, [rdi + 8 * 13]",
        "mov r14, [rdi + 8 * 14]",
        "mov r15, [rdi + 8 * 15]",
        "mov rdi, [rdi + 8 * 7]",
        "iretq",
        back = const offset_of!(State, back),
        ss = const offset_of!(State, ss),
        rsp = const RSP,
        rflags = const offset_of!(State, rflags),
        cs = const offset_of!(State, cs),
        rip = const offset_of!(State, rip),
    )
}

/// On the stack are vector, error code, RIP, CS, RFLAGS, RSP, SS.
#[unsafe(naked)]
extern "C" fn leave() -> ! {
    naked_asm!(
        "push rdi",
        "mov rdi, rsp",
        "and rdi, -{bytes}",
        "mov [rdi], rax",
        "mov [rdi + 8 * 1], rcx",
        "mov [rdi + 8 * 2], rdx",
        "mov [rdi + 8 * 3], rbx",
        "mov [rdi + 8 * 5], rbp",
        "mov [rdi + 8 * 6], rsi",
        "mov [rdi + 8 * 8], r8",
        "mov [rdi + 8 * 9], r9",
        "mov [rdi + 8 * 10], r10",
        "mov [rdi + 8 * 11], r11",
        "mov [rdi + 8 * 12], r12",
        "mov [rdi + 8 * 13], r13",
        "mov [rdi + 8 * 14], r14",
        "mov [rdi + 8 * 15], r15",
        "pop rax",
        "mov [rdi + 8 * 7], rax",
        "pop rax",
        "mov [rdi + {vector}], rax",
        "pop rax",
        "mov [rdi + {error}], rax",
        "pop rax",
        "mov [rdi + {rip}], rax",
        "mov rax, [rsp + 16]",
        "mov [rdi + 8 * {rsp}], rax",
        "mov eax, 0x10",
        "mov ss, eax",
        "mov rsp, [rdi + {back}]",
        "push {fixed}",
        "popfq",
        "pop r15",
        "pop r14",
        "pop r13",
        "pop r12",
        "pop rbp",
        "pop rbx",
        "ret",
        bytes = const BYTES,
        vector = const offset_of!(State, vector),
        error = const offset_of!(State, error),
        rip = const offset_of!(State, rip),
        rsp = const RSP,
        back = const offset_of!(State, back),
        fixed = const FIXED,
    )
}

/// An entry for a vector; the CPU pushes an error code for some, 0 stands in for it with the others.
#[unsafe(naked)]
extern "C" fn entry<const VECTOR: u64, const PUSHED: bool>() -> ! {
    naked_asm!(
        ".if {pushed} == 0",
        "push 0",
        ".endif",
        "push {vector}",
        "jmp {leave}",
        pushed = const PUSHED as u64,
        vector = const VECTOR,
        leave = sym leave,
    )
}

/// The addresses of all entries.
pub fn handlers() -> [u64; VECTORS] {
    macro_rules! entries {
        ($($vector:literal $pushed:literal)*) => {
            [$(entry::<$vector, $pushed> as *const () as u64,)*]
        };
    }
    entries! {
        0 false 1 false 2 false 3 false 4 false 5 false 6 false 7 false
        8 true 9 false 10 true 11 true 12 true 13 true 14 true 15 false
        16 false 17 true 18 false 19 false 20 false 21 true 22 false 23 false
        24 false 25 false 26 false 27 false 28 false 29 true 30 true 31 false
    }
}
