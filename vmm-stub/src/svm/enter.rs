//! Into the guest and out again, for good.
//!
//! GIF is 0 from the first entry on while the stub runs: interrupts, NMIs, INIT and machine checks wait for the guest (APM
//! volume 2, section 15.17 "Global Interrupt Flag"). On the stack of [`run`]:
//!
//! ```text
//! | ... | Registers (128 bytes) | &mut Cpu | guest's VMCB | stub's VMCB | return address |
//!       ^ RSP
//! ```
#![expect(unsafe_code, reason = "assembly that enters the guest")]

use core::arch::global_asm;
use core::ffi::c_void;
use core::mem::offset_of;

use crate::registers::Registers;
use crate::svm::{Cpu, exits};

const SIZE: usize = size_of::<Registers>();

// The stack is aligned for the call of `on_exit`, and the copy in `svm_run` is by words of 8 bytes.
const _: () = assert!(SIZE == 128);

unsafe extern "C" {
    fn svm_run(registers: *const Registers, cpu: *mut c_void, guest: u64, host: u64) -> !;
}

/// Runs the guest.
///
/// # Safety
/// SVM is on; the control block is complete, and its nested tables keep the stub's memory away from the guest. The host's was
/// filled by VMSAVE on this CPU.
pub unsafe fn run(registers: &Registers, cpu: &mut Cpu) -> ! {
    let (guest, host) = (&raw const *cpu.vcpu.vmcb as u64, cpu.vcpu.host);
    // SAFETY: the caller's promise; while the guest runs, `cpu` is lent to `on_exit` alone. The stub's memory is mapped 1:1.
    unsafe { svm_run(registers, (&raw mut *cpu).cast(), guest, host) }
}

global_asm!(
    ".globl svm_run",
    "svm_run:",
    "clgi",
    "push rcx",
    "push rdx",
    "push rsi",
    "sub rsp, {size}",
    "mov rsi, rdi",
    "mov rdi, rsp",
    "mov ecx, {size} / 8",
    "rep movsq",
    "2:",
    "mov rcx, [rsp + {rcx}]",
    "mov rdx, [rsp + {rdx}]",
    "mov rbx, [rsp + {rbx}]",
    "mov rbp, [rsp + {rbp}]",
    "mov rsi, [rsp + {rsi}]",
    "mov rdi, [rsp + {rdi}]",
    "mov r8, [rsp + {r8}]",
    "mov r9, [rsp + {r8} + 8]",
    "mov r10, [rsp + {r8} + 16]",
    "mov r11, [rsp + {r8} + 24]",
    "mov r12, [rsp + {r8} + 32]",
    "mov r13, [rsp + {r8} + 40]",
    "mov r14, [rsp + {r8} + 48]",
    "mov r15, [rsp + {r8} + 56]",
    // RAX is in the control block, and so are FS, GS, TR, LDTR and the MSRs of system calls.
    "mov rax, [rsp + {size} + 8]",
    "vmload rax",
    "vmrun rax",
    "vmsave rax",
    "mov [rsp + {rcx}], rcx",
    "mov [rsp + {rdx}], rdx",
    "mov [rsp + {rbx}], rbx",
    "mov [rsp + {rbp}], rbp",
    "mov [rsp + {rsi}], rsi",
    "mov [rsp + {rdi}], rdi",
    "mov [rsp + {r8}], r8",
    "mov [rsp + {r8} + 8], r9",
    "mov [rsp + {r8} + 16], r10",
    "mov [rsp + {r8} + 24], r11",
    "mov [rsp + {r8} + 32], r12",
    "mov [rsp + {r8} + 40], r13",
    "mov [rsp + {r8} + 48], r14",
    "mov [rsp + {r8} + 56], r15",
    "mov rax, [rsp + {size} + 16]",
    "vmload rax",
    "mov rdi, rsp",
    "mov rsi, [rsp + {size}]",
    "call {on_exit}",
    "jmp 2b",
    size = const SIZE,
    rcx = const offset_of!(Registers, rcx),
    rdx = const offset_of!(Registers, rdx),
    rbx = const offset_of!(Registers, rbx),
    rbp = const offset_of!(Registers, rbp),
    rsi = const offset_of!(Registers, rsi),
    rdi = const offset_of!(Registers, rdi),
    r8 = const offset_of!(Registers, r8_to_r15),
    on_exit = sym exits::on_exit,
);
