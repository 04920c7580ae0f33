//! The gate: one page, from which other views are looked into.
#![expect(unsafe_code, reason = "VMFUNC, and symbols of the link script")]

use core::arch::{global_asm, naked_asm};
use core::sync::atomic::{AtomicU64, Ordering};

/// What ends a visit: a word that becomes something else than 0; and how many visits have begun that wait for it.
#[repr(C)]
pub struct Watch {
    /// The visit ends as soon as this is not 0; one that waits for nothing is given none.
    pub leave: AtomicU64,
    /// Visits that have looked and wait.
    pub inside: AtomicU64,
}

impl Watch {
    /// Nobody is inside, and nobody is to leave.
    pub const fn new() -> Self {
        Self { leave: AtomicU64::new(0), inside: AtomicU64::new(0) }
    }
}

/// A visit to another view.
pub struct Visit<'a> {
    /// Its number.
    pub view: u32,
    /// The address of the word that is looked at there.
    pub word: u64,
    /// What is waited for.
    pub watch: Option<&'a Watch>,
    /// EAX and ECX of the VMFUNC that ends the visit: 0 and 0 for the way back.
    pub leave: (u32, u32),
}

impl Visit<'_> {
    /// A visit that waits for nothing and goes the way back.
    pub const fn short(view: u32, word: u64) -> Self {
        Self { view, word, watch: None, leave: (0, 0) }
    }

    /// Goes there; gives the word, or the vector of the exception that ended it.
    pub fn go(&self) -> Result<u64, u64> {
        let mut vector = 0;
        let watch = self.watch.map_or(0, |watch| (&raw const *watch) as u64);
        let leave = u64::from(self.leave.0) << 32 | u64::from(self.leave.1);
        // SAFETY: the page is code that ends as a function does, also when it faults (`crate::traps`).
        let word = unsafe { gate_page(self.word, &mut vector, self.view, watch, leave) };
        if vector == 0 { Ok(word) } else { Err(vector) }
    }
}

/// Where the gate is.
pub fn page() -> u64 {
    gate_page as *const () as u64
}

/// VMFUNC with these in EAX and ECX, in a place that is not the gate; 0, or the vector of the exception that it ended with.
pub fn outside(function: u32, view: u32) -> u64 {
    let mut vector = 0;
    vmfunc(function, &mut vector, view);
    vector
}

#[unsafe(naked)]
extern "C" fn vmfunc(function: u32, vector: &mut u64, view: u32) {
    naked_asm!("mov eax, edi", "mov ecx, edx", "vmfunc", "ret")
}

unsafe extern "C" {
    fn gate_page(word: u64, vector: &mut u64, view: u32, watch: u64, leave: u64) -> u64;
}

global_asm!(
    ".section .gate, \"ax\"",
    ".globl gate_page",
    "gate_page:",
    "mov r9, rcx",
    "mov ecx, edx",
    "xor eax, eax",
    "vmfunc",
    "mov r10, [rdi]",
    "test r9, r9",
    "jz 3f",
    "lock inc qword ptr [r9 + {inside}]",
    "2:",
    "pause",
    "cmp qword ptr [r9 + {leave}], 0",
    "je 2b",
    "3:",
    "mov ecx, r8d",
    "shr r8, 32",
    "mov eax, r8d",
    "vmfunc",
    "mov rax, r10",
    "ret",
    ".section .text",
    inside = const core::mem::offset_of!(Watch, inside),
    leave = const core::mem::offset_of!(Watch, leave),
);

/// Lets a visit end.
pub fn let_go(watch: &Watch) {
    watch.leave.store(1, Ordering::SeqCst);
}

/// Visits that wait.
pub fn inside(watch: &Watch) -> u64 {
    watch.inside.load(Ordering::SeqCst)
}
