//! The rule set `tables`, of which a reference says every answer.

use std::sync::atomic::AtomicU8;

use loadphys_abi::{Kept, Status};
use loadphys_rules::{Found, Mapping, MemoryAt, Tables, Wish};

use super::Judge;
use crate::course::{Course, Done};
use crate::memory::{FRAME, GUESTS, KNOWN, Memory};
use crate::reference::Reference;

/// Does what the bytes say under this rule set.
///
/// # Panics
/// If it answers otherwise than the reference.
pub fn by_tables(data: &[u8]) -> Done {
    let frames: [AtomicU8; KNOWN as usize] = std::array::from_fn(|_| AtomicU8::new(0));
    let tables = Tables::new(&frames);
    tables.grant(GUESTS.start * FRAME..GUESTS.end * FRAME + 8);
    Course::new(tables, &Memory::new(), Some(Reference::new())).run(data)
}

impl Judge for Tables<'_> {
    fn perform(&mut self, address: u64, wish: Wish, memory: &Memory) -> Result<Found, Status> {
        Ok(self.operation(address, wish)?.perform(memory))
    }

    fn register(&mut self, frame: u64, level: u64, kept: Kept, _: &Memory) -> Result<(), Status> {
        match kept {
            Kept::Open => Err(Status::NotOffered),
            _ => Tables::register(self, frame, level).map(|_| ()),
        }
    }

    fn release(&mut self, frame: u64, _: &Memory) -> Result<(), Status> {
        Tables::release(self, frame).map(|_| ())
    }

    fn memory(&self, start: u64, bytes: u64) -> Result<MemoryAt, Status> {
        Tables::memory(self, start, bytes)
    }

    fn array(&self, start: u64, items: u64) -> Result<MemoryAt, Status> {
        Tables::array(self, start, items)
    }

    fn unmap(&mut self, mapping: Mapping, memory: &Memory) -> Result<Found, Status> {
        Tables::unmap(self, mapping, memory)
    }
}
