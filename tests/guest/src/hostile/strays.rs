//! Loads, stores and jumps into the stub's memory.

use crate::addresses::machine;
use crate::descriptors::Mode;
use crate::execute::{GENERAL_PROTECTION, RAX, RCX, RDI, RSI, RSP, Registers};
use crate::local::Local;
use crate::tally;

/// Accesses at RSI, RDI or RSP. All of these are one instruction, and none reaches what is behind it.
const ACCESSES: [&[u8]; 20] = [
    &[0x8a, 0x06],                   // mov al, [rsi]
    &[0x66, 0x8b, 0x06],             // mov ax, [rsi]
    &[0x8b, 0x06],                   // mov eax, [rsi]
    &[0x48, 0x8b, 0x06],             // mov rax, [rsi]
    &[0x88, 0x06],                   // mov [rsi], al
    &[0x48, 0x89, 0x06],             // mov [rsi], rax
    &[0x48, 0x87, 0x06],             // xchg [rsi], rax
    &[0xf0, 0x48, 0xff, 0x06],       // lock inc qword ptr [rsi]
    &[0xf0, 0x48, 0x0f, 0xb1, 0x0e], // lock cmpxchg [rsi], rcx
    &[0x0f, 0x18, 0x0e, 0x8a, 0x06], // prefetcht0 [rsi]; mov al, [rsi]
    &[0xf3, 0xa4],                   // rep movsb
    &[0xf3, 0x48, 0xa5],             // rep movsq
    &[0xf3, 0xaa],                   // rep stosb
    &[0xf3, 0xac],                   // rep lodsb
    &[0x48, 0x83, 0xc4, 8, 0x50],    // add rsp, 8; push rax
    &[0x58],                         // pop rax
    &[0x0f, 0x01, 0x16],             // lgdt [rsi]
    &[0x0f, 0x01, 0x1e],             // lidt [rsi]
    &[0x0f, 0x01, 0x06],             // sgdt [rsi]
    &[0x0f, 0xae, 0x06],             // fxsave [rsi]
];

const STORE: &[u8] = &[0x48, 0x89, 0x06]; // mov [rsi], rax

/// Jumps to RSI, and what else goes to an address.
const JUMPS: [&[u8]; 3] = [
    &[0xff, 0xe6], // jmp rsi
    &[0xff, 0xd6], // call rsi
    &[0x56, 0xc3], // push rsi; ret
];

impl Local {
    /// One of them.
    pub fn stray(&mut self) {
        let target = self.target();
        if self.random.one_in(4) {
            self.jump(target)
        } else {
            self.access(target)
        }
        tally::STRAYS.add();
    }

    /// A store to a table of this guest's own, past the call that would check it.
    pub fn store_to_table(&mut self) {
        let Some(table) = self.playground.first_checked().filter(|_| machine().typed) else {
            return;
        };
        let target = table + 8 * self.random.below(512);
        let mut registers = self.registers(target);
        registers[RAX] = self.leading();
        let outcome = self.execute(STORE, registers, Mode::Kernel);
        let stopped = outcome.vector == GENERAL_PROTECTION && !outcome.done;
        assert!(stopped, "a store to the table at {target:#x} ended in {outcome:x?}");
        tally::TABLES.add();
    }

    /// An address in the stub's memory, or in that of the alias where it would be shown.
    fn target(&mut self) -> u64 {
        let shown = self.random.one_in(6);
        let address = self.stubs();
        // `window::map` maps the first GiB of the alias at its own address.
        if shown { machine().alias + address } else { address }
    }

    fn access(&mut self, target: u64) {
        let code = self.random.of(ACCESSES);
        let registers = self.registers(target);
        let outcome = self.execute(code, registers, Mode::Kernel);
        let stopped = outcome.vector == GENERAL_PROTECTION && !outcome.done;
        assert!(stopped, "{code:x?} at {target:#x} ended in {outcome:x?}");
    }

    fn jump(&mut self, target: u64) {
        let code = self.random.of(JUMPS);
        let mut registers = self.registers(target);
        registers[RSP] = self.playground.arrays() + 0x800;
        let outcome = self.execute(code, registers, Mode::Kernel);
        let stopped = outcome.vector == GENERAL_PROTECTION && outcome.rip == target;
        assert!(stopped, "{code:x?} to {target:#x} ended in {outcome:x?}");
    }

    /// Every pointer leads to the target, but for the one of which a copy is taken from this guest's memory.
    pub fn registers(&mut self, target: u64) -> Registers {
        let mut registers: Registers = core::array::from_fn(|_| self.random.any());
        registers[RSI] = target;
        registers[RDI] = target;
        registers[RSP] = target;
        registers[RCX] = 1 + self.random.below(64);
        registers
    }
}
