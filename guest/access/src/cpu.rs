//! The seam between methods and the machine.

use loadphys_abi::batch::Item;
use x86_64::VirtAddr;
use x86_64::structures::paging::PhysFrame;

mod call_instruction;
mod counted;
#[cfg(any(
    all(target_arch = "x86_64", target_os = "none"),
    all(test, target_arch = "x86_64", not(miri))
))]
mod gate;
#[cfg(all(target_arch = "x86_64", target_os = "none"))]
mod hardware;
mod hosted;
mod observed;
mod paging;
mod place;
mod showing;
pub use call_instruction::CallInstruction;
pub use counted::{Count, Counted, Events};
#[cfg(all(target_arch = "x86_64", target_os = "none"))]
pub use hardware::{Deeds, Hardware};
pub use hosted::Hosted;
pub use observed::{Observed, Observer, Step};
pub use paging::{Paging, Unsupported};
pub use showing::Showing;

use crate::entry::Entry;
use crate::operation::Operation;

/// What methods ask of a CPU. On the machine (`Hardware`) it is inline assembly and costs
/// nothing; in host tests it is a model of the MMU.
///
/// What flushes knows who called it (`#[track_caller]`), so that tests can leave out one flush at a
/// time. Where it is inlined that costs nothing.
///
/// # Example
/// A kernel has `Hardware`, so who implements this either watches another CPU ([`Counted`]) or makes one up for tests. This
/// one has words of memory in place of virtual memory, and cannot do what only some methods ask for.
/// ```
/// use std::cell::Cell;
///
/// use foreign_access::cpu::{Cpu, Paging};
/// use foreign_access::methods::DirectMap;
/// use foreign_access::{Action, Entry, Method, Operation, walk};
/// use x86_64::structures::paging::PhysFrame;
/// use x86_64::{PhysAddr, VirtAddr};
///
/// struct Words {
///     memory: Vec<Cell<u64>>,
///     root: PhysFrame,
/// }
///
/// impl Words {
///     fn at(&self, address: VirtAddr) -> &Cell<u64> {
///         &self.memory[address.as_u64() as usize / 8]
///     }
/// }
///
/// // SAFETY: entries are words of the memory; there is one CPU, without caches and interrupts.
/// unsafe impl Cpu for Words {
///     unsafe fn load(&self, address: VirtAddr) -> Entry {
///         Entry(self.at(address).get())
///     }
///     unsafe fn exchange(&self, address: VirtAddr, new: Entry) -> Entry {
///         Entry(self.at(address).replace(new.0))
///     }
///     unsafe fn compare_exchange(
///         &self,
///         address: VirtAddr,
///         expected: Entry,
///         new: Entry,
///     ) -> Result<Entry, Entry> {
///         let found = Entry(self.at(address).get());
///         if found != expected {
///             return Err(found);
///         }
///         self.at(address).set(new.0);
///         Ok(found)
///     }
///     fn root(&self) -> PhysFrame {
///         self.root
///     }
///     fn root_register(&self) -> u64 {
///         self.root.start_address().as_u64()
///     }
///     unsafe fn set_root_register(&self, _: u64) {
///         panic!("there is one root");
///     }
///     fn mask_interrupts(&self) -> bool {
///         false
///     }
///     fn restore_interrupts(&self, _: bool) {}
///     fn number(&self) -> usize {
///         0
///     }
///     fn invlpg(&self, _: VirtAddr) {}
///     fn paging(&self) -> Paging {
///         Paging::PLAIN
///     }
/// }
///
/// let root = PhysFrame::containing_address(PhysAddr::zero());
/// let cpu = Words { memory: vec![Cell::new(0); 512], root };
/// // SAFETY: physical and virtual addresses are the same to this CPU.
/// let mut method = unsafe { DirectMap::new(VirtAddr::zero()) };
/// let name = walk::top(root, VirtAddr::zero());
/// let mut batch = [Operation::new(name, Action::Exchange(Entry(2)))];
/// // SAFETY: the root is a table, and nobody uses its space.
/// unsafe { method.apply(&cpu, &mut batch) }.unwrap();
/// assert_eq!((batch[0].found, cpu.memory[0].get()), (Entry(0), 2));
/// ```
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

    /// All of CR3: the loaded root, and the PCID in bits 11:0 where PCIDs are in use.
    fn root_register(&self) -> u64;

    /// Writes CR3. Bit 63 set keeps what is cached for the PCID; else it is forgotten (SDM volume
    /// 3, section 5.10.4.1).
    ///
    /// # Safety
    /// The root maps what this code and its stack need, at the same addresses.
    #[track_caller]
    unsafe fn set_root_register(&self, value: u64);

    /// Turns interrupts off; says whether they were on.
    fn mask_interrupts(&self) -> bool;

    /// Turns interrupts on again, if they were.
    fn restore_interrupts(&self, were_on: bool);

    /// Does operations on physical memory with paging turned off, as far as the first that differs;
    /// says how many were done. What was there is written to the items.
    ///
    /// # Safety
    /// As for the operations of [`Cpu::exchange`]; every entry lies below 4 GiB; interrupts are off.
    ///
    /// # Panics
    /// Always, unless the implementation has it; only `paging-off` asks for it.
    unsafe fn without_paging(&self, _items: &mut [Item]) -> usize {
        panic!("this CPU does not turn paging off");
    }

    /// Does operations in another view of the hypervisor's, as far as the first that differs; says how many were
    /// done. It goes there and back by one VMFUNC each. With [`Showing::Below`] it forgets each page before it uses
    /// it (INVLPG), in that view.
    ///
    /// # Safety
    /// As for [`Method::apply`](crate::Method::apply), and
    /// - VMFUNC can choose the view until this comes back, and entries appear in it as `showing` says, writable;
    /// - in the view the operations and the gate ([`crate::methods::Gate`]) are where they are in the usual one;
    /// - interrupts are off, and there is at least one operation.
    ///
    /// # Panics
    /// Always, unless the implementation has it; only `gate` and `root-view` ask for it.
    #[track_caller]
    unsafe fn through_view(
        &self,
        _view: u32,
        _showing: Showing,
        _operations: &mut [Operation],
    ) -> usize {
        panic!("this CPU switches to no view");
    }

    /// Waits a moment for another CPU.
    fn pause(&self) {
        core::hint::spin_loop();
    }

    /// Has work done in the context of a space: the kernel redirects the saved instruction pointer of a
    /// program of the space, lets it run, and comes back when the work is done.
    ///
    /// # Safety
    /// The root is that of a space with a program that is not running.
    ///
    /// # Panics
    /// Always, unless the implementation has it; only `in-context` asks for it.
    unsafe fn in_context(&self, _root: PhysFrame, _work: &mut dyn FnMut()) {
        panic!("this CPU knows no programs");
    }

    /// The number of this CPU, from 0; it indexes per-CPU slots.
    fn number(&self) -> usize;

    /// Forgets what the TLB and the paging-structure caches know about a page, in the current
    /// PCID (SDM volume 3, section 5.10.4.1 "Operations that Invalidate TLBs and Paging-Structure
    /// Caches").
    #[track_caller]
    fn invlpg(&self, address: VirtAddr);

    /// How it translates, as far as methods rely on it.
    fn paging(&self) -> Paging;

    /// Calls the stub: RAX `call`, RDI, RSI and RDX `arguments`; gives back RAX and RDX.
    ///
    /// # Safety
    /// There is a stub, and the kernel is ready for what the call does.
    ///
    /// # Panics
    /// Always, unless the implementation has it; only methods that need the stub ask for it.
    unsafe fn vmcall(&self, _call: u64, _arguments: [u64; 3]) -> (u64, u64) {
        panic!("this CPU calls no stub");
    }

    /// Hands a batch to the stub ([`loadphys_abi::Call::Batch`]): what was there is written to the
    /// items; gives back the status and how many were done.
    ///
    /// # Safety
    /// As for the operations of [`Cpu::vmcall`]; the items lie in memory whose physical address
    /// the implementation knows.
    ///
    /// # Panics
    /// Always, unless the implementation has it; only `hypercall` asks for it.
    unsafe fn vmcall_batch(&self, _items: &mut [Item]) -> (u64, u64) {
        panic!("this CPU calls no stub");
    }
}
