//! What another CPU does first: the steps of the boot CPU's second half, checked against what came of them there.

use alloc::boxed::Box;
use core::sync::atomic::Ordering;

use x86_64::instructions::interrupts;

use super::{ANSWERED, COMMON, Common};
use crate::cpu::{self, ControlRegisters, CpuLocal, Features, LocalApic};
use crate::interrupts::{self as traps, vector};
use crate::panic::die;

/// Where the trampoline leads, on the CPU's own stack and under the kernel's root.
pub extern "C" fn begin(number: usize) -> ! {
    traps::load();
    let common = COMMON.get().expect("the boot CPU has prepared all");
    set_up(common).unwrap_or_else(|(what, here, there)| {
        die(format_args!("CPU {number}: {what} is {here:#x}, on the boot CPU {there:#x}"))
    });
    let stacks = &common.stacks[number - 1];
    let local = Box::leak(Box::new(CpuLocal::new(number)));
    cpu::load_descriptors(local, stacks.striking.map(|stack| stack.top));
    LocalApic::boot()
        .follow(common.apic_base, vector::SPURIOUS as u8)
        .unwrap_or_else(|why| die(format_args!("CPU {number}: {why}")));
    interrupts::enable();
    let worker = common.colleague.worker(number);
    ANSWERED.store(number, Ordering::Release);
    worker.serve()
}

/// Makes this CPU like the boot CPU; gives what differs, here and there.
fn set_up(common: &Common) -> Result<(), (&'static str, u64, u64)> {
    let features = Features::read();
    if let Some((what, here, there)) = features.difference(&common.features) {
        return Err((what, here.into(), there.into()));
    }
    cpu::set_up_control_registers(&features)
        .unwrap_or_else(|why| die(format_args!("another CPU: {why}")));
    match ControlRegisters::read().difference(&common.registers) {
        None => Ok(()),
        Some(difference) => Err(difference),
    }
}
