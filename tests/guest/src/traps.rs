//! Exceptions and NMIs on every CPU: an NMI is counted; a fault while a word is looked at is noted, and any other ends it.
#![expect(unsafe_code, reason = "an IDT, and its handlers")]

use core::arch::naked_asm;
use core::sync::atomic::{AtomicU64, Ordering};

use x86_64::VirtAddr;
use x86_64::instructions::tables::lidt;
use x86_64::structures::DescriptorTablePointer;

/// NMIs that came, on all CPUs.
static NMIS: AtomicU64 = AtomicU64::new(0);

/// NMIs that came so far.
pub fn nmis() -> u64 {
    NMIS.load(Ordering::SeqCst)
}

/// Vectors of exceptions.
const VECTORS: usize = 32;
const NMI: usize = 2;

/// The segment of the page at which CPUs start, and of the boot CPU's entry code.
const CODE: u64 = 8;

/// Loads a word that may not be there; `None`: it was not.
pub fn look(address: u64) -> Option<u64> {
    let mut faulted = 0;
    let word = load_word(address, &mut faulted);
    (faulted == 0).then_some(word)
}

/// The load that may fault, in RAX; [`fault`] goes on in [`not_there`] then.
#[unsafe(naked)]
extern "C" fn load_word(address: u64, faulted: &mut u64) -> u64 {
    naked_asm!("mov rax, [rdi]", "ret")
}

#[unsafe(naked)]
extern "C" fn not_there() {
    naked_asm!("mov qword ptr [rsi], 1", "ret")
}

/// #GP and #PF: on the stack are the error code and RIP.
#[unsafe(naked)]
extern "C" fn fault() -> ! {
    naked_asm!(
        "lea rcx, [rip + {not_there}]",
        "mov [rsp + 8], rcx",
        "add rsp, 8",
        "iretq",
        not_there = sym not_there,
    )
}

#[unsafe(naked)]
extern "C" fn nmi() -> ! {
    naked_asm!("lock inc qword ptr [rip + {nmis}]", "iretq", nmis = sym NMIS)
}

/// Everything else stops the CPU, which the boot CPU will miss.
#[unsafe(naked)]
extern "C" fn other() -> ! {
    naked_asm!("2:", "hlt", "jmp 2b")
}

/// Loads the IDT on this CPU.
pub fn load() {
    static IDT: spin::Once<[[u64; 2]; VECTORS]> = spin::Once::new();
    let idt = IDT.call_once(|| {
        core::array::from_fn(|vector| match vector {
            NMI => gate(nmi as *const () as u64),
            13 | 14 => gate(fault as *const () as u64),
            _ => gate(other as *const () as u64),
        })
    });
    let limit = (size_of_val(idt) - 1) as u16;
    let pointer = DescriptorTablePointer { limit, base: VirtAddr::from_ptr(idt) };
    // SAFETY: the handlers above end as they should.
    unsafe { lidt(&pointer) };
}

/// A present interrupt gate of ring 0.
const fn gate(handler: u64) -> [u64; 2] {
    let low = handler & 0xffff | CODE << 16 | 0x8e << 40 | (handler >> 16 & 0xffff) << 48;
    [low, handler >> 32]
}
