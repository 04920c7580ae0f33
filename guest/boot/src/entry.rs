//! From 32-bit protected mode, where both PVH and multiboot2 enter, to 64-bit mode.

/// Emits the boot headers and the entry points, which end in a call of
/// `extern "C" fn main(loader: u32, info: u32) -> !`, see [`crate::handoff::Handoff::read`].
///
/// The protocol, at both entries: paging is off, EBX holds the physical address of the boot
/// information (PVH: "x86/HVM direct boot ABI", `hvm_start_info`; multiboot2 specification 2.0, section
/// 3.3 "I386 machine state", with the magic number in EAX). At the call: 64-bit mode, the first 4 GiB
/// mapped at their own addresses and the first 2 GiB at [`crate::HIGH_BASE`] as well, all writable and
/// executable, interrupts off, a stack of
/// [`crate::STACK_BYTES`] inside the identity map.
///
/// The program's linker script places `.boot.header`, `.boot.text` and `.boot.bss` at equal virtual and
/// physical addresses below 4 GiB, the header within the first 32 KiB of the file, `.note.Xen` under a
/// `PT_NOTE`, and names `multiboot2_start` as the entry.
#[macro_export]
macro_rules! entry {
    ($main:path) => {
        core::arch::global_asm!(
            // The PVH note: type 18 (XEN_ELFNOTE_PHYS32_ENTRY); the address is 8 bytes wide in a 64-bit file.
            ".section .note.Xen, \"a\", @note",
            ".balign 4",
            ".long 4, 8, 18",
            ".asciz \"Xen\"",
            ".quad pvh_start",
            // The multiboot2 header: magic, architecture, length, checksum, end tag.
            ".section .boot.header, \"a\"",
            ".balign 8",
            ".long {magic}, 0, 24, {checksum}",
            ".word 0, 0",
            ".long 8",
            // Tables: identity map of 4 GiB by 2 MiB pages, its first 2 GiB once more at -2 GiB.
            ".section .boot.bss, \"aw\", @nobits",
            ".balign 4096",
            ".globl boot_root",
            "boot_root: .skip 4096",
            "boot_low_directory_pointers: .skip 4096",
            "boot_high_directory_pointers: .skip 4096",
            "boot_directories: .skip 4 * 4096",
            "boot_stack: .skip {stack}",
            "boot_stack_top:",
            ".section .boot.text, \"ax\"",
            ".balign 8",
            "boot_gdt: .quad 0, 0x00af9a000000ffff, 0x00cf92000000ffff",
            "boot_gdt_pointer: .word 23",
            ".long boot_gdt",
            "boot_no_long_mode: .asciz \"loadphys: this CPU has no 64-bit mode; nothing can run\\r\\n\"",
            ".code32",
            ".globl pvh_start, multiboot2_start",
            "pvh_start:",
            "mov edi, {pvh}",
            "jmp 2f",
            "multiboot2_start:",
            "mov edi, eax",
            "2:",
            "cli",
            "cld",
            "mov esi, ebx",
            "mov esp, offset boot_stack_top",
            // CPUID 0x8000_0001 EDX bit 29: long mode.
            "mov eax, 0x80000000",
            "cpuid",
            "cmp eax, 0x80000001",
            "jb 6f",
            "mov eax, 0x80000001",
            "cpuid",
            "bt edx, 29",
            "jnc 6f",
            // Upper tables: present and writable.
            "mov eax, offset boot_low_directory_pointers + 3",
            "mov [boot_root], eax",
            "mov eax, offset boot_high_directory_pointers + 3",
            "mov [boot_root + 511 * 8], eax",
            "mov eax, offset boot_directories + 3",
            "mov [boot_high_directory_pointers + 510 * 8], eax",
            "lea ecx, [eax + 4096]",
            "mov [boot_high_directory_pointers + 511 * 8], ecx",
            "xor ecx, ecx",
            "3:",
            "mov [boot_low_directory_pointers + ecx * 8], eax",
            "add eax, 4096",
            "inc ecx",
            "cmp ecx, 4",
            "jb 3b",
            // 2,048 large pages: present, writable, page size.
            "mov eax, 0x83",
            "xor ecx, ecx",
            "4:",
            "mov [boot_directories + ecx * 8], eax",
            "add eax, 0x200000",
            "inc ecx",
            "cmp ecx, 2048",
            "jb 4b",
            "mov eax, cr4",
            "or eax, 0x20", // PAE
            "mov cr4, eax",
            "mov eax, offset boot_root",
            "mov cr3, eax",
            "mov ecx, 0xc0000080", // IA32_EFER
            "rdmsr",
            "or eax, 0x100", // LME
            "wrmsr",
            "mov eax, cr0",
            "or eax, 0x80000021", // PG, NE, PE
            "mov cr0, eax",
            "lgdt [boot_gdt_pointer]",
            // A far return stands in for the far jump that the assembler's Intel syntax lacks.
            "push 8",
            "mov eax, offset boot_long_mode",
            "push eax",
            "retf",
            // No 64-bit mode: say so on COM1 and stop.
            "6:",
            "mov esi, offset boot_no_long_mode",
            "7:",
            "lodsb",
            "test al, al",
            "jz 9f",
            "mov ah, al",
            "mov dx, 0x3fd",
            "8:",
            "in al, dx",
            "test al, 0x20",
            "jz 8b",
            "mov al, ah",
            "mov dx, 0x3f8",
            "out dx, al",
            "jmp 7b",
            "9:",
            "hlt",
            "jmp 9b",
            ".code64",
            "boot_long_mode:",
            "mov eax, 16",
            "mov ds, eax",
            "mov es, eax",
            "mov ss, eax",
            "xor eax, eax",
            "mov fs, eax",
            "mov gs, eax",
            "mov esp, offset boot_stack_top",
            "xor ebp, ebp",
            "movabs rax, offset {main}",
            "call rax",
            "ud2",
            ".text",
            magic = const $crate::HEADER_MAGIC,
            // The four words of the header add up to zero.
            checksum = const 0u32.wrapping_sub($crate::HEADER_MAGIC + 24),
            stack = const $crate::STACK_BYTES,
            main = sym $main,
            pvh = const $crate::handoff::pvh::MAGIC,
        );
    };
}
