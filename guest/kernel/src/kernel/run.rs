//! Programs take turns: each runs for a slice, until it waits, or until it is at its end.
#![expect(unsafe_code, reason = "lets programs run")]

use loadphys_apps::calls::Call;
use x86_64::instructions::interrupts;
use x86_64::registers::control::Cr2;
use x86_64::registers::rflags::{self, RFlags};

use super::{Core, Kernel, State};
use crate::console::log;
use crate::interrupts::{take_slice_over, vector};
use crate::tlb;
use crate::user::{Context, enter};

/// Mismatches that are told; the rest are counted.
const MOST_TOLD: u64 = 8;

impl Kernel {
    /// Runs programs until none stands in line any more. Those that other CPUs run then may stand in line
    /// again, and are theirs.
    pub(super) fn run_programs(&mut self) {
        while self.run_one() {}
    }

    /// Runs the next program in line for a slice; false if none stands in line.
    pub fn run_one(&mut self) -> bool {
        let Some((number, context)) = self.next() else { return false };
        self.run_slice(number, context);
        self.core().end_slice(number);
        true
    }

    /// Takes the next program that can run, if there is one, and loads its space.
    fn next(&mut self) -> Option<(usize, *mut Context)> {
        let mut core = self.core();
        let number = usize::from(core.ready.pop_front()?);
        let process = &mut core.processes[number];
        process.state = State::Running;
        self.machine.load(process.space.root, process.space.identity);
        Some((number, &raw mut *process.context))
    }

    /// Runs one program until its slice is over or it cannot go on. There is a slice even for one
    /// that runs alone.
    fn run_slice(&mut self, number: usize, context: *mut Context) {
        take_slice_over();
        self.timer.arm();
        loop {
            // SAFETY: the program's space is loaded, and its registers are this CPU's while it is Running.
            let Context { vector, error, .. } = *unsafe {
                enter(&mut *context);
                &*context
            };
            let address = Cr2::read_raw();
            if self.machine.checks.on() {
                must_protect();
            }
            if vector == vector::SHOOTDOWN {
                // The program goes on with its slice.
                tlb::answer(self.number);
                self.timer.acknowledge();
                continue;
            }
            if vector == vector::WAKE {
                // The order was seen before the call came, and is being carried out.
                self.timer.acknowledge();
                continue;
            }
            if vector == vector::TIMER {
                self.timer.acknowledge();
                interrupts::enable();
                return;
            }
            interrupts::enable();
            self.answer(number, vector, error, address);
            if take_slice_over() {
                return;
            }
            if self.core().processes[number].state != State::Running {
                break;
            }
        }
        self.timer.disarm();
    }

    /// Answers whatever made the program come back.
    fn answer(&mut self, number: usize, vector: u64, error: u64, address: u64) {
        match vector {
            vector::SYSCALL => self.core().call(number),
            vector::PAGE_FAULT => self.fault(number, address, error),
            vector::SPURIOUS => {}
            other => {
                let name = vector::name(other);
                self.core().end_program(number, Some(format_args!("{name}, error {error:#x}")));
            }
        }
    }
}

impl Core {
    /// The slice of a program is over: if it can go on, it stands in line again.
    fn end_slice(&mut self, number: usize) {
        if self.processes[number].state == State::Running {
            self.processes[number].state = State::Ready;
            self.tally.preemptions += u64::from(!self.ready.is_empty());
            self.make_ready(number);
        }
    }

    fn call(&mut self, number: usize) {
        let process = &mut self.processes[number];
        let Context { rax, rdi, rsi, rdx, r10, .. } = *process.context;
        match Call::from_number(rax) {
            Some(Call::Wait) => process.state = State::Waiting,
            Some(Call::Verified) => self.tally.verified += rdi,
            Some(Call::Mismatch) => self.mismatch(number, [rdi, rsi, rdx, r10]),
            Some(Call::Exit) => self.end_program(number, None),
            Some(Call::StubAnswered) => self.stub_answered(number, rdi),
            None => self.end_program(number, Some(format_args!("there is no system call {rax}"))),
        }
    }

    fn mismatch(&mut self, number: usize, [segment, page, found, word]: [u64; 4]) {
        if self.tally.lost < MOST_TOLD {
            log!(
                "program {number}: page {page} of segment {segment} has {found:#x} in word {word}"
            );
        }
        self.tally.lost += 1;
    }

    fn stub_answered(&mut self, number: usize, status: u64) {
        let refused = status == loadphys_abi::Status::NotPrivileged.number();
        log!("program {number}: the stub answered ring 3 with status {status}");
        self.tally.refused_in_ring_3 += u64::from(refused);
    }
}

/// In the kernel AC is clear, whatever the program did with it.
fn must_protect() {
    let flags = rflags::read();
    assert!(!flags.contains(RFlags::ALIGNMENT_CHECK), "the kernel runs with AC set: SMAP is off");
}
