//! Programs that do what programs must not.
#![expect(unsafe_code, reason = "these programs misbehave on purpose")]

use core::arch::asm;

use foreign_access::cpu::CallInstruction;
use loadphys_abi::Call;
use loadphys_apps::places::{CODE, UNMAPPED};

use crate::kernel;

/// Reads where nothing is mapped.
pub fn read_unmapped() {
    // SAFETY: it faults, and the kernel ends the program.
    unsafe { (UNMAPPED as *const u64).read_volatile() };
}

/// Jumps where nothing is mapped.
pub fn jump_nowhere() {
    // SAFETY: it faults, and the kernel ends the program.
    unsafe { asm!("jmp {}", in(reg) UNMAPPED, options(noreturn)) };
}

/// Writes to its own code.
pub fn write_code() {
    // SAFETY: it faults, and the kernel ends the program.
    unsafe { (CODE as *mut u64).write_volatile(0) };
}

/// Executes HLT.
pub fn privileged() {
    // SAFETY: it faults, and the kernel ends the program.
    unsafe { asm!("hlt") };
}

/// Asks the stub to load the entry at physical address 0, by the CPU's own instruction. With no stub below, it faults.
pub fn call_stub() {
    let status: u64;
    // SAFETY: the stub refuses, or the program is ended.
    unsafe {
        match CallInstruction::read() {
            CallInstruction::Vmcall => {
                asm!("vmcall", inlateout("rax") LOAD => status, in("rdi") 0, inlateout("rdx") 0 => _)
            }
            CallInstruction::Vmmcall => {
                asm!("vmmcall", inlateout("rax") LOAD => status, in("rdi") 0, inlateout("rdx") 0 => _)
            }
        }
    };
    kernel::stub_answered(status);
}

/// The number of the call that loads an entry.
const LOAD: u64 = Call::Load.number();

/// Sets AC and touches the stack until the timer has surely come by, with AC set all the while.
pub fn set_alignment_check() {
    const TURNS: u64 = 2_000_000;
    // SAFETY: the loop makes no unaligned access, so AC does no harm; UD2 ends the program.
    unsafe {
        asm!("pushfq", "bts qword ptr [rsp], 18", "popfq", "2:", "dec {turns}", "jnz 2b", "ud2",
             turns = in(reg) TURNS, options(noreturn));
    }
}

/// Uses a vector register.
pub fn use_vectors() {
    // SAFETY: it faults, and the kernel ends the program; nobody here keeps anything in vector registers.
    unsafe { asm!("vpxor ymm2, ymm2, ymm2", options(nostack)) };
}

/// Computes with floating-point numbers.
pub fn use_floats() {
    // SAFETY: it faults, and the kernel ends the program.
    unsafe { asm!("fldpi", options(nostack)) };
}

/// Asks for view 1 by leaf 0, once the kernel has put VMFUNC in the place of UD2 and NOP (SDM volume 3, "VM Functions"): no image
/// may spell it but in the gate. The place does not cross a word.
pub fn switch_view() {
    // SAFETY: it faults, and the kernel ends the program; where a view can be had, the code is in none but the usual one.
    unsafe {
        asm!(".balign 8", "ud2", "nop", in("eax") 0, in("ecx") 1, options(nostack));
    }
}
