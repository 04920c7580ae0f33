//! The guest's calls.
//!
//! A call decodes its registers, asks the rules, and only then touches anything. Whatever is refused has changed
//! nothing but RAX and RDX.

mod batch;
mod views;

use loadphys_abi::counters::Counters;
use loadphys_abi::{Call, Kept, Status};
use loadphys_rules::{MemoryAt, Request, Tables, Wish};
use spin::Mutex;

use crate::counts;
use crate::cpu::Cpu;
use crate::flush;
use crate::physical;
use crate::views::Views;
use crate::vmx::enter::Registers;
use crate::vmx::vmcs::{GuestField, Vmcs};

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
pub fn answer(registers: &mut Registers, cpu: &mut Cpu) {
    let call = Call::from_number(registers.rax);
    cpu.counts.by_call[call.map_or(0, |call| call.number() as usize)].add(1);
    let answer = match call {
        _ if !privileged(&cpu.vmcs) => Answer::refused(Status::NotPrivileged),
        Some(call) => perform(call, registers, cpu),
        None => Answer::refused(Status::UnknownCall),
    };
    // An entry that differs is an answer, not a refusal.
    let refused = !matches!(answer.status, Status::Done | Status::Differs);
    cpu.counts.refused.add(u64::from(refused));
    registers.rax = answer.status.number();
    registers.rdx = answer.value;
}

/// Whether the guest is in ring 0 and in 64-bit mode: IA32_EFER.LMA, and CS.L (section "Access Rights of Segment
/// Registers" for the bits; the DPL of SS is the privilege level).
fn privileged(vmcs: &Vmcs) -> bool {
    const LMA: u64 = 1 << 10;
    const LONG: u64 = 1 << 13;
    const DPL: u64 = 0b11 << 5;
    vmcs.get(GuestField::SS_RIGHTS) & DPL == 0
        && vmcs.get(GuestField::CS_RIGHTS) & LONG != 0
        && vmcs.get(GuestField::EFER) & LMA != 0
}

fn perform(call: Call, registers: &Registers, cpu: &mut Cpu) -> Answer {
    let Registers { rdi: first, rsi: second, rdx: third, .. } = *registers;
    let request = match Request::of_call(call, [first, second, third]) {
        Ok(request) => request,
        Err(status) => return Answer::refused(status),
    };
    match request {
        Request::One { address, wish } => one(&cpu.shared.tables, address, wish),
        Request::Batch { address, count } => batch::perform(address, count, cpu),
        Request::Register { frame, level, kept } => register(frame, level, kept, cpu),
        Request::Release { frame } => release(frame, cpu),
        Request::Counters { address } => counters(address, cpu),
        Request::SetGate { frame } => views::set_gate(frame, cpu),
        Request::BindView { own, target } => views::bind_view(own, target, cpu),
        Request::Unmap { .. } => Answer::refused(Status::NotOffered),
    }
}

fn one(tables: &Tables<'_>, address: u64, wish: Wish) -> Answer {
    match tables.operation(address, wish) {
        Ok(operation) => {
            let found = physical::apply(operation);
            let status = if found.differs { Status::Differs } else { Status::Done };
            Answer { status, value: found.entry }
        }
        Err(status) => Answer::refused(status),
    }
}

fn register(frame: u64, level: u64, kept: Kept, cpu: &Cpu) -> Answer {
    let shared = cpu.shared;
    let gate = shared.views.as_ref().and_then(Views::alias);
    if kept == Kept::Open || kept == Kept::Gate && gate.is_none() {
        return Answer::refused(Status::NotOffered);
    }
    let alias = shared.alias.as_ref().map(Mutex::lock);
    match shared.tables.register(frame, level) {
        Ok(table) => {
            match kept {
                Kept::Alias => alias.iter().for_each(|alias| alias.show(table)),
                Kept::Gate => gate.iter().for_each(|alias| alias.show(table)),
                Kept::Calls | Kept::Open => {}
            }
            Answer::done(0)
        }
        Err(status) => Answer::refused(status),
    }
}

/// Each alias forgets the table, on all CPUs, and so does each view of a root, before the guest hears that it is released.
fn release(frame: u64, cpu: &mut Cpu) -> Answer {
    let shared = cpu.shared;
    let alias = shared.alias.as_ref().map(Mutex::lock);
    let table = match shared.tables.release(frame) {
        Ok(table) => table,
        Err(status) => return Answer::refused(status),
    };
    let gate = shared.views.as_ref().and_then(Views::alias);
    let hidden = [alias.as_deref(), gate].map(|alias| alias.and_then(|alias| alias.hide(table)));
    drop(alias);
    let hidden = hidden.into_iter().flatten();
    cpu.counts.alias_flushes.add(hidden.clone().count() as u64);
    if let Some(stale) = hidden.chain(views::unbind(frame, cpu)).next() {
        flush::forget(stale, cpu);
        views::settle(cpu);
    }
    Answer::done(0)
}

fn counters(address: u64, cpu: &Cpu) -> Answer {
    match cpu.shared.tables.memory(address, size_of::<Counters>() as u64) {
        Ok(at) => {
            physical::store_counters(at, &counts::total(cpu.shared.counts));
            Answer::done(0)
        }
        Err(status) => Answer::refused(status),
    }
}

/// Loads words that may lie in plain memory or in tables, if all of them are the guest's.
pub fn load_words<const N: usize>(tables: &Tables<'_>, address: u64) -> Option<[u64; N]> {
    let mut words = [0; N];
    for (word, at) in words.iter_mut().zip((address..).step_by(8)) {
        *word = match tables.memory(at, 8) {
            Ok(at) => load_word(at),
            Err(_) => physical::apply(tables.operation(at, Wish::Load).ok()?).entry,
        };
    }
    Some(words)
}

fn load_word(at: MemoryAt) -> u64 {
    let words = physical::words(at);
    words.first().map_or(0, |word| word.load(core::sync::atomic::Ordering::Relaxed))
}
