//! The rule sets, as the stub drives them.

mod tables;
mod typed;

use loadphys_abi::{Kept, Status};
use loadphys_rules::{Found, Mapping, MemoryAt, Wish};

use crate::memory::Memory;

pub use tables::by_tables;
pub use typed::by_typed;

/// What a rule set is asked.
pub trait Judge {
    /// Does something with the entry at an address.
    ///
    /// # Errors
    /// Why not.
    fn perform(&mut self, address: u64, wish: Wish, memory: &Memory) -> Result<Found, Status>;

    /// Makes a frame a table.
    ///
    /// # Errors
    /// Why not.
    fn register(
        &mut self,
        frame: u64,
        level: u64,
        kept: Kept,
        memory: &Memory,
    ) -> Result<(), Status>;

    /// Makes a table plain memory.
    ///
    /// # Errors
    /// Why not.
    fn release(&mut self, frame: u64, memory: &Memory) -> Result<(), Status>;

    /// Whether all of this is plain memory of the guest.
    ///
    /// # Errors
    /// Why not.
    fn memory(&self, start: u64, bytes: u64) -> Result<MemoryAt, Status>;

    /// Whether so many items lie in plain memory of the guest.
    ///
    /// # Errors
    /// Why not.
    fn array(&self, start: u64, items: u64) -> Result<MemoryAt, Status>;

    /// Empties the entry that maps a page.
    ///
    /// # Errors
    /// Why not.
    fn unmap(&mut self, mapping: Mapping, memory: &Memory) -> Result<Found, Status>;
}
