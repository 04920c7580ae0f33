//! Calls of the stub: it loads and stores for us what it finds allowed.
#![expect(unsafe_code, reason = "calls the stub")]

use loadphys_abi::batch::{Item, MOST_ITEMS};
use loadphys_abi::{Call, Kept};
use x86_64::structures::paging::PhysFrame;
use x86_64::structures::paging::page_table::PageTableLevel;

use super::items::laid_out;
use super::registration;
use crate::cpu::Cpu;
use crate::entry::Entry;
use crate::operation::{Action, Method, Operation, Refusal, Stopped};

/// One call for a batch of one; one call for each room of items otherwise.
#[derive(Debug)]
pub struct Hypercall<'a> {
    items: &'a mut [Item],
    /// Entries are stored as the walker leaves them.
    touched: bool,
}

impl<'a> Hypercall<'a> {
    /// With room in which batches are laid out for the stub; a batch of more operations than
    /// there are items (or than [`MOST_ITEMS`]) becomes several calls.
    ///
    /// # Safety
    /// There is a stub, and the items lie where [`Cpu::vmcall_batch`] knows their physical address.
    ///
    /// # Panics
    /// If there is no room for a single item.
    pub const unsafe fn new(items: &'a mut [Item]) -> Self {
        assert!(!items.is_empty(), "room for at least one item");
        Self { items, touched: false }
    }

    /// For a stub under which the walker cannot set Accessed and Dirty: what is stored has them already
    /// ([`loadphys_abi::discovery::RuleSet::TypedPreset`]).
    #[must_use]
    pub const fn touched(self) -> Self {
        Self { touched: true, ..self }
    }

    /// The operation as it is asked for.
    #[inline]
    fn asked(&self, operation: &Operation) -> Action {
        let level = operation.name.level();
        match operation.action {
            Action::Exchange(new) if self.touched => Action::Exchange(new.touched(level)),
            Action::CompareExchange { expected, new } if self.touched => {
                Action::CompareExchange { expected, new: new.touched(level) }
            }
            action => action,
        }
    }
}

// SAFETY: the stub does what is named, in order, whole and atomically, and stops at the first
// refusal.
unsafe impl<C: Cpu> Method<C> for Hypercall<'_> {
    #[inline]
    unsafe fn apply(&mut self, cpu: &C, operations: &mut [Operation]) -> Result<(), Stopped> {
        match operations {
            [only] => {
                // SAFETY: the caller's duty is the same.
                let done = unsafe { self.alone(cpu, only) };
                done.map_err(|refusal| Stopped { done: 0, refusal })
            }
            // SAFETY: the caller's duty is the same.
            many => unsafe { self.in_batches(cpu, many) },
        }
    }

    fn adopt(&mut self, cpu: &C, table: PhysFrame, level: PageTableLevel) -> Result<(), Refusal> {
        registration::register(cpu, table, level, Kept::Calls)
    }

    fn release(&mut self, cpu: &C, table: PhysFrame) -> Result<(), Refusal> {
        registration::release(cpu, table)
    }
}

impl Hypercall<'_> {
    /// # Safety
    /// As for [`Method::apply`].
    unsafe fn alone<C: Cpu>(&self, cpu: &C, operation: &mut Operation) -> Result<(), Refusal> {
        let at = operation.name.physical();
        let (call, arguments) = match self.asked(operation) {
            Action::Load => (Call::Load, [at, 0, 0]),
            Action::Exchange(new) => (Call::Exchange, [at, new.0, 0]),
            Action::CompareExchange { expected, new } => {
                (Call::CompareExchange, [at, expected.0, new.0])
            }
        };
        // SAFETY: the stub changes the named entry only, which the caller allows.
        let (status, answer) = unsafe { cpu.vmcall(call.number(), arguments) };
        match registration::refusal(status) {
            None | Some(Refusal::Differs) => operation.found = Entry(answer),
            Some(Refusal::Stub(_) | Refusal::Above4GiB) => {}
        }
        registration::refusal(status).map_or(Ok(()), Err)
    }

    /// # Safety
    /// As for [`Method::apply`].
    unsafe fn in_batches<C: Cpu>(
        &mut self,
        cpu: &C,
        operations: &mut [Operation],
    ) -> Result<(), Stopped> {
        let most = self.items.len().min(MOST_ITEMS);
        for (number, chunk) in operations.chunks_mut(most).enumerate() {
            // SAFETY: the caller's duty is the same.
            unsafe { self.one_batch(cpu, chunk) }
                .map_err(|stopped| Stopped { done: number * most + stopped.done, ..stopped })?;
        }
        Ok(())
    }

    /// # Safety
    /// As for [`Method::apply`].
    unsafe fn one_batch<C: Cpu>(
        &mut self,
        cpu: &C,
        operations: &mut [Operation],
    ) -> Result<(), Stopped> {
        for (at, operation) in operations.iter().enumerate() {
            let action = self.asked(operation);
            self.items[at] = laid_out(&Operation { action, ..*operation });
        }
        let items = &mut self.items[..operations.len()];
        // SAFETY: the stub changes the named entries only, which the caller allows.
        let (status, done) = unsafe { cpu.vmcall_batch(items) };
        let refusal = registration::refusal(status);
        // A stub that says more were done than were asked for is not believed.
        let done = usize::try_from(done).unwrap_or(usize::MAX).min(items.len());
        let told = done + usize::from(refusal == Some(Refusal::Differs));
        for (operation, item) in operations.iter_mut().zip(items.iter()).take(told) {
            operation.found = Entry(item.found);
        }
        match refusal {
            Some(refusal) => Err(Stopped { done, refusal }),
            None if done < items.len() => Err(Stopped { done, refusal: Refusal::Stub(status) }),
            None => Ok(()),
        }
    }
}
