//! Calls, answered as the stub answers them.

use loadphys_abi::batch::Item;
use loadphys_abi::counters::Counters;
use loadphys_abi::{Call, Status};
use loadphys_rules::{Found, Mapping, Request, Wish, in_order};

use crate::memory::Memory;
use crate::rules::Judge;

/// What goes back to the guest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answer {
    /// How it ended.
    pub status: Status,
    /// The answer.
    pub value: u64,
}

impl Answer {
    /// Nothing was done.
    pub const fn refused(status: Status) -> Self {
        Self { status, value: 0 }
    }

    /// It was done.
    pub const fn done(value: u64) -> Self {
        Self { status: Status::Done, value }
    }

    /// Whether the call has changed nothing but registers.
    pub const fn is_refused(self) -> bool {
        !matches!(self.status, Status::Done)
    }
}

impl From<Result<Found, Status>> for Answer {
    fn from(done: Result<Found, Status>) -> Self {
        match done {
            Ok(Found { entry, differs: false }) => Self::done(entry),
            Ok(Found { entry, differs: true }) => Self { status: Status::Differs, value: entry },
            Err(status) => Self::refused(status),
        }
    }
}

impl From<Result<(), Status>> for Answer {
    fn from(done: Result<(), Status>) -> Self {
        done.map_or_else(Self::refused, |()| Self::done(0))
    }
}

/// What the counters are stored as: every word of them.
pub const COUNTED: u64 = 0xc0_17ed;

/// Answers a call.
pub fn answer(
    rules: &mut impl Judge,
    memory: &Memory,
    [number, first, second, third]: [u64; 4],
) -> Answer {
    let Some(call) = Call::from_number(number) else {
        return Answer::refused(Status::UnknownCall);
    };
    let request = match Request::of_call(call, [first, second, third]) {
        Ok(request) => request,
        Err(status) => return Answer::refused(status),
    };
    match request {
        Request::One { address, wish } => Answer::from(rules.perform(address, wish, memory)),
        Request::Batch { address, count } => batch(rules, memory, address, count),
        Request::Register { frame, level, kept } => {
            Answer::from(rules.register(frame, level, kept, memory))
        }
        Request::Release { frame } => Answer::from(rules.release(frame, memory)),
        Request::Counters { address } => Answer::from(counters(rules, memory, address)),
        Request::Unmap { root, page, frame } => {
            Answer::from(rules.unmap(Mapping { root, page, frame }, memory))
        }
        Request::SetGate { .. } | Request::BindView { .. } => Answer::refused(Status::NotOffered),
    }
}

fn counters(rules: &impl Judge, memory: &Memory, address: u64) -> Result<(), Status> {
    let at = rules.memory(address, size_of::<Counters>() as u64)?;
    for word in (at.address()..at.address() + at.bytes()).step_by(8) {
        memory.store(word, COUNTED);
    }
    Ok(())
}

/// Bytes of an item, and where in it `found` is.
const ITEM: u64 = size_of::<Item>() as u64;
const FOUND: u64 = std::mem::offset_of!(Item, found) as u64;

fn batch(rules: &mut impl Judge, memory: &Memory, address: u64, count: u64) -> Answer {
    let at = match rules.array(address, count) {
        Ok(at) => at.address(),
        Err(status) => return Answer::refused(status),
    };
    let place = |number: u64| at + number * ITEM;
    let items: Vec<Item> = (0..count).map(|number| load(memory, place(number))).collect();
    let perform = |item: &Item| rules.perform(item.entry, Wish::of_item(item)?, memory);
    let (status, value) = in_order(&items, perform, |number, found| {
        memory.store(place(number as u64) + FOUND, found);
    });
    Answer { status, value }
}

fn load(memory: &Memory, at: u64) -> Item {
    let [entry, action, found, value] = [0, 8, 16, 24].map(|offset| memory.load(at + offset));
    Item { entry, action, found, value }
}
