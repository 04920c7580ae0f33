//! A gate of this guest's own, from whose page it does in other views what it must not.

use core::sync::atomic::{AtomicBool, Ordering};

use loadphys_abi::{Call, Status};
use loadphys_test_guests::calls;

use crate::canaries::Page;
use crate::descriptors::Mode;
use crate::execute::{GENERAL_PROTECTION, INVALID_OPCODE, RAX, RCX, RSP};
use crate::local::Local;
use crate::tally;

/// The gate's page; it lies in the image, where the stub takes one.
static GATE: Page = Page::zero();

/// The stub has taken it.
static IS_SET: AtomicBool = AtomicBool::new(false);

/// Bytes of each piece of code there, all of which begin with VMFUNC and end with UD2.
const ROOM: u64 = 16;

/// Behind the VMFUNC: accesses at RSI, a jump there, an access at RSP, and a call that there is not.
const PIECES: [&[u8]; 6] = [
    &[0x48, 0x8b, 0x06], // mov rax, [rsi]
    &[0x48, 0x89, 0x06], // mov [rsi], rax
    &[0x48, 0xa5],       // movsq
    &[0xff, 0xe6],       // jmp rsi
    &[0x50],             // push rax
    &[0x0f, 0x01, 0xc1], // vmcall
];
const VMCALL: usize = 5;

const VMFUNC: [u8; 3] = [0x0f, 0x01, 0xd4];
const UD2: [u8; 2] = [0x0f, 0x0b];

impl Local {
    /// Fills the page and has the stub make it the gate, if there can be one.
    pub fn set_gate(&mut self) {
        for (number, piece) in (0..).zip(PIECES) {
            let code = VMFUNC.iter().chain(piece).chain(&UD2);
            GATE.store(number * ROOM, code.copied());
        }
        let (status, _) = self.call(Call::SetGate.number(), [GATE.address(), 0, 0], Mode::Kernel);
        let expected = if calls::features().gate { Status::Done } else { Status::NotOffered };
        assert_eq!(status, expected, "the page at {:#x} becomes the gate", GATE.address());
        IS_SET.store(status == Status::Done, Ordering::SeqCst);
    }

    /// One piece, in one of the views.
    pub fn misuse_gate(&mut self) {
        if !IS_SET.load(Ordering::SeqCst) {
            return;
        }
        let piece = self.random.below(PIECES.len() as u64);
        let target = self.stubs();
        let mut registers = self.registers(target);
        registers[RAX] = 0;
        registers[RCX] = self.random.of([1, 1, 1, 0, 2, 3, 511, 512, 1 << 32]);
        registers[RSP] = target + 8;
        let start = GATE.address() + piece * ROOM;
        let outcome = self.execute_at(start, registers);
        let loaded = outcome.registers[RAX];
        let no_such_view = outcome.rip == start && outcome.vector == INVALID_OPCODE;
        let called = piece as usize == VMCALL && loaded == Status::UnknownCall.number();
        // In another view not even the handler of the #GP can be executed: that is a second one, at the handler.
        let stopped = outcome.vector == GENERAL_PROTECTION && loaded == 0;
        let clean = no_such_view || called || stopped;
        assert!(clean, "piece {piece} at {target:#x} in view {}: {outcome:x?}", registers[RCX]);
        if called {
            tally::status(Status::UnknownCall);
        }
        tally::GATE.add();
    }
}
