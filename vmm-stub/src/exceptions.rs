//! Exceptions of the stub itself: a line that says which, and the end. Only an NMI is expected: it is the
//! guest's and is handed on.

use core::arch::naked_asm;
use x86_64::registers::control::Cr2;

use crate::ending::fatal;
use crate::svm::start_up;
use crate::vmx::enter;

/// Vectors of exceptions.
pub const VECTORS: usize = 32;

/// What lies on the stack when [`report`] is called.
#[derive(Debug)]
#[repr(C)]
pub struct Frame {
    vector: u64,
    error: u64,
    rip: u64,
    cs: u64,
    rflags: u64,
    rsp: u64,
    ss: u64,
}

/// Says which exception it was.
extern "C" fn report(frame: &Frame) -> ! {
    let Frame { vector, error, rip, rsp, rflags, .. } = *frame;
    let name = NAMES.get(vector as usize).copied().unwrap_or("reserved");
    let cr2 = Cr2::read_raw();
    fatal!(
        "exception {vector} ({name}) in the stub: rip={rip:#x} rsp={rsp:#x} rflags={rflags:#x} error={error:#x} cr2={cr2:#x}"
    )
}

/// SDM volume 3, table "Protected-Mode Exceptions and Interrupts".
const NAMES: [&str; 22] = [
    "divide error",
    "debug",
    "NMI",
    "breakpoint",
    "overflow",
    "bound range",
    "invalid opcode",
    "no coprocessor",
    "double fault",
    "reserved",
    "invalid TSS",
    "segment not present",
    "stack fault",
    "general protection",
    "page fault",
    "reserved",
    "x87 error",
    "alignment check",
    "machine check",
    "SIMD error",
    "virtualisation",
    "control protection",
];

/// Completes the [`Frame`] and calls [`report`], which does not return.
#[unsafe(naked)]
extern "C" fn common() -> ! {
    naked_asm!(
        "cld",
        "mov rdi, rsp",
        "and rsp, -16",
        "call {report}",
        "ud2",
        report = sym report,
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
        "jmp {common}",
        pushed = const PUSHED as u64,
        vector = const VECTOR,
        common = sym common,
    )
}

/// Counts one more, where GS points (see [`crate::descriptors`]). If the guest was about to be entered and the count was looked at already, goes back to where it
/// is looked at; between the two places nothing is done that cannot be done twice. The same where a CPU waits for one.
#[unsafe(naked)]
extern "C" fn nmi() -> ! {
    naked_asm!(
        "push rax",
        "push rdx",
        "inc dword ptr gs:[0]",
        "mov rax, [rsp + 16]",
        "lea rdx, [rip + {look}]",
        "cmp rax, rdx",
        "jb 3f",
        "lea rdx, [rip + {entered}]",
        "cmp rax, rdx",
        "jae 3f",
        "lea rdx, [rip + {look}]",
        "mov [rsp + 16], rdx",
        "jmp 2f",
        "3:",
        "lea rdx, [rip + {waited}]",
        "cmp rax, rdx",
        "jae 2f",
        "lea rdx, [rip + {wait}]",
        "cmp rax, rdx",
        "jb 2f",
        "mov [rsp + 16], rdx",
        "2:",
        "pop rdx",
        "pop rax",
        "iretq",
        look = sym enter::stub_look_for_nmi,
        entered = sym enter::stub_entered,
        wait = sym start_up::svm_look_for_nmi,
        waited = sym start_up::svm_waited,
    )
}

/// NMIs get through again. An exit by an NMI leaves them blocked until an IRET; so does, on Bochs 2.7, the state in which a
/// CPU waits for a SIPI. (Entries end the blocking too where NMIs of the guest are virtual, but not on Bochs.)
#[unsafe(naked)]
pub extern "C" fn unblock_nmis() {
    naked_asm!(
        "pop rdx",
        "mov rax, rsp",
        "mov ecx, ss",
        "push rcx",
        "push rax",
        "pushfq",
        "mov ecx, cs",
        "push rcx",
        "push rdx",
        "iretq",
    )
}

/// The addresses of all entries.
pub fn handlers() -> [u64; VECTORS] {
    macro_rules! entries {
        ($($vector:literal $pushed:literal)*) => {
            [$(entry::<$vector, $pushed> as *const () as u64,)*]
        };
    }
    let mut handlers = entries! {
        0 false 1 false 2 false 3 false 4 false 5 false 6 false 7 false
        8 true 9 false 10 true 11 true 12 true 13 true 14 true 15 false
        16 false 17 true 18 false 19 false 20 false 21 true 22 false 23 false
        24 false 25 false 26 false 27 false 28 false 29 true 30 true 31 false
    };
    handlers[2] = nmi as *const () as u64;
    handlers
}
