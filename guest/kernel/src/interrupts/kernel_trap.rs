//! What happens when the kernel itself is interrupted.

use core::sync::atomic::{AtomicU64, Ordering};

use heapless::Vec;
use spin::Once;
use x86_64::VirtAddr;
use x86_64::registers::control::Cr2;

use super::{probe, to_self, try_store, vector};
use crate::cpu::{CpuLocal, LocalApic};
use crate::layout::MOST_CPUS;
use crate::panic::die;
use crate::tlb;
use crate::user::Context;

/// Stacks of a CPU: the one it runs on, and those of NMI, double fault and machine check.
const STACKS: usize = 4;

/// Counts NMIs; the handlers of [`crate::physical_mode`] add to it as well.
pub static NMIS: AtomicU64 = AtomicU64::new(0);

/// The unmapped pages below the kernel's stacks.
static GUARDS: Once<Vec<VirtAddr, MOST_GUARDS>> = Once::new();

/// Of each CPU, and one for work in other contexts.
const MOST_GUARDS: usize = MOST_CPUS as usize * STACKS + 1;

/// Keeps the unmapped pages below the kernel's stacks, to tell an overflow from other faults.
pub fn keep_guards(guards: impl Iterator<Item = VirtAddr>) {
    GUARDS.call_once(|| guards.collect());
}

/// How many NMIs have arrived.
pub fn nmis() -> u64 {
    NMIS.load(Ordering::Relaxed)
}

/// Whether a slice has ended while the kernel was at work on this CPU, since it was last asked.
pub fn take_slice_over() -> bool {
    CpuLocal::here().slice_over.swap(false, Ordering::Relaxed)
}

/// An interrupt or exception in the kernel. The timer's is noted: the kernel hands the CPU on when it
/// is done, not before.
pub extern "C" fn kernel_trap(context: &mut Context) {
    let vector = context.vector;
    match vector {
        vector::TIMER => {
            CpuLocal::here().slice_over.store(true, Ordering::Relaxed);
            LocalApic::boot().end_of_interrupt();
        }
        vector::TO_SELF => {
            to_self::taken();
            LocalApic::boot().end_of_interrupt();
        }
        vector::SHOOTDOWN => {
            tlb::answer(CpuLocal::here().number);
            LocalApic::boot().end_of_interrupt();
        }
        // Whoever was halted looks for himself.
        vector::WAKE => LocalApic::boot().end_of_interrupt(),
        vector::SPURIOUS => {}
        _ if probe::caught(context) || try_store::caught(context) => {}
        _ => report(context),
    }
}

/// NMI, double fault or machine check, whoever was running. It must not use GS.
pub extern "C" fn strike(context: &mut Context) {
    match context.vector {
        vector::NMI => {
            NMIS.fetch_add(1, Ordering::Relaxed);
        }
        _ => report(context),
    }
}

fn report(context: &Context) -> ! {
    let page = Cr2::read().map(|address| address.align_down(4096u64)).ok();
    let overflow =
        GUARDS.get().is_some_and(|guards| page.is_some_and(|page| guards.contains(&page)));
    let whose = if context.cs & 3 == 0 { "the kernel" } else { "a program" };
    let cause = if overflow { " (a stack has overflowed)" } else { "" };
    die(format_args!(
        "{} in {whose}{cause}: vector {}, error {:#x}, RIP {:#x}, RSP {:#x}, RBP {:#x}, CR2 {:#x}",
        vector::name(context.vector),
        context.vector,
        context.error,
        context.rip,
        context.rsp,
        context.rbp,
        Cr2::read_raw(),
    ))
}
