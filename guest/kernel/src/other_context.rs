//! Work in the context of a program that is not running: its saved instruction pointer is redirected to the work, it is let run,
//! and put back as it was.
#![expect(unsafe_code, reason = "runs kernel code in a program's context")]

use core::arch::naked_asm;
use core::sync::atomic::{AtomicU64, Ordering};

use foreign_access::cpu::Deeds;
use heapless::index_map::FnvIndexMap;
use loadphys_abi::batch::Item;
use spin::Mutex;
use x86_64::VirtAddr;
use x86_64::instructions::interrupts;
use x86_64::instructions::tlb::Pcid;
use x86_64::registers::control::{Cr3, Cr4, Cr4Flags};
use x86_64::structures::paging::PhysFrame;

use crate::cpu::Selectors;
use crate::interrupts::{leave_program, vector};
use crate::kernel::MOST_PROCESSES;
use crate::measure::longest::Longest;
use crate::methods::VISITS;
use crate::physical_mode;
use crate::user::{Context, enter};

/// Where the registers of a program are.
struct Target(*mut Context);

// SAFETY: the method that looks up contexts is used where one CPU runs, and no program does meanwhile.
unsafe impl Send for Target {}

/// The program of each space, by its root: found in the same time however many there are.
/// There is room for twice as many, so that a search stays short.
static TARGETS: Mutex<FnvIndexMap<PhysFrame, Target, { 2 * MOST_PROCESSES }>> =
    Mutex::new(FnvIndexMap::new());

/// The first byte above the stack on which work is done.
static STACK: AtomicU64 = AtomicU64::new(0);

/// From a request until the target runs.
static LATENCY: Longest = Longest::new();

/// From turning interrupts off for a target until it is back.
static MASKED: Longest = Longest::new();

/// Keeps the stack on which work is done.
pub fn prepare(stack_top: VirtAddr) {
    STACK.store(stack_top.as_u64(), Ordering::Relaxed);
}

/// Programs can be targets from now on. Their contexts stay where they are until [`forget`] or [`forget_all`].
pub fn keep(root: PhysFrame, context: &mut Context) {
    TARGETS.lock().insert(root, Target(context)).ok().expect("room for every program");
}

/// A program is no target any more.
pub fn forget(root: PhysFrame) {
    TARGETS.lock().remove(&root);
}

/// The root of a program's space is in another frame now.
pub fn move_root(from: PhysFrame, to: PhysFrame) {
    let mut targets = TARGETS.lock();
    if let Some(target) = targets.remove(&from) {
        targets.insert(to, target).ok().expect("a place was left just now");
    }
}

/// Whether the saved instruction pointer of a program is redirected to the work.
///
/// # Safety
/// The context is there.
pub unsafe fn is_redirected(context: *const Context) -> bool {
    // SAFETY: the caller's promise; it may be changing, so it is read as it is.
    unsafe { (&raw const (*context).rip).read_volatile() == at_work as *const () as u64 }
}

/// No program is a target any more.
pub fn forget_all() {
    TARGETS.lock().clear();
}

/// Ticks of the longest time from a request until the target ran, since it was last asked; measured while events are
/// counted.
pub fn take_latency() -> u64 {
    LATENCY.take()
}

/// The same for which interrupts were off.
pub fn take_masked() -> u64 {
    MASKED.take()
}

/// What methods need of this kernel.
pub struct KernelDeeds;

// SAFETY: physical mode is that of the file of that name; the context is one of the root's programs.
unsafe impl Deeds for KernelDeeds {
    unsafe fn without_paging(&self, items: &mut [Item]) -> usize {
        // SAFETY: the caller's promise; methods' items lie in the image.
        unsafe { physical_mode::work(items, 0) }
    }

    unsafe fn in_context(&self, root: PhysFrame, mut work: &mut dyn FnMut()) {
        LATENCY.begin();
        let targets = TARGETS.lock();
        let Target(context) = *targets.get(&root).expect("every space has a program");
        // SAFETY: the program is not running, and `work` outlives the call.
        unsafe { redirect_and_run(&mut *context, root, &raw mut work) };
    }
}

/// # Safety
/// The context is that of a program of the root's space, which is not running.
unsafe fn redirect_and_run(context: &mut Context, root: PhysFrame, work: *mut &mut dyn FnMut()) {
    let saved = context.clone();
    *context = Context {
        rdi: work as u64,
        rip: at_work as *const () as u64,
        cs: Selectors::KERNEL_CODE.0.into(),
        ss: Selectors::KERNEL_DATA.0.into(),
        rsp: STACK.load(Ordering::Relaxed),
        // Interrupts off; bit 1 is always set.
        rflags: 2,
        vector: vector::TIMER,
        ..saved
    };
    interrupts::without_interrupts(|| {
        MASKED.begin();
        // SAFETY: every root has the kernel's half; what runs comes back to `enter`, with interrupts off.
        unsafe { visit(root, || enter(context)) };
        MASKED.end();
    });
    *context = saved;
}

/// Does something with another root loaded: under the PCID of visits, which is flushed, if PCIDs are in use. What is
/// cached of the home space stays then.
///
/// # Safety
/// Every root has the kernel's half, which is all that is used meanwhile; interrupts are off.
unsafe fn visit(root: PhysFrame, work: impl FnOnce()) {
    let (home, low) = Cr3::read_raw();
    let tagged = Cr4::read().contains(Cr4Flags::PCID);
    let kept = Pcid::new(low).ok().filter(|_| tagged);
    // SAFETY: the caller's duty.
    unsafe { Cr3::write_raw(root, if tagged { VISITS } else { 0 }) };
    work();
    // SAFETY: it was loaded before.
    unsafe {
        match kept {
            Some(pcid) => Cr3::write_pcid_no_flush(home, pcid),
            None => Cr3::write_raw(home, low),
        }
    }
}

/// Where the saved instruction pointer is redirected to: in ring 0, on the stack kept for it, GS being the program's.
#[unsafe(naked)]
unsafe extern "C" fn at_work() {
    naked_asm!(
        "call {run}",
        "swapgs",
        "jmp {leave_program}",
        run = sym run,
        leave_program = sym leave_program,
    )
}

/// # Safety
/// The pointer is that of the work.
unsafe extern "C" fn run(work: *mut &mut dyn FnMut()) {
    LATENCY.end();
    // SAFETY: the caller's promise.
    unsafe { (*work)() };
}
