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

use crate::registers::{Registers, load_all_but_rax, store_all_but_rax};
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
    load_all_but_rax!(),
    // RAX is in the control block, and so are FS, GS, TR, LDTR and the MSRs of system calls.
    "mov rax, [rsp + {size} + 8]",
    "vmload rax",
    "vmrun rax",
    "vmsave rax",
    store_all_but_rax!(),
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
