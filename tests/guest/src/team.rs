//! The CPUs besides the boot CPU: each does what its post says, in rounds.
#![expect(unsafe_code, reason = "stacks for other CPUs, and work that is passed as an address")]

use core::cell::UnsafeCell;
use core::hint::spin_loop;
use core::sync::atomic::{AtomicU64, Ordering};

use loadphys_boot::trampoline;

use crate::{apic, traps};

/// How many CPUs there are besides the boot CPU; they have the numbers from 1.
pub const OTHERS: usize = 3;

/// The page in which they start.
pub const PAGE: u8 = 0x8;

/// Turns of a loop after which something will not come about any more.
pub const PATIENCE: u64 = 20_000_000;

const STACK_BYTES: usize = 0x4000;

#[repr(C, align(4096))]
struct Stack(UnsafeCell<[u8; STACK_BYTES]>);

// SAFETY: each is one CPU's.
unsafe impl Sync for Stack {}

static STACKS: [Stack; OTHERS] = [const { Stack(UnsafeCell::new([0; STACK_BYTES])) }; OTHERS];

/// Work for a CPU, which it does again and again.
pub type Work = fn(&Post);

/// Where a CPU is told what to do, and says what it has done.
pub struct Post {
    /// Its place among the others.
    pub number: AtomicU64,
    /// How often it was started.
    pub starts: AtomicU64,
    /// How often it did its work.
    pub rounds: AtomicU64,
    /// The work, a [`Work`]; 0: none.
    work: AtomicU64,
}

static POSTS: [Post; OTHERS] = [const {
    Post {
        number: AtomicU64::new(0),
        starts: AtomicU64::new(0),
        rounds: AtomicU64::new(0),
        work: AtomicU64::new(0),
    }
}; OTHERS];

/// The post of the CPU with this number, from 1.
pub fn post(cpu: u32) -> &'static Post {
    &POSTS[cpu as usize - 1]
}

/// Waits for something to come about; says whether it has.
pub fn comes(about: impl Fn() -> bool) -> bool {
    (0..PATIENCE).any(|_| {
        spin_loop();
        about()
    })
}

/// Lets some time pass.
pub fn pause() {
    (0..10_000).for_each(|_| spin_loop());
}

/// The code at which CPUs start, where a SIPI finds it.
pub fn lay_trampoline() {
    let (code, place) = (trampoline::code(), u64::from(PAGE) << 12);
    // SAFETY: low memory that nothing of this guest uses.
    unsafe { (place as *mut u8).copy_from_nonoverlapping(code.as_ptr(), code.len()) };
}

/// Leaves a stack for a CPU, for when it starts.
pub fn offer(cpu: u32) {
    let stack = &STACKS[cpu as usize - 1];
    let top = stack.0.get().cast::<u8>().wrapping_add(STACK_BYTES).cast::<u64>();
    post(cpu).number.store(u64::from(cpu), Ordering::SeqCst);
    // SAFETY: the CPU has been reset, or has not run yet, so nobody uses its stack.
    unsafe { trampoline::offer(top, arrived, post(cpu)) };
}

/// A SIPI.
pub fn start_up(cpu: u32) {
    apic::start_up(cpu, PAGE);
}

/// Starts a CPU that waits for a SIPI; says whether it came.
pub fn start(cpu: u32) -> bool {
    let before = post(cpu).starts.load(Ordering::SeqCst);
    offer(cpu);
    start_up(cpu);
    comes(|| post(cpu).starts.load(Ordering::SeqCst) == before + 1)
}

/// Gives a CPU work, or none.
pub fn give(cpu: u32, work: Option<Work>) {
    let address = work.map_or(0, |work| work as *const () as u64);
    post(cpu).work.store(address, Ordering::SeqCst);
}

extern "C" fn arrived(post: &'static Post) -> ! {
    traps::load();
    post.starts.fetch_add(1, Ordering::SeqCst);
    loop {
        let work = post.work.load(Ordering::SeqCst);
        if work != 0 {
            // SAFETY: `give` stored a function.
            let work: Work = unsafe { core::mem::transmute(work) };
            work(post);
        }
        post.rounds.fetch_add(1, Ordering::SeqCst);
        spin_loop();
    }
}
