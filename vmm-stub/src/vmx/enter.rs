//! Into the guest and out again.
//!
//! [`run`] is left only when an entry fails. On its stack it keeps a [`Registers`] and above it the pointer to the
//! [`Cpu`]; exits begin with RSP at that pointer:
//!
//! ```text
//! | ... | Registers (128 bytes) | &mut Cpu | rbx rbp r12-r15 | return address |
//!       ^ during an exit        ^ HOST_RSP
//! ```
//!
//! An exit stores the guest's registers, calls [`exits::on_exit`], loads them and resumes. The registers of the stub
//! itself need no saving, since nothing above that call needs them.
#![expect(unsafe_code, reason = "assembly that enters the guest")]

use core::arch::global_asm;
use core::ffi::c_void;
use core::mem::offset_of;

use x86::vmx::vmcs::host;

use crate::registers::{Registers, load_all_but_rax, store_all_but_rax};
use crate::vmx::instructions::{Failure, outcome};
use crate::vmx::{Cpu, events, exits};

const SIZE: usize = size_of::<Registers>();

// The stack is aligned for the call of `on_exit`, and the copy in `stub_run` is by words of 8 bytes.
const _: () = assert!(SIZE == 128);

unsafe extern "C" {
    fn stub_run(registers: *const Registers, cpu: *mut c_void) -> u64;
    fn stub_exit();
    pub(crate) fn stub_look_for_nmi();
    pub(crate) fn stub_entered();
}

/// Where exits go.
pub fn exit_address() -> u64 {
    stub_exit as *const () as u64
}

/// Runs the guest, for the first time and for good: it comes back only if an entry fails.
///
/// # Safety
/// The current VMCS is that of `cpu`; its controls and host state are complete, its EPT keeps the stub's memory away
/// from the guest.
pub unsafe fn run(registers: &Registers, cpu: &mut Cpu) -> Failure {
    // SAFETY: the caller's promise; while the guest runs, `cpu` is lent to `on_exit` alone.
    let flags = unsafe { stub_run(registers, (&raw mut *cpu).cast()) };
    match outcome(flags & 1 != 0, flags & 2 != 0) {
        Err(failure) => failure,
        Ok(()) => Failure::Valid(0),
    }
}

global_asm!(
    ".macro STUB_LOAD_GUEST",
    "mov rax, [rsp + {rax}]",
    load_all_but_rax!(),
    ".endm",
    ".globl stub_run, stub_exit, stub_look_for_nmi, stub_entered",
    "stub_run:",
    "push rbx",
    "push rbp",
    "push r12",
    "push r13",
    "push r14",
    "push r15",
    "push rsi",
    "mov eax, {host_rsp}",
    "vmwrite rax, rsp",
    "lea rsp, [rsp - {size}]",
    "jbe 3f",
    "mov rsi, rdi",
    "mov rdi, rsp",
    "mov ecx, {size} / 8",
    "rep movsq",
    "STUB_LOAD_GUEST",
    "vmlaunch",
    "jmp 3f",
    "stub_exit:",
    "sub rsp, {size}",
    "mov [rsp + {rax}], rax",
    store_all_but_rax!(),
    "mov rdi, rsp",
    "mov rsi, [rsp + {size}]",
    "call {on_exit}",
    // From here to the entry an NMI comes back to here, see `exceptions`; this CPU's count is where GS points.
    "stub_look_for_nmi:",
    "cmp dword ptr gs:[0], 0",
    "jne 2f",
    "STUB_LOAD_GUEST",
    "vmresume",
    "stub_entered:",
    "jmp 3f",
    "2:",
    "mov rdi, [rsp + {size}]",
    "call {on_nmi}",
    "jmp stub_look_for_nmi",
    // The entry failed: CF in bit 0, ZF in bit 1.
    "3:",
    "setc al",
    "setz cl",
    "movzx eax, al",
    "movzx ecx, cl",
    "lea eax, [rax + 2 * rcx]",
    "add rsp, {size} + 8",
    "pop r15",
    "pop r14",
    "pop r13",
    "pop r12",
    "pop rbp",
    "pop rbx",
    "ret",
    size = const SIZE,
    host_rsp = const host::RSP,
    rax = const offset_of!(Registers, rax),
    rcx = const offset_of!(Registers, rcx),
    rdx = const offset_of!(Registers, rdx),
    rbx = const offset_of!(Registers, rbx),
    rbp = const offset_of!(Registers, rbp),
    rsi = const offset_of!(Registers, rsi),
    rdi = const offset_of!(Registers, rdi),
    r8 = const offset_of!(Registers, r8_to_r15),
    on_exit = sym exits::on_exit,
    on_nmi = sym events::on_nmi,
);
