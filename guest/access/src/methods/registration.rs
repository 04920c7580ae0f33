//! What the methods that need the stub share: it is told which frames are tables.
#![expect(unsafe_code, reason = "calls the stub")]

use loadphys_abi::{Call, Kept, Status};
use x86_64::structures::paging::PhysFrame;
use x86_64::structures::paging::page_table::PageTableLevel;

use crate::cpu::Cpu;
use crate::operation::Refusal;

/// Views that VMFUNC can choose from (SDM volume 3, "EPTP Switching").
pub const MOST_VIEWS: u32 = 512;

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

/// Asks for a view in which one root stands in the place of another; says its number.
pub fn bind_view<C: Cpu>(cpu: &C, [own, root]: [u64; 2]) -> Result<u32, Refusal> {
    // SAFETY: as in `register`; what a view shows matters to nobody who is not in it.
    let (status, view) = unsafe { cpu.vmcall(Call::BindView.number(), [own, root, 0]) };
    refusal(status).map_or(Ok(()), Err)?;
    // A number that VMFUNC does not know is not believed.
    u32::try_from(view).ok().filter(|view| *view < MOST_VIEWS).ok_or(Refusal::Stub(status))
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
