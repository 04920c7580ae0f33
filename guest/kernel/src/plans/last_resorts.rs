//! Boots that end badly on purpose, so that their reports can be seen.
#![expect(unsafe_code, reason = "breaks the machine")]

use core::hint::black_box;

use x86_64::VirtAddr;
use x86_64::instructions::tables::lidt;
use x86_64::structures::DescriptorTablePointer;

use crate::console::log;

/// Calls itself until the stack meets its guard page.
pub fn overflow_stack() -> ! {
    log!("overflowing the stack");
    deeper(0);
    unreachable!("a stack has an end");
}

#[expect(unconditional_recursion, reason = "that is the point")]
fn deeper(depth: u64) -> u64 {
    let room = black_box([depth; 64]);
    deeper(depth + 1) + room[0]
}

/// Takes the interrupt table away and faults.
pub fn triple_fault() -> ! {
    log!("faulting without an interrupt table");
    let empty = DescriptorTablePointer { limit: 0, base: VirtAddr::zero() };
    // SAFETY: nothing of this machine is to survive.
    unsafe { lidt(&empty) };
    x86_64::instructions::interrupts::int3();
    unreachable!("without an interrupt table a breakpoint is the end");
}

/// Does nothing for ever.
pub fn hang() -> ! {
    log!("hanging");
    loop {
        core::hint::spin_loop();
    }
}
