//! Leaving long mode, turning paging off, working on physical memory, and coming back.
//!
//! The way there and back (SDM volume 3, section 11.8.5 "Initializing IA-32e Mode", backwards):
//! 1. a stack in the image, and the *dual* interrupt table;
//! 2. the boot tables, which map memory below 4 GiB at its own address and the image where it is; CR4.PCIDE off,
//!    without which paging cannot be turned off;
//! 3. the same interrupt table and a segment table by their physical addresses, code at its physical address,
//!    compatibility mode, and CR0.PG off: from here on this is a 32-bit CPU without paging;
//! 4. the work; then all of it in reverse.
//!
//! Interrupts are off throughout. An NMI can strike anywhere. In long mode the CPU takes gate 2 of the interrupt table from its
//! bytes 32 to 47, in legacy mode from bytes 16 to 23. The dual table has a gate in both places, so it is right in either
//! mode, and no moment is without one. (A machine check here stops the machine, as it does elsewhere.)
#![expect(unsafe_code, reason = "turns paging off")]

use core::arch::{global_asm, naked_asm};
use core::cell::UnsafeCell;

use loadphys_abi::batch::{Action, Item};
use x86_64::VirtAddr;
use x86_64::structures::DescriptorTablePointer;

use crate::cpu::CpuLocal;
use crate::interrupts::NMIS;
use crate::layout::{IMAGE_OFFSET, MOST_CPUS};

/// Bytes of the stack.
const STACK_BYTES: usize = 4096;

/// Segments while the physical tables are loaded: 64-bit code and data where they always are, then
/// 32-bit code.
static SEGMENTS: [u64; 4] =
    [0, 0x00af_9b00_0000_ffff, 0x00cf_9300_0000_ffff, 0x00cf_9b00_0000_ffff];

/// The bit of CR4 that has to go before CR0.PG does (SDM volume 3, section "Process-Context Identifiers (PCIDs)"). The broken
/// twin clears bit 63, which is never set.
const PCIDE: u32 = if cfg!(feature = "broken-keep-pcids") { 63 } else { 17 };

/// The selector of 32-bit code.
const CODE_32: u64 = 0x18;

/// What only this file's assembly writes to after boot.
#[repr(C, align(16))]
struct Shared<T>(UnsafeCell<T>);

// SAFETY: tables are made once and then only read; each CPU has a stack of its own, and interrupts are off while it is used.
unsafe impl<T> Sync for Shared<T> {}

/// One for each CPU.
static STACKS: Shared<[[u8; STACK_BYTES]; MOST_CPUS as usize]> =
    Shared(UnsafeCell::new([[0; STACK_BYTES]; MOST_CPUS as usize]));

/// The dual interrupt table: gate 2 of both modes.
static INTERRUPTS: Shared<[u64; 6]> = Shared(UnsafeCell::new([0; 6]));

/// Operands of LIDT and LGDT: the interrupt table by both its addresses, the segments by their physical one.
static POINTERS: Shared<[Pointer; 3]> = Shared(UnsafeCell::new([pointer(0, 1); 3]));

/// An operand, 16 bytes from the next.
#[derive(Clone, Copy)]
#[repr(C, align(16))]
struct Pointer(DescriptorTablePointer);

/// Present, interrupt gate of the mode's width, ring 0.
const GATE: u64 = 0x8e00;

/// Makes the tables ready.
pub fn prepare() {
    let (long, legacy) =
        (nmi_in_long_mode as *const () as u64, &raw const nmi_in_legacy_mode as u64);
    let table = INTERRUPTS.0.get();
    // SAFETY: nothing uses them yet.
    unsafe {
        // Bytes 16 to 23: offset 15:0, selector, type, offset 31:16.
        (*table)[2] = legacy & 0xffff | CODE_32 << 16 | GATE << 32 | (legacy >> 16 & 0xffff) << 48;
        // Bytes 32 to 47: the same, then offset 63:32.
        (*table)[4] = long & 0xffff | 8 << 16 | GATE << 32 | (long >> 16 & 0xffff) << 48;
        (*table)[5] = long >> 32;
        let (high, segments) = (table as u64, &raw const SEGMENTS as u64);
        *POINTERS.0.get() = [
            pointer(high, size_of::<[u64; 6]>()),
            pointer(high - IMAGE_OFFSET, size_of::<[u64; 6]>()),
            pointer(segments - IMAGE_OFFSET, size_of_val(&SEGMENTS)),
        ];
    }
}

const fn pointer(base: u64, bytes: usize) -> Pointer {
    Pointer(DescriptorTablePointer { limit: bytes as u16 - 1, base: VirtAddr::new_truncate(base) })
}

/// Does the items on physical memory, up to the first that differs; says how many were done. `nmi_to`, if not zero, is an
/// APIC's ICR (its high word's value in the upper half), and an NMI is sent there in the midst of it.
///
/// # Safety
/// The entries may be edited and lie below 4 GiB; the items lie in the image; interrupts are off.
pub unsafe fn work(items: &mut [Item], nmi_to: u64) -> usize {
    let physical = items.as_mut_ptr() as u64 - IMAGE_OFFSET;
    let stack = STACKS.0.get() as u64 + ((CpuLocal::here().number + 1) * STACK_BYTES) as u64;
    // SAFETY: the caller's promise; the stack is this CPU's.
    let left = unsafe { go(physical, items.len() as u64, nmi_to, stack) };
    items.len() - left as usize
}

