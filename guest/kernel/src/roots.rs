//! What every root holds besides a program's part: the kernel's half, and what the method needs.
#![expect(unsafe_code, reason = "writes roots through the window")]

use foreign_access::methods::AnyMethod;
use foreign_access::{Cpu, Entry};
use x86_64::instructions::tlb::Pcid;
use x86_64::structures::paging::{PageTableIndex, PhysFrame};

use crate::layout::{KERNEL_HALF, SELF_SLOT};
use crate::tlb::Tag;
use crate::window::Window;

/// Entries of the kernel's half.
const ENTRIES: usize = 512 - KERNEL_HALF as usize;

/// The kernel's root and a copy of its half. All its tables exist since boot, so the copy stays
/// right for ever.
pub struct Roots {
    kernel: PhysFrame,
    tag: Tag,
    half: [u64; ENTRIES],
}

impl Roots {
    /// Reads the kernel's half.
    pub fn new(cpu: &impl Cpu, window: &mut Window, kernel: PhysFrame) -> Self {
        let mut half = [0; ENTRIES];
        // SAFETY: looking does no harm.
        unsafe {
            window.show(cpu, kernel, |words| half.copy_from_slice(&words[KERNEL_HALF.into()..]))
        };
        Self { kernel, tag: Tag::new(Pcid::new(0).expect("0 is a PCID")), half }
    }

    /// The kernel's root and its tag.
    pub fn kernel(&self) -> (PhysFrame, Tag) {
        (self.kernel, self.tag)
    }

    /// Keeps the tag of the kernel's root.
    pub fn keep(&mut self, tag: Tag) {
        self.tag = tag;
    }

    /// Makes the kernel's root fit a method.
    pub fn fit(&mut self, cpu: &impl Cpu, window: &mut Window, method: &AnyMethod<'_>) {
        let (slot, entry) = own_entry(method, self.kernel);
        // SAFETY: the slot belongs to methods; the one before is at its end.
        unsafe { window.show(cpu, self.kernel, |words| words[usize::from(slot)] = entry.0) };
        self.half[usize::from(u16::from(slot) - KERNEL_HALF)] = entry.0;
        cpu.invlpg(crate::layout::slot_base(SELF_SLOT));
    }

    /// Fills the kernel's half of a new root.
    pub fn fill(
        &self,
        cpu: &impl Cpu,
        window: &mut Window,
        method: &AnyMethod<'_>,
        root: PhysFrame,
    ) {
        let (slot, entry) = own_entry(method, root);
        // SAFETY: nobody uses the root yet.
        unsafe {
            window.show(cpu, root, |words| {
                words[KERNEL_HALF.into()..].copy_from_slice(&self.half);
                words[usize::from(slot)] = entry.0;
            });
        }
    }
}

/// What a method needs in a root: the self slot is empty unless the method uses it.
fn own_entry(method: &AnyMethod<'_>, root: PhysFrame) -> (PageTableIndex, Entry) {
    match method {
        AnyMethod::Recursive(recursive) => recursive.self_entry(root),
        _ => (crate::layout::slot(SELF_SLOT), Entry::EMPTY),
    }
}
