//! The 32-bit code of all tasks, and the way there and back.
#![expect(unsafe_code, reason = "code of another mode")]

use core::arch::global_asm;

use super::memory::{
    ABSENT, CODE, CODE_64, DATA, GATE, GDT, IDT, LOG, MAIN, SECOND, SHORT, SMALL, TSS, VECTOR,
};

/// The steps of the main task.
pub const STEPS: u32 = 14;

unsafe extern "C" {
    static machine_second: u8;
    static machine_handler: u8;
    static machine_plain: u8;
    static machine_debug: u8;
    static machine_small: u8;
    static machine_step: u32;
    static mut machine_whole: u32;
    fn machine_run(root: u64, cr4: u64, cr0: u64);
}

macro_rules! places {
    ($($(#[$doc:meta])* $name:ident $symbol:ident;)*) => {
        $($(#[$doc])* pub fn $name() -> u32 {
            (&raw const $symbol).addr() as u32
        })*
    };
}

places! {
    /// Where the second task begins.
    second machine_second;
    /// The handler.
    handler machine_handler;
    /// The one of exceptions without error code.
    plain machine_plain;
    /// The handler of #DB, in the task that has it.
    debug machine_debug;
    /// The task of 16 bits.
    small machine_small;
}

/// The last step that was begun.
pub fn steps() -> u32 {
    // SAFETY: 32-bit code is over.
    unsafe { (&raw const machine_step).read_volatile() }
}

/// Does all steps, with these tables and bits of control registers; those with a new task that cannot be loaded only if the
/// machine can be trusted with them.
pub fn run(root: u64, cr4: u64, cr0: u64, whole: bool) {
    // SAFETY: tables and descriptors are prepared; interrupts are off, and come back as they were.
    unsafe {
        (&raw mut machine_whole).write_volatile(u32::from(whole));
        machine_run(root, cr4, cr0);
    }
}

global_asm!(
    // A far CALL or JMP, which this syntax lacks.
    ".macro MACHINE_CALL selector",
    ".byte 0x9a",
    ".long 0",
    ".word \\selector",
    ".endm",
    ".macro MACHINE_JUMP selector",
    ".byte 0xea",
    ".long 0",
    ".word \\selector",
    ".endm",
    ".macro MACHINE_STEP",
    "inc dword ptr [machine_step]",
    ".endm",
    ".data",
    ".balign 8",
    ".globl machine_step",
    "machine_step: .long 0",
    "machine_skip: .long 0",
    ".globl machine_whole",
    "machine_whole: .long 0",
    "machine_rsp: .quad 0",
    "machine_cr0: .quad 0",
    "machine_cr4: .quad 0",
    "machine_cr3: .quad 0",
    ".balign 16",
    "machine_old_gdt: .skip 10",
    ".balign 16",
    "machine_old_idt: .skip 10",
    ".balign 16",
    "machine_gdt: .word 127",
    ".long {gdt}",
    ".long 0",
    ".balign 16",
    "machine_idt: .word 263",
    ".long {idt}",
    ".long 0",
    ".text",
    // From 64-bit mode, by compatibility mode, and back.
    ".globl machine_run",
    "machine_run:",
    "push rbx",
    "push rbp",
    "push r12",
    "push r13",
    "push r14",
    "push r15",
    "mov [rip + machine_rsp], rsp",
    "mov rax, cr0",
    "mov [rip + machine_cr0], rax",
    "mov rax, cr4",
    "mov [rip + machine_cr4], rax",
    "mov rax, cr3",
    "mov [rip + machine_cr3], rax",
    "sgdt [rip + machine_old_gdt]",
    "sidt [rip + machine_old_idt]",
    "mov dword ptr [rip + machine_step], 0",
    "lgdt [rip + machine_gdt]",
    "mov ebx, edx",
    "push {code}",
    "lea rax, [rip + machine_compatible]",
    "push rax",
    "retfq",
    ".code32",
    "machine_compatible:",
    "mov eax, {data}",
    "mov ds, eax",
    "mov es, eax",
    "mov ss, eax",
    "mov eax, cr0",
    "and eax, 0x7fffffff",
    "mov cr0, eax",
    "mov ecx, 0xc0000080", // EFER: without LME
    "rdmsr",
    "and eax, ~0x100",
    "wrmsr",
    "mov cr4, esi",
    "mov cr3, edi",
    "mov eax, cr0",
    "or eax, ebx",
    "mov cr0, eax",
    "jmp 2f",
    "2:",
    "lidt [machine_idt]",
    "call machine_main",
    "mov eax, cr0",
    "and eax, 0x7fffffff",
    "mov cr0, eax",
    "mov eax, [machine_cr4]",
    "mov cr4, eax",
    "mov eax, [machine_cr3]",
    "mov cr3, eax",
    "mov ecx, 0xc0000080",
    "rdmsr",
    "or eax, 0x100",
    "wrmsr",
    "mov eax, [machine_cr0]",
    "mov cr0, eax",
    "push {code_64}",
    "mov eax, offset machine_long",
    "push eax",
    "retf",
    ".code64",
    "machine_long:",
    "lgdt [rip + machine_old_gdt]",
    "lidt [rip + machine_old_idt]",
    "mov rsp, [rip + machine_rsp]",
    "push 8",
    "lea rax, [rip + 2f]",
    "push rax",
    "retfq",
    "2:",
    "mov eax, 0x10",
    "mov ds, eax",
    "mov es, eax",
    "mov ss, eax",
    "xor eax, eax",
    "lldt ax",
    "pop r15",
    "pop r14",
    "pop r13",
    "pop r12",
    "pop rbp",
    "pop rbx",
    "ret",
    ".code32",
    // A record: step, EFLAGS, CR0, CR3, DR7, DR6, TR, LDTR, the segments, ESP, the registers, the top of the stack.
    "machine_note:",
    "pushfd",
    "pushad",
    "mov ecx, [{log}]",
    "inc dword ptr [{log}]",
    "imul ecx, ecx, 96",
    "lea edi, [ecx + {log} + 4]",
    "mov eax, [machine_step]",
    "stosd",
    "mov eax, [esp + 32]",
    "stosd",
    "mov eax, cr0",
    "stosd",
    "mov eax, cr3",
    "stosd",
    "mov eax, dr7",
    "stosd",
    "mov eax, dr6",
    "stosd",
    "xor eax, eax",
    "str ax",
    "stosd",
    "sldt ax",
    "stosd",
    "mov eax, cs",
    "stosd",
    "mov eax, ss",
    "stosd",
    "mov eax, ds",
    "stosd",
    "mov eax, es",
    "stosd",
    "mov eax, fs",
    "stosd",
    "mov eax, gs",
    "stosd",
    "lea eax, [esp + 40]",
    "stosd",
    "mov esi, esp",
    "mov ecx, 8",
    "rep movsd",
    "mov eax, [esp + 40]",
    "stosd",
    "popad",
    "popfd",
    "ret",
    // The main task.
    "machine_main:",
    "mov eax, {main}",
    "ltr ax",
    "mov eax, 0xffff0ff0",
    "mov dr6, eax",
    "MACHINE_STEP", // 1: JMP there and back
    "mov ecx, 0xcccc0001",
    "MACHINE_JUMP {second}",
    "call machine_note",
    "MACHINE_STEP", // 2: CALL, and IRET back
    "MACHINE_CALL {second}",
    "call machine_note",
    "MACHINE_STEP", // 3: by a task gate
    "stc",
    "MACHINE_CALL {gate}",
    "call machine_note",
    "MACHINE_STEP", // 4: by one of the IDT
    "int {vector}",
    "call machine_note",
    "MACHINE_STEP", // 5: #GP
    "mov dword ptr [machine_skip], 2",
    "mov eax, 0xfff8",
    "mov ds, eax",
    "call machine_note",
    "MACHINE_STEP", // 6: #UD
    "ud2",
    "call machine_note",
    "MACHINE_STEP", // 7: a task of 16 bits
    "mov edx, 0xdddd0007",
    "MACHINE_CALL {small}",
    "call machine_note",
    "MACHINE_STEP", // 8: the second has a segment that is not present
    "cmp dword ptr [machine_whole], 0",
    "je 2f",
    "mov word ptr [{tss} + 4096 + 84], {absent}",
    "MACHINE_CALL {second}",
    "call machine_note",
    "2:",
    "MACHINE_STEP", // 9: to a busy task
    "mov dword ptr [machine_skip], 7",
    "MACHINE_JUMP {main}",
    "call machine_note",
    "MACHINE_STEP", // 10: to one that is too short
    "MACHINE_CALL {short}",
    "call machine_note",
    "MACHINE_STEP", // 11: with local breakpoints, which a switch switches off
    "mov eax, 0xffff0000",
    "mov dr0, eax",
    "mov dr3, eax",
    "mov eax, 0x7d7",
    "mov dr7, eax",
    "MACHINE_CALL {second}",
    "call machine_note",
    "mov eax, 0x400",
    "mov dr7, eax",
    "MACHINE_STEP", // 12: the second asks for #DB
    "mov word ptr [{tss} + 4096 + 100], 1",
    "MACHINE_CALL {second}",
    "call machine_note",
    "mov word ptr [{tss} + 4096 + 100], 0",
    "MACHINE_STEP", // 13: the second's stack is no stack; after #TS it gets one
    "cmp dword ptr [machine_whole], 0",
    "je 2f",
    "mov word ptr [{tss} + 4096 + 80], {code}",
    "MACHINE_JUMP {second}",
    "call machine_note",
    "2:",
    "MACHINE_STEP", // 14: and again
    "MACHINE_CALL {second}",
    "call machine_note",
    "ret",
    // The second task goes back as it was entered.
    ".globl machine_second",
    "machine_second:",
    "call machine_note",
    "clts",
    "inc ebx",
    "pushfd",
    "pop eax",
    "test eax, 0x4000",
    "jz 2f",
    "iretd",
    "jmp machine_second",
    "2:",
    "MACHINE_JUMP {main}",
    "jmp machine_second",
    // The handler: an error code is on its stack. What the main task did is skipped, what the second lacks is put right.
    ".globl machine_handler",
    "machine_handler:",
    "call machine_note",
    "add esp, 4",
    "cmp word ptr [{tss} + 8192], {main}",
    "jne 2f",
    "mov eax, [machine_skip]",
    "add [{tss} + 32], eax",
    "jmp 3f",
    "2:",
    "mov word ptr [{tss} + 4096 + 84], {data}",
    "mov word ptr [{tss} + 4096 + 80], {data}",
    "3:",
    "iretd",
    "jmp machine_handler",
    ".globl machine_plain",
    "machine_plain:",
    "call machine_note",
    "add dword ptr [{tss} + 32], 2",
    "iretd",
    "jmp machine_plain",
    // In the second task, before its first instruction.
    ".globl machine_debug",
    "machine_debug:",
    "call machine_note",
    "push eax",
    "mov eax, 0xffff0ff0",
    "mov dr6, eax",
    "pop eax",
    "iretd",
    // Of 16 bits, where the offset of this is 0, in its own segment: no near call gets out of it.
    ".globl machine_small",
    "machine_small:",
    "push eax",
    "pushfd",
    "push esp",
    "push ecx",
    "mov eax, fs",
    "push eax",
    "mov eax, cr0",
    "push eax",
    "add esp, 24",
    "clts",
    "iretd",
    "jmp machine_small",
    ".code64",
    gdt = sym GDT,
    idt = sym IDT,
    log = sym LOG,
    tss = sym TSS,
    code = const CODE,
    data = const DATA,
    code_64 = const CODE_64,
    main = const MAIN,
    second = const SECOND,
    gate = const GATE,
    vector = const VECTOR,
    small = const SMALL,
    absent = const ABSENT,
    short = const SHORT,
);