/// Gives the number of items that were not done.
#[unsafe(naked)]
unsafe extern "C" fn go(items: u64, count: u64, nmi_to: u64, stack: u64) -> u64 {
    naked_asm!(
        "push rbx",
        "push rbp",
        "push r12",
        "push r13",
        "push r14",
        "push r15",
        // The upper halves of registers do not survive 32-bit mode, so what must is put on the stack in the image.
        "mov rax, rsp",
        "mov rsp, rcx",
        "push rax",
        "sub rsp, 32",
        "sidt [rsp]",
        "sgdt [rsp + 16]",
        "mov rax, cr4",
        "push rax",
        "mov rcx, cr3",
        "push rcx",
        "lidt [{pointers}]",
        "mov ecx, offset boot_root",
        "mov cr3, rcx",
        "btr rax, {pcide}",
        "mov cr4, rax",
        "lidt [{pointers} + 16]",
        "lgdt [{pointers} + 32]",
        "mov rax, {offset}",
        "sub rsp, rax",
        "mov eax, offset physical_way_in",
        "jmp rax",
        ".globl physical_way_out",
        "physical_way_out:",
        "mov rax, {offset}",
        "add rsp, rax",
        "lidt [{pointers}]",
        "mov eax, ebp",
        "pop rcx",
        "pop rdx",
        "mov cr4, rdx",
        "mov cr3, rcx",
        "lgdt [rsp + 16]",
        "lidt [rsp]",
        "add rsp, 32",
        "xor ecx, ecx",
        "mov ds, ecx",
        "mov es, ecx",
        "pop rsp",
        "pop r15",
        "pop r14",
        "pop r13",
        "pop r12",
        "pop rbp",
        "pop rbx",
        "ret",
        pointers = sym POINTERS,
        offset = const IMAGE_OFFSET,
        pcide = const PCIDE,
    )
}

/// In long mode: counts and goes on. It uses the stack it finds, which is ours.
#[unsafe(naked)]
unsafe extern "C" fn nmi_in_long_mode() {
    naked_asm!("lock inc qword ptr [{count}]", "iretq", count = sym NMIS)
}

unsafe extern "C" {
    /// In legacy mode.
    static nmi_in_legacy_mode: u8;
}

// EDI: items, ESI: how many, EDX: high word of the APIC's ICR, or 0 for no NMI. An item is entry, action, found, value, eight
// bytes each. At the end EBP says how many were not done.
global_asm!(
    ".section .boot.text, \"ax\"",
    ".code64",
    "physical_way_in:",
    "push {code_32}",
    "push offset physical_compatibility",
    "retfq",
    ".code32",
    "physical_compatibility:",
    "mov eax, 16",
    "mov ds, eax",
    "mov es, eax",
    "mov ss, eax",
    "mov eax, cr0",
    "btr eax, 31", // PG
    "mov cr0, eax",
    "mov ebp, esi",
    "mov esi, edi",
    "test edx, edx",
    "jz 1f",
    // An NMI to ourselves: destination, then delivery mode 100b with level assert (SDM volume 3, section 12.6.1).
    "btr edx, 0",
    "mov dword ptr ds:[0xfee00310], edx",
    "mov dword ptr ds:[0xfee00300], 0x4400",
    "1:",
    "test ebp, ebp",
    "jz 6f",
    "mov edi, [esi]",
    "mov eax, [edi]",
    "mov edx, [edi + 4]",
    "mov ebx, eax",
    "mov ecx, edx",
    "cmp dword ptr [esi + 8], {load}",
    "je 4f",
    "mov ebx, [esi + 24]",
    "mov ecx, [esi + 28]",
    "cmp dword ptr [esi + 8], {exchange}",
    "je 3f",
    "mov eax, [esi + 16]",
    "mov edx, [esi + 20]",
    "lock cmpxchg8b [edi]",
    "jz 5f",
    "mov [esi + 16], eax",
    "mov [esi + 20], edx",
    "jmp 6f",
    "3:",
    "lock cmpxchg8b [edi]",
    "jnz 3b",
    "jmp 5f",
    // A load of eight bytes at once: stores what is there, or loads it.
    "4:",
    "lock cmpxchg8b [edi]",
    "5:",
    "mov [esi + 16], eax",
    "mov [esi + 20], edx",
    "add esi, 32",
    "dec ebp",
    "jmp 1b",
    "6:",
    "mov eax, cr0",
    "bts eax, 31",
    "mov cr0, eax",
    "push 8",
    "mov eax, offset physical_way_back",
    "push eax",
    "retf",
    ".globl nmi_in_legacy_mode",
    "nmi_in_legacy_mode:",
    "lock inc dword ptr ds:[{count} + {wrap}]",
    "iretd",
    ".code64",
    "physical_way_back:",
    // The upper half of RSP is not to be relied on.
    "mov esp, esp",
    "mov rax, offset physical_way_out",
    "jmp rax",
    ".text",
    code_32 = const CODE_32,
    load = const Action::Load.number(),
    exchange = const Action::Exchange.number(),
    count = sym NMIS,
    // Addresses wrap: adding this takes the offset of the image off.
    wrap = const 0u64.wrapping_sub(IMAGE_OFFSET),
);
