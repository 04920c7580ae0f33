//! What the other CPU does in real mode and in 32-bit protected mode, before it goes to 64-bit mode as any other would.
//!
//! It calls with any registers; in protected mode it also executes instructions of VT-x, and switches PAE paging on with
//! page-directory pointers in the stub's memory: with a write that the stub has to do, and with one that the CPU does itself.
//! All of this is one page, to which every segment is relative.
#![expect(unsafe_code, reason = "code that another CPU runs")]

use core::arch::global_asm;
use core::slice;

use loadphys_abi::Status;
use loadphys_test_guests::apic;
use loadphys_test_guests::team::{self, post};

use crate::addresses::machine;
use crate::run::OTHER;
use crate::tally;

/// The page.
const PAGE: u8 = 0x9;

/// Where CPUs go on to 64-bit mode, or stop if nobody waits for them.
pub const PARKING: u8 = team::PAGE;

/// Calls in each of the two modes.
const CALLS: u32 = 64;

/// Attempts to switch paging on, each in two ways.
const ROOTS: u32 = 8;

/// Instructions of VT-x in protected mode.
const INSTRUCTIONS: u32 = 4;

unsafe extern "C" {
    static hostile_low_start: u8;
    static hostile_low_end: u8;
}

/// What goes in and what comes out, at byte 8 of the page.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
struct Words {
    seed: u32,
    root: u32,
    refused: u32,
    others: u32,
    protected: u32,
    unknown: u32,
}

global_asm!(
    ".macro HOSTILE_ANY register",
    "imul ebp, ebp, 1664525",
    "add ebp, 1013904223",
    "mov \\register, ebp",
    ".endm",
    ".macro HOSTILE_CALLS",
    "mov ecx, {calls}",
    "77:",
    "HOSTILE_ANY edi",
    "HOSTILE_ANY esi",
    "HOSTILE_ANY edx",
    "HOSTILE_ANY ebx",
    "HOSTILE_ANY eax",
    "shr eax, 28",
    ".byte 0x0f, 0x01, 0xc1", // vmcall
    "cmp eax, {not_privileged}",
    "jne 78f",
    "inc dword ptr [16]",
    "jmp 79f",
    "78:",
    "inc dword ptr [20]",
    "79:",
    "dec ecx",
    "jnz 77b",
    ".endm",
    ".globl hostile_low_start, hostile_low_end",
    ".section .rodata.hostile_low, \"a\"",
    ".code16",
    ".balign 8",
    "hostile_low_start:",
    "jmp 2f",
    ".balign 8",
    ".long 0, 0, 0, 0, 0, 0",
    // At byte 32: the GDT.
    "hostile_low_gdt: .quad 0, 0x00409a009000ffff, 0x004092009000ffff, 0x00009a009000ffff, 0x000092009000ffff",
    // At bytes 72, 80 and 88: limits and bases of the GDT, the IDT, and real mode's own.
    ".word 39",
    ".long 0x9000 + hostile_low_gdt - hostile_low_start",
    ".balign 8",
    ".word 111",
    ".long 0x9000 + hostile_low_idt - hostile_low_start",
    ".balign 8",
    ".word 0x3ff",
    ".long 0",
    ".balign 8",
    "hostile_low_idt: .fill 6, 8, 0",
    ".word hostile_low_unknown - hostile_low_start, 8, 0x8e00, 0",
    ".fill 6, 8, 0",
    ".word hostile_low_protected - hostile_low_start, 8, 0x8e00, 0",
    "2:",
    "cli",
    "cld",
    "mov ax, cs",
    "mov ds, ax",
    "mov ss, ax",
    "mov esp, 0xff0",
    "mov ebp, [8]",
    "HOSTILE_CALLS",
    ".byte 0x66", // the base has 32 bits
    "lgdt [72]",
    "mov eax, cr0",
    "or al, 1",
    "mov cr0, eax",
    // A far jump with a 32-bit offset.
    ".byte 0x66, 0xea",
    ".long 3f - hostile_low_start",
    ".word 8",
    ".code32",
    "3:",
    "mov eax, 0x10",
    "mov ds, eax",
    "mov es, eax",
    "mov ss, eax",
    "lidt [80]",
    "HOSTILE_CALLS",
    ".byte 0x0f, 0x01, 0xc2", // vmlaunch
    ".byte 0x0f, 0x01, 0xc3", // vmresume
    ".byte 0x0f, 0x01, 0xc4", // vmxoff
    ".byte 0x0f, 0x01, 0xd4", // vmfunc
    "mov eax, cr4",
    "or eax, 0x20", // PAE
    "mov cr4, eax",
    "mov ecx, {roots}",
    "4:",
    "mov eax, ecx",
    "shl eax, 12",
    "add eax, [12]",
    "mov cr3, eax",
    "mov eax, cr0",
    "or eax, 0x80000020", // PG, and NE, whose change exits
    "mov cr0, eax",
    "mov eax, cr0",
    "or eax, 0x80000000",
    "mov cr0, eax",
    "dec ecx",
    "jnz 4b",
    "mov eax, cr4",
    "and eax, ~0x20",
    "mov cr4, eax",
    ".byte 0xea",
    ".long 5f - hostile_low_start",
    ".word 0x18",
    // Each of what these skip has three bytes.
    "hostile_low_protected:",
    "inc dword ptr [24]",
    "add esp, 4",
    "add dword ptr [esp], 3",
    "iretd",
    "hostile_low_unknown:",
    "inc dword ptr [28]",
    "add dword ptr [esp], 3",
    "iretd",
    ".code16",
    "5:",
    "mov ax, 0x20",
    "mov ds, ax",
    "mov es, ax",
    "mov ss, ax",
    "lidt [88]",
    "mov eax, cr0",
    "and al, 0xfe",
    "mov cr0, eax",
    // To real mode's way to this page, and on to the page from which all CPUs start.
    ".byte 0xea",
    ".word 6f - hostile_low_start, 0x900",
    "6:",
    ".byte 0xea",
    ".word 0, {parking} << 8",
    ".balign 8",
    "hostile_low_end:",
    ".code64",
    ".text",
    calls = const CALLS,
    roots = const ROOTS,
    not_privileged = const Status::NotPrivileged.number(),
    parking = const PARKING,
);

