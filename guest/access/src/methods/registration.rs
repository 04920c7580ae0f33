//! What the methods that need the stub share: it is told which frames are tables.
#![expect(unsafe_code, reason = "calls the stub")]

use loadphys_abi::{Call, Kept, Status};
use x86_64::structures::paging::PhysFrame;
use x86_64::structures::paging::page_table::PageTableLevel;

use crate::cpu::Cpu;
use crate::operation::Refusal;

/// Tells the stub that a frame is a table of this level, and how the method will reach it.
pub fn register<C: Cpu>(
    cpu: &C,
    table: PhysFrame,
    level: PageTableLevel,
    kept: Kept,
) -> Result<(), Refusal> {
    let arguments = [table.start_address().as_u64(), level as u64, kept.number()];
    // SAFETY: the method in use was chosen because there is a stub; the call changes no memory
    // but what the stub keeps.
    done(unsafe { cpu.vmcall(Call::RegisterTable.number(), arguments) })
}

/// Tells the stub that a frame is a table no more.
pub fn release<C: Cpu>(cpu: &C, table: PhysFrame) -> Result<(), Refusal> {
    let arguments = [table.start_address().as_u64(), 0, 0];
    // SAFETY: as in `register`; the caller of `Method::release` gives up access to the frame.
    done(unsafe { cpu.vmcall(Call::ReleaseTable.number(), arguments) })
}

fn done((status, _): (u64, u64)) -> Result<(), Refusal> {
    refusal(status).map_or(Ok(()), Err)
}

/// What a status means, if it is not [`Status::Done`].
pub fn refusal(status: u64) -> Option<Refusal> {
    match Status::from_number(status) {
        Some(Status::Done) => None,
        Some(Status::Differs) => Some(Refusal::Differs),
        _ => Some(Refusal::Stub(status)),
    }
}
