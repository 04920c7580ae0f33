//! The CPU leaves long mode, turns paging off, loads and stores physical memory, and comes back.
//!
//! 32-bit code without paging reaches 4 GiB, so tables and entries above that are refused. Interrupts are off meanwhile; an
//! NMI must find tables of both modes ([`Cpu::without_paging`] sees to that).
#![expect(unsafe_code, reason = "a method reaches entries by raw addresses")]

use loadphys_abi::batch::Item;
use x86_64::structures::paging::PhysFrame;
use x86_64::structures::paging::page_table::PageTableLevel;

use crate::cpu::Cpu;
use crate::entry::Entry;
use crate::methods::items::laid_out;
use crate::operation::{Method, Operation, Refusal, Stopped};

/// The first physical address out of reach.
const END: u64 = 1 << 32;

/// Physical mode.
#[derive(Debug)]
pub struct PagingOff<'a> {
    items: &'a mut [Item],
}

impl<'a> PagingOff<'a> {
    /// With room in which operations are laid out.
    ///
    /// # Safety
    /// The items lie where [`Cpu::without_paging`] can reach them.
    ///
    /// # Panics
    /// If there is no room for a single item.
    pub const unsafe fn new(items: &'a mut [Item]) -> Self {
        assert!(!items.is_empty(), "room for at least one item");
        Self { items }
    }
}

// SAFETY: the CPU does the items in order, whole and atomically, and stops at the first that differs; interrupts are restored.
unsafe impl<C: Cpu> Method<C> for PagingOff<'_> {
    unsafe fn apply(&mut self, cpu: &C, operations: &mut [Operation]) -> Result<(), Stopped> {
        let most = self.items.len();
        for (number, chunk) in operations.chunks_mut(most).enumerate() {
            let room = &mut self.items[..chunk.len()];
            // SAFETY: the caller's duty is the same.
            unsafe { one_batch(room, cpu, chunk) }
                .map_err(|stopped| Stopped { done: number * most + stopped.done, ..stopped })?;
        }
        Ok(())
    }

    /// A table out of reach is refused before anything leads to it.
    fn adopt(&mut self, _: &C, table: PhysFrame, _: PageTableLevel) -> Result<(), Refusal> {
        if table.start_address().as_u64() < END { Ok(()) } else { Err(Refusal::Above4GiB) }
    }
}

/// Does what lies in reach, up to the first operation that does not or that differs.
///
/// # Safety
/// As for [`Method::apply`].
unsafe fn one_batch<C: Cpu>(
    room: &mut [Item],
    cpu: &C,
    operations: &mut [Operation],
) -> Result<(), Stopped> {
    let beyond = operations.iter().position(|operation| operation.name.physical() >= END);
    let items = &mut room[..beyond.unwrap_or(operations.len())];
    for (item, operation) in items.iter_mut().zip(operations.iter()) {
        *item = laid_out(operation);
    }
    let were_on = cpu.mask_interrupts();
    // SAFETY: the caller allows the edits; all entries lie below 4 GiB; interrupts are off.
    let done = unsafe { cpu.without_paging(items) };
    cpu.restore_interrupts(were_on);
    for (operation, item) in operations.iter_mut().zip(items.iter()).take(done + 1) {
        operation.found = Entry(item.found);
    }
    match beyond {
        _ if done < items.len() => Err(Stopped { done, refusal: Refusal::Differs }),
        Some(_) => Err(Stopped { done, refusal: Refusal::Above4GiB }),
        None => Ok(()),
    }
}
