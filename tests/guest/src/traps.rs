//! Exceptions and NMIs on every CPU: an NMI is counted; #UD, #GP and #PF are noted and end the function that they come in; any
//! other ends the CPU's work.
#![expect(unsafe_code, reason = "an IDT, and its handlers")]

use core::arch::naked_asm;
use core::sync::atomic::{AtomicU64, Ordering};

use x86_64::VirtAddr;
use x86_64::instructions::tables::lidt;
use x86_64::structures::DescriptorTablePointer;

use crate::ring3;

/// NMIs that came, on all CPUs.
static NMIS: AtomicU64 = AtomicU64::new(0);

/// NMIs that came so far.
pub fn nmis() -> u64 {
    NMIS.load(Ordering::SeqCst)
}

/// Vectors of exceptions.
pub const VECTORS: usize = 32;
/// Among them, that of NMIs.
pub const NMI: usize = 2;

/// The segment of the page at which CPUs start, and of the boot CPU's entry code.
const CODE: u64 = 8;

/// Loads a word that may not be there; `None`: it was not.
pub fn look(address: u64) -> Option<u64> {
    let mut vector = 0;
    let word = load_word(address, &mut vector);
    (vector == 0).then_some(word)
}

/// Stores 0 where that may not be allowed; says whether it was.
pub fn write(address: u64) -> bool {
    let mut vector = 0;
    store_word(address, &mut vector);
    vector == 0
}

// What may fault has, like these, the place for the vector as its second argument, and nothing on the stack: it ends where it
// faults.

#[unsafe(naked)]
extern "C" fn load_word(address: u64, vector: &mut u64) -> u64 {
    naked_asm!("mov rax, [rdi]", "ret")
}

#[unsafe(naked)]
extern "C" fn store_word(address: u64, vector: &mut u64) {
    naked_asm!("mov qword ptr [rdi], 0", "ret")
}

#[unsafe(naked)]
extern "C" fn general_protection() -> ! {
    naked_asm!("mov qword ptr [rsi], 13", "add rsp, 8", "jmp {end}", end = sym end)
}

#[unsafe(naked)]
extern "C" fn page_fault() -> ! {
    naked_asm!("mov qword ptr [rsi], 14", "add rsp, 8", "jmp {end}", end = sym end)
}

#[unsafe(naked)]
extern "C" fn invalid_opcode() -> ! {
    naked_asm!("mov qword ptr [rsi], 6", "jmp {end}", end = sym end)
}

/// Ends what has faulted. On the stack are RIP and CS.
#[unsafe(naked)]
extern "C" fn end() -> ! {
    naked_asm!(
        "test byte ptr [rsp + 8], 3",
        "jnz {ring_3}",
        "lea rcx, [rip + {leave}]",
        "mov [rsp], rcx",
        "iretq",
        ring_3 = sym ring3::come_back,
        leave = sym leave,
    )
}

#[unsafe(naked)]
extern "C" fn leave() {
    naked_asm!("ret")
}

/// An NMI is counted.
#[unsafe(naked)]
pub extern "C" fn nmi() -> ! {
    naked_asm!("lock inc qword ptr [rip + {nmis}]", "iretq", nmis = sym NMIS)
}

/// Everything else stops the CPU, which the boot CPU will miss.
#[unsafe(naked)]
extern "C" fn other() -> ! {
    naked_asm!("2:", "hlt", "jmp 2b")
}

/// Loads the IDT on this CPU.
pub fn load() {
    static IDT: spin::Once<Gates> = spin::Once::new();
    let idt = IDT.call_once(gates);
    // SAFETY: the handlers above end as they should.
    unsafe { load_gates(idt) };
}

/// What [`load`] loads.
pub fn gates() -> Gates {
    core::array::from_fn(|vector| match vector {
        NMI => gate(nmi as *const () as u64, 0),
        6 => gate(invalid_opcode as *const () as u64, 0),
        13 => gate(general_protection as *const () as u64, 0),
        14 => gate(page_fault as *const () as u64, 0),
        _ => gate(other as *const () as u64, 0),
    })
}

/// An IDT for exceptions.
pub type Gates = [[u64; 2]; VECTORS];

/// Loads an IDT on this CPU.
///
/// # Safety
/// Its handlers end as they should.
pub unsafe fn load_gates(idt: &'static Gates) {
    let limit = (size_of_val(idt) - 1) as u16;
    let pointer = DescriptorTablePointer { limit, base: VirtAddr::from_ptr(idt) };
    // SAFETY: the caller's promise.
    unsafe { lidt(&pointer) };
}

/// A present interrupt gate of ring 0, on the stack with this number in the TSS; 0: on the one that is there.
pub const fn gate(handler: u64, stack: u64) -> [u64; 2] {
    let handler_low = handler & 0xffff | (handler >> 16 & 0xffff) << 48;
    let low = handler_low | CODE << 16 | stack << 32 | 0x8e << 40;
    [low, handler >> 32]
}
