//! Instructions of VT-x, SMX, SMM and SVM, all of which must be unknown to a guest.

use crate::descriptors::Mode;
use crate::execute::{RAX, RCX, Registers};
use crate::local::Local;
use crate::tally;

/// Those with a register of 64 bits or memory at RSI.
const VIRTUAL: [&[u8]; 26] = [
    &[0x0f, 0x01, 0xc2],             // vmlaunch
    &[0x0f, 0x01, 0xc3],             // vmresume
    &[0x0f, 0x01, 0xc4],             // vmxoff
    &[0x0f, 0xc7, 0x36],             // vmptrld [rsi]
    &[0x66, 0x0f, 0xc7, 0x36],       // vmclear [rsi]
    &[0xf3, 0x0f, 0xc7, 0x36],       // vmxon [rsi]
    &[0x0f, 0xc7, 0x3e],             // vmptrst [rsi]
    &[0x0f, 0x78, 0x06],             // vmread [rsi], rax
    &[0x0f, 0x78, 0xc1],             // vmread rcx, rax
    &[0x0f, 0x79, 0x06],             // vmwrite rax, [rsi]
    &[0x0f, 0x79, 0xc1],             // vmwrite rax, rcx
    &[0x66, 0x0f, 0x38, 0x80, 0x06], // invept rax, [rsi]
    &[0x66, 0x0f, 0x38, 0x81, 0x06], // invvpid rax, [rsi]
    &[0x0f, 0x37],                   // getsec
    &[0x0f, 0xaa],                   // rsm
    &[0x0f, 0x01, 0xd8],             // vmrun
    &[0x0f, 0x01, 0xd9],             // vmmcall
    &[0x0f, 0x01, 0xda],             // vmload
    &[0x0f, 0x01, 0xdb],             // vmsave
    &[0x0f, 0x01, 0xdc],             // stgi
    &[0x0f, 0x01, 0xdd],             // clgi
    &[0x0f, 0x01, 0xde],             // skinit
    &[0x0f, 0x01, 0xdf],             // invlpga
    VMFUNC,
    VMFUNC,
    VMFUNC,
];

const VMFUNC: &[u8] = &[0x0f, 0x01, 0xd4];

/// VMFUNC leaf 0 with index 0 changes nothing where there are views, and is not tried.
const LEAVES: [[u64; 2]; 6] = [[0, 1], [0, 511], [0, 512], [0, 1 << 32 | 513], [1, 0], [63, 0]];

impl Local {
    /// One of them.
    pub fn virtual_instruction(&mut self) {
        let code = self.random.of(VIRTUAL);
        let mode = self.random.of(Mode::ALL);
        let registers = self.virtual_registers(code == VMFUNC);
        let outcome = self.execute(code, registers, mode);
        assert!(!outcome.done, "{code:x?} in {mode:?} was executed: {outcome:x?}");
        tally::VIRTUAL.add();
    }

    fn virtual_registers(&mut self, is_vmfunc: bool) -> Registers {
        let memory = self.playground.arrays() + 8 * self.random.below(512);
        let stubs = self.stubs();
        let target = self.random.of([memory, memory, stubs]);
        let mut registers = self.registers(target);
        let (small, any) = (self.random.of([0, 1, 2, 0x6c00, 0x4000]), self.random.any());
        registers[RAX] = self.random.of([small, any]);
        if is_vmfunc {
            let [leaf, index] = self.random.of(LEAVES);
            registers[RAX] = leaf;
            registers[RCX] = index;
        }
        registers
    }
}
