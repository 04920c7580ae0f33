//! Calls of the stub that are not a method's.
#![expect(unsafe_code, reason = "VMCALL, and memory that the stub writes to")]

use foreign_access::Cpu;
use loadphys_abi::batch::Item;
use loadphys_abi::{Call, Kept, Status, counters::Counters};
use x86_64::structures::paging::PhysFrame;

use crate::layout::{IMAGE_OFFSET, MOST_CPUS};

/// Where the stub writes, for each CPU that asks.
static mut COUNTERS: [Counters; MOST_CPUS as usize] = [Counters::ZERO; MOST_CPUS as usize];

static mut ITEMS: [Item; 4] = [Item { entry: 0, action: 0, found: 0, value: 0 }; 4];

/// What the stub has counted. It costs one exit.
///
/// # Panics
/// If the stub refuses, which it has no reason for.
pub fn counters(cpu: &impl Cpu) -> Counters {
    // SAFETY: inside the array, whose room goes by the numbers of CPUs.
    let place = unsafe { (&raw mut COUNTERS).cast::<Counters>().add(cpu.number()) };
    let (status, _) = call(cpu, Call::Counters.number(), [place as u64 - IMAGE_OFFSET, 0, 0]);
    assert_eq!(status, Some(Status::Done), "the stub gives its counters");
    // SAFETY: the stub has written it, and no other CPU has this place.
    unsafe { place.read_volatile() }
}

/// Tells a stub that checks what entries lead to that this table of level three is the kernel's own, who writes it as it likes.
///
/// # Panics
/// If the stub refuses: nothing else has been registered yet.
pub fn open(cpu: &impl Cpu, table: PhysFrame) {
    let arguments = [table.start_address().as_u64(), 3, Kept::Open.number()];
    let (status, _) = call(cpu, Call::RegisterTable.number(), arguments);
    assert_eq!(status, Some(Status::Done), "the stub takes {table:?} for the kernel's own");
}

/// Calls the stub. The answer's status is `None` for a number that no status has.
pub fn call(cpu: &impl Cpu, number: u64, arguments: [u64; 3]) -> (Option<Status>, u64) {
    // SAFETY: callers know that there is a stub; what the calls do to memory is theirs to know.
    let (status, answer) = unsafe { cpu.vmcall(number, arguments) };
    (Status::from_number(status), answer)
}

/// Room for a batch whose physical address is known.
pub fn items() -> &'static mut [Item; 4] {
    let items = &raw mut ITEMS;
    // SAFETY: one plan uses it, on the boot CPU; the stub writes to it during a call only.
    unsafe { &mut *items }
}
