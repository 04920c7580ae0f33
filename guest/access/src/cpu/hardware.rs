//! The machine itself.
#![expect(
    unsafe_code,
    reason = "each function is one privileged instruction or one raw memory access"
)]

use core::arch::asm;

use loadphys_abi::Call;
use loadphys_abi::batch::Item;
use x86_64::VirtAddr;
use x86_64::instructions::{interrupts, tlb};
use x86_64::registers::control::Cr3;
use x86_64::structures::paging::PhysFrame;

use super::{CallInstruction, Cpu, Paging, Showing, gate, place};
use crate::entry::Entry;
use crate::operation::Operation;

/// The CPU that runs this code.
#[derive(Clone, Copy)]
pub struct Hardware {
    number: usize,
    image_offset: u64,
    calls: CallInstruction,
    paging: Paging,
    kernel: Option<&'static dyn Deeds>,
}

/// What no instruction does by itself: the kernel's part of [`Cpu`].
///
/// # Safety
/// Each function does what the one of [`Cpu`] with the same name promises.
pub unsafe trait Deeds: Sync {
    /// [`Cpu::without_paging`].
    ///
    /// # Safety
    /// As there.
    unsafe fn without_paging(&self, items: &mut [Item]) -> usize;

    /// [`Cpu::in_context`].
    ///
    /// # Safety
    /// As there.
    unsafe fn in_context(&self, root: PhysFrame, work: &mut dyn FnMut());
}

impl Hardware {
    /// `image_offset` is what an address in the kernel's image is above its physical address;
    /// batches for the stub lie there. How the CPU translates, and how it calls a hypervisor, is asked here and
    /// never again.
    ///
    /// # Safety
    /// The code that calls this and that uses it runs in ring 0, on the CPU with this number, whose CR4.LA57 and
    /// EFER.TCE stay as they are; the offset is true.
    pub unsafe fn new(number: usize, image_offset: u64) -> Self {
        let (calls, paging) = (CallInstruction::read(), Paging::read());
        Self { number, image_offset, calls, paging, kernel: None }
    }

    /// With what the kernel does for methods that need more than instructions.
    pub const fn with(self, kernel: &'static dyn Deeds) -> Self {
        Self { kernel: Some(kernel), ..self }
    }
}

// SAFETY: each function is the instruction it is named after.
unsafe impl Cpu for Hardware {
    #[inline]
    unsafe fn load(&self, address: VirtAddr) -> Entry {
        // SAFETY: the caller's duty is the same.
        unsafe { place::load(address) }
    }

    #[inline]
    unsafe fn exchange(&self, address: VirtAddr, new: Entry) -> Entry {
        // SAFETY: the caller's duty is the same.
        unsafe { place::exchange(address, new) }
    }

    #[inline]
    unsafe fn compare_exchange(
        &self,
        address: VirtAddr,
        expected: Entry,
        new: Entry,
    ) -> Result<Entry, Entry> {
        // SAFETY: the caller's duty is the same.
        unsafe { place::compare_exchange(address, expected, new) }
    }

    #[inline]
    fn root(&self) -> PhysFrame {
        Cr3::read_raw().0
    }

    #[inline]
    fn root_register(&self) -> u64 {
        let (root, low) = Cr3::read_raw();
        root.start_address().as_u64() | u64::from(low)
    }

    #[inline]
    unsafe fn set_root_register(&self, value: u64) {
        // SAFETY: the caller's duty is the same.
        unsafe { asm!("mov cr3, {}", in(reg) value, options(nostack, preserves_flags)) };
    }

    #[inline]
    fn mask_interrupts(&self) -> bool {
        let were_on = interrupts::are_enabled();
        interrupts::disable();
        were_on
    }

    #[inline]
    fn restore_interrupts(&self, were_on: bool) {
        if were_on {
            interrupts::enable();
        }
    }

    unsafe fn without_paging(&self, items: &mut [Item]) -> usize {
        let kernel = self.kernel.expect("the kernel knows how to turn paging off");
        // SAFETY: the caller's duty is the same.
        unsafe { kernel.without_paging(items) }
    }

    #[inline]
    unsafe fn through_view(
        &self,
        view: u32,
        showing: Showing,
        operations: &mut [Operation],
    ) -> usize {
        // SAFETY: the caller's duty is the same.
        unsafe { gate::pass(view, showing, operations) }
    }

    unsafe fn in_context(&self, root: PhysFrame, work: &mut dyn FnMut()) {
        let kernel = self.kernel.expect("the kernel knows its programs");
        // SAFETY: the caller's duty is the same.
        unsafe { kernel.in_context(root, work) };
    }

    #[inline]
    fn number(&self) -> usize {
        self.number
    }

    #[inline]
    fn invlpg(&self, address: VirtAddr) {
        tlb::flush(address);
    }

    #[inline]
    fn paging(&self) -> Paging {
        self.paging
    }

    #[inline]
    unsafe fn vmcall(&self, call: u64, arguments: [u64; 3]) -> (u64, u64) {
        let (status, answer);
        // SAFETY: the stub keeps every register but RAX and RDX; memory is clobbered by default. Each CPU is given
        // its vendor's instruction.
        unsafe {
            match self.calls {
                CallInstruction::Vmcall => {
                    asm!("vmcall", inlateout("rax") call => status, in("rdi") arguments[0],
                         in("rsi") arguments[1], inlateout("rdx") arguments[2] => answer,
                         options(nostack));
                }
                CallInstruction::Vmmcall => {
                    asm!("vmmcall", inlateout("rax") call => status, in("rdi") arguments[0],
                         in("rsi") arguments[1], inlateout("rdx") arguments[2] => answer,
                         options(nostack));
                }
            }
        }
        (status, answer)
    }

    #[inline]
    unsafe fn vmcall_batch(&self, items: &mut [Item]) -> (u64, u64) {
        let physical = (items.as_mut_ptr() as u64).wrapping_sub(self.image_offset);
        // SAFETY: the caller's duty; the assembly of `vmcall` clobbers memory, so the items are
        // read anew.
        unsafe { self.vmcall(Call::Batch.number(), [physical, items.len() as u64, 0]) }
    }
}
