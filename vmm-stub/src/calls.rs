//! The guest's calls.
//!
//! A call decodes its registers, asks the rules, and only then touches anything. Whatever is refused has changed
//! nothing but RAX and RDX.

mod batch;
mod registration;
mod views;

use loadphys_abi::counters::Counters;
use loadphys_abi::{Call, Status};
use loadphys_rules::{Entries, Found, Mapping, Request, Wish};

use crate::counts;
use crate::cpu::Cpu;
use crate::physical::{self, Guest};
use crate::registers::Registers;
use crate::rules::{Rules, with_rules};
use crate::vcpu::Vcpu;

/// What goes back to the guest.
struct Answer {
    status: Status,
    value: u64,
}

impl Answer {
    const fn done(value: u64) -> Self {
        Self { status: Status::Done, value }
    }

    const fn refused(status: Status) -> Self {
        Self { status, value: 0 }
    }
}

/// Answers the call in the guest's registers.
pub fn answer<V: Vcpu>(registers: &mut Registers, cpu: &mut Cpu<V>) {
    let call = Call::from_number(registers.rax);
    cpu.counts.by_call[call.map_or(0, |call| call.number() as usize)].add(1);
    let answer = match call {
        _ if !cpu.vcpu.is_privileged() => Answer::refused(Status::NotPrivileged),
        Some(call) => perform(call, registers, cpu),
        None => Answer::refused(Status::UnknownCall),
    };
    // An entry that differs is an answer, not a refusal.
    let refused = !matches!(answer.status, Status::Done | Status::Differs);
    cpu.counts.refused.add(u64::from(refused));
    registers.rax = answer.status.number();
    registers.rdx = answer.value;
}

fn perform<V: Vcpu>(call: Call, registers: &Registers, cpu: &mut Cpu<V>) -> Answer {
    let Registers { rdi: first, rsi: second, rdx: third, .. } = *registers;
    let request = match Request::of_call(call, [first, second, third]) {
        Ok(request) => request,
        Err(status) => return Answer::refused(status),
    };
    match request {
        Request::One { address, wish } => one(&cpu.shared.rules, address, wish),
        Request::Batch { address, count } => batch::perform(address, count, cpu),
        Request::Register { frame, level, kept } => registration::register(frame, level, kept, cpu),
        Request::Release { frame } => registration::release(frame, cpu),
        Request::Counters { address } => counters(address, cpu),
        Request::SetGate { frame } => views::set_gate(frame, cpu),
        Request::BindView { own, target } => views::bind_view(own, target, cpu),
        Request::Unmap { root, page, frame } => {
            unmap(&cpu.shared.rules, Mapping { root, page, frame })
        }
    }
}

/// What was found, or why nothing was looked for.
impl From<Result<Found, Status>> for Answer {
    #[inline]
    fn from(done: Result<Found, Status>) -> Self {
        match done {
            Ok(Found { entry, differs: true }) => Self { status: Status::Differs, value: entry },
            Ok(Found { entry, differs: false }) => Self::done(entry),
            Err(status) => Self::refused(status),
        }
    }
}

fn one(rules: &Rules, address: u64, wish: Wish) -> Answer {
    Answer::from(with_rules!(rules, rules => rules.perform(address, wish, &Guest)))
}

fn unmap(rules: &Rules, mapping: Mapping) -> Answer {
    Answer::from(with_rules!(rules, rules => rules.unmap(mapping, &Guest)))
}

/// The frames stay what they are until all is stored.
fn counters<V: Vcpu>(address: u64, cpu: &Cpu<V>) -> Answer {
    let total = counts::total(cpu.shared.counts);
    with_rules!(&cpu.shared.rules, rules => {
        match rules.memory(address, size_of::<Counters>() as u64) {
            Ok(at) => {
                physical::store_counters(at, &total);
                Answer::done(0)
            }
            Err(status) => Answer::refused(status),
        }
    })
}

/// Loads words that may lie in plain memory or in tables, if all of them are the guest's.
pub fn load_words<const N: usize>(rules: &Rules, address: u64) -> Option<[u64; N]> {
    let mut words = [0; N];
    for (word, at) in words.iter_mut().zip((address..).step_by(8)) {
        let at = with_rules!(rules, rules => rules.word(at)).ok()?;
        *word = Guest.load(at);
    }
    Some(words)
}
