//! How this guest ends: by faults that cannot be delivered, since this is taken from the CPU, or lies in the stub's memory.
#![expect(unsafe_code, reason = "loads what no CPU can go on with")]

use core::arch::asm;

use loadphys_boot::power;
use x86_64::VirtAddr;
use x86_64::instructions::tables::lidt;
use x86_64::structures::DescriptorTablePointer;

use crate::local::Local;

impl Local {
    /// Ends it.
    pub fn end(&mut self) -> ! {
        let stub = self.stubs() & !0xfff;
        match self.random.below(4) {
            0 => without_handlers(0, 0),
            1 => without_handlers(stub, 0xfff),
            2 => with_root(stub),
            _ => with_stack(stub + 0x1000),
        }
        power::halt()
    }
}

/// No handlers, or handlers in the stub's memory.
fn without_handlers(base: u64, limit: u16) {
    let pointer = DescriptorTablePointer { limit, base: VirtAddr::new(base) };
    // SAFETY: this CPU is not to go on.
    unsafe {
        lidt(&pointer);
        asm!("int3", options(nostack));
    }
}

/// The stub's memory as the root of the tables.
fn with_root(root: u64) {
    // SAFETY: this CPU is not to go on.
    unsafe { asm!("mov cr3, {}", in(reg) root) };
}

/// A stack in the stub's memory, and handlers that use the one that is there.
fn with_stack(stack: u64) {
    loadphys_test_guests::traps::load();
    // SAFETY: this CPU is not to go on.
    unsafe { asm!("mov rsp, {}", "ud2", in(reg) stack, options(noreturn)) };
}
