//! Where another CPU begins: from real mode, in a page below 1 MiB, to a function on a stack of its own.
//!
//! A CPU that is started (SDM volume 3, section 10.4 "Multiple-Processor (MP) Initialization") begins in real mode at
//! a page whose number is sent to it. What is there is copied from `trampoline_start` and leads to 32-bit code that lies
//! in the boot part of the image; paging goes on with the boot tables, under which the image is at both its places, and then
//! the kernel's own root is loaded. One CPU is started at a time, so that there is one [`Start`].
#![expect(unsafe_code, reason = "writes low memory, and the first instructions of a CPU")]

use core::arch::{global_asm, naked_asm};
use core::sync::atomic::{AtomicU64, Ordering};

use loadphys_boot::handoff::Handoff;
use x86_64::VirtAddr;
use x86_64::registers::model_specific::EferFlags;
use x86_64::structures::paging::PhysFrame;

/// Bytes of a page.
const PAGE: u64 = 4096;

/// Real mode reaches what is below.
const REAL_MODE_END: u64 = 1 << 20;

/// CR0: paging, x87 errors as exceptions, protection (SDM volume 3, section 2.5).
const CR0: u32 = 1 << 31 | 1 << 5 | 1 << 4 | 1;

/// CR4: physical-address extension.
const CR4: u32 = 1 << 5;

/// IA32_EFER, and what must be on before the kernel's root is loaded, in which pages are barred from execution.
const EFER: u32 = 0xc000_0080;
const LONG_MODE: u64 = EferFlags::LONG_MODE_ENABLE.bits() | EferFlags::NO_EXECUTE_ENABLE.bits();

/// What the CPU being started takes.
#[repr(C)]
struct Start {
    root: AtomicU64,
    stack: AtomicU64,
    number: AtomicU64,
    begin: AtomicU64,
}

static START: Start = Start {
    root: AtomicU64::new(0),
    stack: AtomicU64::new(0),
    number: AtomicU64::new(0),
    begin: AtomicU64::new(0),
};

/// The page at which CPUs begin.
#[derive(Clone, Copy, Debug)]
pub struct Trampoline(u64);

impl Trampoline {
    /// Copies the first instructions to the highest usable page that real mode reaches; `None` if there is none.
    ///
    /// # Safety
    /// The identity map is in place, and what the loader left in low memory is no longer needed.
    pub unsafe fn prepare(handoff: &Handoff) -> Option<Self> {
        let last = |start: u64, end: u64| {
            (end.min(REAL_MODE_END) & !(PAGE - 1))
                .checked_sub(PAGE)
                .filter(|p| *p >= start.max(PAGE))
        };
        let page = handoff.usable().filter_map(|r| last(r.start, r.end)).max()?;
        let (start, end) = (&raw const trampoline_start, &raw const trampoline_end);
        // SAFETY: usable memory, mapped at itself; the kernel grants none below its image to anybody.
        unsafe { start.copy_to(page as *mut u8, end as usize - start as usize) };
        Some(Self(page))
    }

    /// What the start-up interrupt carries.
    pub const fn vector(self) -> u8 {
        (self.0 / PAGE) as u8
    }

    /// What the next CPU finds: it calls `begin` with its number.
    pub fn set(root: PhysFrame, stack: VirtAddr, number: usize, begin: extern "C" fn(usize) -> !) {
        START.root.store(root.start_address().as_u64(), Ordering::Relaxed);
        START.stack.store(stack.as_u64(), Ordering::Relaxed);
        START.number.store(number as u64, Ordering::Relaxed);
        START.begin.store(begin as *const () as u64, Ordering::Release);
    }
}

unsafe extern "C" {
    static trampoline_start: u8;
    static trampoline_end: u8;
}

/// Under the boot tables, at the image's high place.
#[unsafe(naked)]
unsafe extern "C" fn trampoline_high() -> ! {
    naked_asm!(
        "lea rax, [rip + {start}]",
        "mov rcx, [rax]",
        "mov rsp, [rax + 8]",
        "mov rdi, [rax + 16]",
        "mov rax, [rax + 24]",
        "mov cr3, rcx",
        "xor ebp, ebp",
        "call rax",
        "ud2",
        start = sym START,
    )
}

global_asm!(
    ".section .boot.text, \"ax\"",
    ".balign 8",
    "trampoline_gdt: .quad 0, 0x00af9b000000ffff, 0x00cf93000000ffff, 0x00cf9b000000ffff",
    ".code16",
    ".globl trampoline_start, trampoline_end",
    "trampoline_start:",
    "cli",
    "cld",
    "mov ax, cs",
    "mov ds, ax",
    // LGDT of a place in this page, written out; with the prefix 66h all 32 bits of the base count.
    ".byte 0x66, 0x0f, 0x01, 0x16",
    ".word trampoline_gdt_pointer - trampoline_start",
    "mov eax, cr0",
    "or al, 1",
    "mov cr0, eax",
    // A far jump with a 32-bit offset.
    ".byte 0x66, 0xea",
    ".long trampoline_protected",
    ".word 24",
    "trampoline_gdt_pointer: .word 31",
    ".long trampoline_gdt",
    "trampoline_end:",
    ".code32",
    "trampoline_protected:",
    "mov eax, 16",
    "mov ds, eax",
    "mov es, eax",
    "mov ss, eax",
    "xor eax, eax",
    "mov fs, eax",
    "mov gs, eax",
    "mov eax, {cr4}",
    "mov cr4, eax",
    "mov eax, offset boot_root",
    "mov cr3, eax",
    "mov ecx, {efer}",
    "rdmsr",
    "or eax, {long_mode}",
    "wrmsr",
    "mov eax, {cr0}",
    "mov cr0, eax",
    // No stack yet, so a far jump written out: to 64-bit code.
    ".byte 0xea",
    ".long trampoline_long",
    ".word 8",
    ".code64",
    "trampoline_long:",
    "movabs rax, offset {high}",
    "jmp rax",
    ".text",
    cr4 = const CR4,
    cr0 = const CR0,
    efer = const EFER,
    long_mode = const LONG_MODE,
    high = sym trampoline_high,
);

const _: () = {
    use core::mem::offset_of;
    assert!(offset_of!(Start, stack) == 8 && offset_of!(Start, number) == 16);
    assert!(offset_of!(Start, begin) == 24);
};