/// Starts the other CPU by way of all this.
pub fn start_other(seed: u64) {
    let (first, end) = (&raw const hostile_low_start, &raw const hostile_low_end);
    // SAFETY: the assembly above lies between the two.
    let code = unsafe { slice::from_raw_parts(first, end as usize - first as usize) };
    let place = (usize::from(PAGE) << 12) as *mut u8;
    let words = place.wrapping_add(8).cast::<Words>();
    let root = machine().stub.start as u32;
    let before = Words { seed: seed as u32, root, refused: 0, others: 0, protected: 0, unknown: 0 };
    // SAFETY: low memory that nothing of this guest uses.
    unsafe {
        place.copy_from_nonoverlapping(code.as_ptr(), code.len());
        words.write_volatile(before);
    }
    team::lay_trampoline();
    team::offer(OTHER);
    apic::start_up(OTHER, PAGE);
    let started =
        team::comes(|| post(OTHER).starts.load(core::sync::atomic::Ordering::SeqCst) == 1);
    // SAFETY: as above; the other CPU is past it.
    let after = unsafe { words.read_volatile() };
    assert!(started, "the other CPU comes through {after:x?}");
    let Words { refused, others, protected, unknown, .. } = after;
    let all = [2 * CALLS, 0, 2 * ROOTS, INSTRUCTIONS];
    assert_eq!([refused, others, protected, unknown], all, "refused before 64-bit mode");
    tally::statuses(Status::NotPrivileged, u64::from(refused));
    tally::CALLS_FROM_ELSEWHERE.more(u64::from(refused));
    tally::CONTROLS_REFUSED.more(u64::from(protected));
    tally::VIRTUAL.more(u64::from(unknown));
}
