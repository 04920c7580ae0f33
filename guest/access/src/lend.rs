//! The adapter for methods that can lend the virtual address of an entry.
#![expect(unsafe_code, reason = "loads and stores entries at lent addresses")]

use core::hint::cold_path;

use x86_64::VirtAddr;

use crate::cpu::Cpu;
use crate::operation::{Action, EntryName, Operation, Refusal, Stopped};

/// Lends addresses of entries, one at a time.
///
/// # Safety
/// If the name is true (see [`crate::Method::apply`]) then the address leads this CPU to the named
/// entry and nothing else, writable, until the next address is lent.
pub unsafe trait Lend {
    /// The address of an entry.
    fn lend(&mut self, name: &EntryName) -> VirtAddr;

    /// The batch is over, done or stopped: nothing that was lent is used any more.
    #[inline]
    fn end(&mut self) {}
}

/// Does operations at the addresses that are lent for them.
///
/// # Safety
/// As for [`crate::Method::apply`].
///
/// # Errors
/// [`Stopped`] at the first compare-exchange that finds something else.
#[inline]
pub unsafe fn apply<C: Cpu>(
    lender: &mut impl Lend,
    cpu: &C,
    operations: &mut [Operation],
) -> Result<(), Stopped> {
    let all = operations.len();
    let (mut stopped, mut rest) = (Ok(()), operations.iter_mut());
    while let Some(operation) = rest.next() {
        let address = lender.lend(&operation.name);
        // SAFETY: names are true, says the caller, so the lent address leads to the entry, and
        // whoever uses the entry is ready for the edit.
        if let Err(refusal) = unsafe { act(cpu, address, operation) } {
            stopped = Err(Stopped { done: all - rest.len() - 1, refusal });
            break;
        }
    }
    lender.end();
    stopped
}

/// Does one operation.
///
/// # Safety
/// The address leads to the entry that the operation names, which may be edited.
#[inline(always)]
unsafe fn act<C: Cpu>(
    cpu: &C,
    address: VirtAddr,
    operation: &mut Operation,
) -> Result<(), Refusal> {
    // Nearly all operations of an eviction are exchanges, so these are laid straight.
    if let Action::Exchange(new) = operation.action {
        // SAFETY: an entry is mapped and aligned, and the edit is allowed, says the caller.
        operation.found = unsafe { cpu.exchange(address, new) };
        return Ok(());
    }
    cold_path();
    if let Action::CompareExchange { expected, new } = operation.action {
        // SAFETY: the same.
        let done = unsafe { cpu.compare_exchange(address, expected, new) };
        operation.found = done.unwrap_or_else(|found| found);
        return if done.is_ok() { Ok(()) } else { Err(Refusal::Differs) };
    }
    // SAFETY: an entry is mapped and aligned, says the caller.
    operation.found = unsafe { cpu.load(address) };
    Ok(())
}
