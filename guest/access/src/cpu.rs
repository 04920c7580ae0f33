//! The seam between methods and the machine.

use loadphys_abi::batch::Item;
use x86_64::VirtAddr;
use x86_64::structures::paging::PhysFrame;

mod counted;
#[cfg(all(target_arch = "x86_64", target_os = "none"))]
mod hardware;
pub use counted::{Counted, Events};
#[cfg(all(target_arch = "x86_64", target_os = "none"))]
pub use hardware::Hardware;

use crate::entry::Entry;

/// What methods ask of a CPU. On the machine (`Hardware`) it is inline assembly and costs
/// nothing; in host tests it is a model of the MMU.
///
/// # Safety
/// Methods rely on each of these doing exactly what the instruction does.
#[expect(unsafe_code, reason = "what a CPU does is trusted and has duties")]
pub unsafe trait Cpu {
    /// Loads the entry at a virtual address, whole.
    ///
    /// # Safety
    /// The address is mapped, readable and 8-byte aligned.
    unsafe fn load(&self, address: VirtAddr) -> Entry;

    /// Exchanges the entry at a virtual address atomically (XCHG).
    ///
    /// # Safety
    /// The address is mapped, writable and 8-byte aligned; whoever uses the entry is ready for
    /// the change.
    unsafe fn exchange(&self, address: VirtAddr, new: Entry) -> Entry;

    /// Stores if the entry at a virtual address holds what is expected (LOCK CMPXCHG).
    ///
    /// # Errors
    /// What was there, if it was something else.
    ///
    /// # Safety
    /// As for [`Cpu::exchange`].
    unsafe fn compare_exchange(
        &self,
        address: VirtAddr,
        expected: Entry,
        new: Entry,
    ) -> Result<Entry, Entry>;

    /// The loaded root (CR3).
    fn root(&self) -> PhysFrame;

    /// The number of this CPU, from 0; it indexes per-CPU slots.
    fn number(&self) -> usize;

    /// Forgets what the TLB and the paging-structure caches know about a page, in the current
    /// PCID (SDM volume 3, section 5.10.4.1 "Operations that Invalidate TLBs and Paging-Structure
    /// Caches").
    fn invlpg(&self, address: VirtAddr);

    /// Calls the stub: RAX `call`, RDI, RSI and RDX `arguments`; gives back RAX and RDX.
    ///
    /// # Safety
    /// There is a stub, and the kernel is ready for what the call does.
    unsafe fn vmcall(&self, call: u64, arguments: [u64; 3]) -> (u64, u64);

    /// Hands a batch to the stub ([`loadphys_abi::Call::Batch`]): what was there is written to the
    /// items; gives back the status and how many were done.
    ///
    /// # Safety
    /// As for the operations of [`Cpu::vmcall`]; the items lie in memory whose physical address
    /// the implementation knows.
    unsafe fn vmcall_batch(&self, items: &mut [Item]) -> (u64, u64);
}
