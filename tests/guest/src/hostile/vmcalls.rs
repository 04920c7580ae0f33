//! Calls with any number and any arguments, from any mode.

use loadphys_abi::counters::Counters;
use loadphys_abi::{Call, Kept, Status};

use crate::addresses::machine;
use crate::descriptors::Mode;
use crate::execute::{RAX, RDI, RDX, RSI, Registers};
use crate::local::Local;
use crate::playground::{ARRAY_PAGES, FRAMES};
use crate::tally;

const VMCALL: [u8; 3] = [0x0f, 0x01, 0xc1];

impl Local {
    /// One call, from any mode.
    pub fn call_something(&mut self) {
        let number = self.number_of_call();
        let arguments = self.arguments(number);
        let elsewhere = self.random.one_in(4);
        let mode = if elsewhere { self.random.of(Mode::ALL) } else { Mode::Kernel };
        let (status, _) = self.call(number, arguments, mode);
        if matches!(status, Status::Done | Status::Differs) {
            self.judge(number, arguments);
        }
    }

    fn number_of_call(&mut self) -> u64 {
        let known = Call::ALL.len() as u64;
        match self.random.below(16) {
            0 => self.random.of([0, known + 1, 1 << 32 | 1, 1 << 63 | 2, !0]),
            1 => self.random.any(),
            // Without tables all else would be refused for want of one.
            2..4 => Call::RegisterTable.number(),
            _ => 1 + self.random.below(known),
        }
    }

    /// Arguments by which no canary can be changed rightly: nothing makes it a table, the gate or the place of an answer.
    fn arguments(&mut self, number: u64) -> [u64; 3] {
        let any = [self.random.any(), self.anywhere(), self.random.below(8), self.leading()];
        let (second, third) = (self.random.of(any), self.random.of(any));
        match Call::from_number(number) {
            Some(Call::RegisterTable) => [self.table(), self.random.below(7), self.random.below(5)],
            Some(Call::Batch) => [self.forbidden(), self.random.of([0, 1, 512, 513, !0]), third],
            Some(Call::Counters) => [self.place(), second, third],
            Some(Call::Exchange | Call::CompareExchange) if self.random.one_in(2) => {
                [self.own(), self.leading(), self.leading()]
            }
            Some(Call::SetGate) => [self.forbidden(), second, third],
            Some(Call::ReleaseTable) if !self.random.one_in(3) => [self.own_frame(), second, third],
            _ => [self.anywhere(), second, third],
        }
    }

    fn table(&mut self) -> u64 {
        match self.random.below(4) {
            0 => self.forbidden(),
            1 => self.own(),
            _ => self.own_frame(),
        }
    }

    /// Where the counters can go, or must not.
    fn place(&mut self) -> u64 {
        let room = ARRAY_PAGES as u64 * 0x1000 - size_of::<Counters>() as u64;
        match self.random.below(3) {
            0 => self.forbidden(),
            _ => self.playground.arrays() + self.random.below(room),
        }
    }

    /// A call with any other registers, which must be kept.
    pub fn call(&mut self, number: u64, arguments: [u64; 3], mode: Mode) -> (Status, u64) {
        let mut before: Registers = core::array::from_fn(|_| self.random.any());
        before[RAX] = number;
        [before[RDI], before[RSI], before[RDX]] = arguments;
        let stepped = self.random.one_in(8);
        let execute = if stepped { Self::step } else { Self::execute };
        let outcome = execute(self, &VMCALL, before, mode);
        assert!(outcome.done, "a call from {mode:?} ended in {outcome:x?}");
        let after = outcome.registers;
        kept(&before, &after, mode);
        let (status, answer) = (after[RAX], after[RDX]);
        let status = Status::from_number(status & mask(mode));
        let status = status.unwrap_or_else(|| panic!("{number:#x} {arguments:x?}: {after:x?}"));
        tally::status(status);
        if mode != Mode::Kernel {
            tally::CALLS_FROM_ELSEWHERE.add();
            assert_eq!(status, Status::NotPrivileged, "call {number:#x} from {mode:?}");
        }
        (status, answer)
    }

    /// Whether what was done, or was looked at, could be.
    fn judge(&mut self, number: u64, arguments: [u64; 3]) {
        let [first, second, third] = arguments;
        let may = match Call::from_number(number) {
            Some(Call::Load | Call::Exchange | Call::CompareExchange) => {
                self.playground.is_entry(first)
            }
            Some(Call::RegisterTable) => {
                let is_own = self.playground.number_of(first).is_some();
                is_own && !self.playground.is_entry(first)
            }
            Some(Call::ReleaseTable | Call::Unmap | Call::BindView) => {
                self.playground.is_entry(first)
            }
            Some(Call::Batch) => second == 0,
            Some(Call::Counters) => self.playground.is_in_arrays(first),
            Some(Call::SetGate) | None => false,
        };
        assert!(may, "call {number} with {arguments:x?} was done");
        match Call::from_number(number) {
            Some(Call::RegisterTable) => {
                self.playground.note(first, true);
                if third == Kept::Open.number() {
                    self.playground.note_open(first);
                }
            }
            Some(Call::ReleaseTable) => self.playground.note(first, false),
            _ => {}
        }
    }

    /// Releases all that is a table still: first those that no other leads to.
    pub fn release_all(&mut self) {
        while self.playground.first_table().is_some() {
            let released = (0..FRAMES as u64).filter(|number| self.release(*number)).count();
            assert!(released > 0, "tables that only lead to each other");
        }
    }

    /// Releases a frame if it is a table and no other leads to it; says whether.
    fn release(&mut self, number: u64) -> bool {
        let frame = self.playground.frame(number);
        if !self.playground.is_entry(frame) {
            return false;
        }
        let (status, _) = self.call(Call::ReleaseTable.number(), [frame, 0, 0], Mode::Kernel);
        let stays = machine().typed && status == Status::InUse;
        assert!(stays || status == Status::Done, "frame {frame:#x} is not released: {status:?}");
        self.playground.note(frame, stays);
        !stays
    }
}

/// Outside of 64-bit mode the upper halves are nobody's.
const fn mask(mode: Mode) -> u64 {
    if mode.is_long() { u64::MAX } else { u32::MAX as u64 }
}

fn kept(before: &Registers, after: &Registers, mode: Mode) {
    for (number, (before, after)) in before.iter().zip(after).enumerate() {
        let changed = (before ^ after) & mask(mode) != 0;
        let extended = !mode.is_long() && number >= 8;
        let may = [RAX, RDX].contains(&number) || extended;
        assert!(may || !changed, "a call changed register {number}: {before:#x} {after:#x}");
    }
}
