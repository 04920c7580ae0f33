//! CPUs that work together. The boot CPU carries out the plan; the others are parked, and it calls them for
//! what many can do at once.
//!
//! A parked CPU is halted in the kernel's root, where nobody needs to interrupt it for an edit, and its method has let go
//! of foreign roots. One order is given at a time: it is written down, its number is raised, each CPU is
//! woken, and whoever gave it waits until all are parked again.

use alloc::sync::Arc;
use core::sync::atomic::{AtomicUsize, Ordering};

use loadphys_plan::command_line::MethodName;
use spin::Mutex;
use x86_64::instructions::interrupts;

use super::Kernel;
use super::idle::Rest;
use super::share_out::Round;
use crate::cpu::CpuLocal;
use crate::cpus;
use crate::interrupts::vector;
use crate::panic::die;

/// What all CPUs do.
#[derive(Clone)]
pub enum Task {
    /// Run programs until none can run any more.
    Run,
    /// Halt, but for the timer, until it has been long enough.
    Idle(Arc<Rest>),
    /// Evict pages until none of the round is left.
    Evict(Arc<Round>),
}

/// An order.
#[derive(Clone)]
struct Order {
    task: Task,
    method: MethodName,
    /// Whether freed frames are poisoned.
    check: bool,
}

static ORDER: Mutex<Option<Order>> = Mutex::new(None);

/// How many orders there were.
static ORDERS: AtomicUsize = AtomicUsize::new(0);

/// How many CPUs have yet to carry the last one out.
static BUSY: AtomicUsize = AtomicUsize::new(0);

impl Kernel {
    /// Has all CPUs do something, this one as well; comes back when all are done.
    pub(super) fn together(&mut self, task: Task) {
        let others = self.others;
        if others > 0 {
            let (method, check) = (self.method, self.machine.checks.on());
            *ORDER.lock() = Some(Order { task: task.clone(), method, check });
            BUSY.store(others, Ordering::Relaxed);
            ORDERS.fetch_add(1, Ordering::Release);
            (1..=others).for_each(|cpu| cpus::interrupt(cpu, vector::WAKE));
        }
        self.carry_out(&task);
        while BUSY.load(Ordering::Acquire) > 0 {
            core::hint::spin_loop();
        }
        *ORDER.lock() = None;
    }

    /// Whether every other CPU is parked, or not yet at work at all; then none has a program's root loaded. It is so whenever the
    /// boot CPU has come back from [`Self::together`].
    pub(super) fn others_are_parked() -> bool {
        BUSY.load(Ordering::Acquire) == 0
    }

    fn carry_out(&mut self, task: &Task) {
        match task {
            Task::Run => self.run_programs(),
            Task::Idle(rest) => self.idle(rest),
            Task::Evict(round) => self.evict_share(round),
        }
    }
}

/// A CPU that does what it is told.
pub struct Worker {
    kernel: Kernel,
    /// Orders that it has carried out.
    done: usize,
}

impl Worker {
    /// With nothing to do yet.
    pub(super) fn new(kernel: Kernel) -> Self {
        CpuLocal::here().parked.store(true, Ordering::Relaxed);
        Self { kernel, done: ORDERS.load(Ordering::Relaxed) }
    }

    /// Carries orders out for ever.
    pub fn serve(mut self) -> ! {
        loop {
            self.wait();
            let order = ORDER.lock().clone().expect("an order is there until all have done it");
            CpuLocal::here().parked.store(false, Ordering::Relaxed);
            self.follow(&order);
            self.kernel.carry_out(&order.task);
            drop(order);
            self.park();
        }
    }

    /// Halts until there is a new order. It is looked for with interrupts off, so that the one that wakes is not missed.
    fn wait(&mut self) {
        interrupts::disable();
        while ORDERS.load(Ordering::Acquire) == self.done {
            interrupts::enable_and_hlt();
            interrupts::disable();
        }
        interrupts::enable();
        self.done += 1;
    }

    /// Uses the method that the boot CPU uses.
    fn follow(&mut self, order: &Order) {
        let kernel = &mut self.kernel;
        kernel.machine.checks.set(order.check);
        if kernel.method != order.method {
            let made = kernel.colleague.method(order.method, kernel.number);
            kernel.machine.follow(made.unwrap_or_else(|why| die(format_args!("{why}"))));
            kernel.method = order.method;
        }
    }

    /// Lets go of everything and tells that it is done.
    fn park(&mut self) {
        self.kernel.machine.load_kernel();
        self.kernel.machine.detach();
        CpuLocal::here().parked.store(true, Ordering::Relaxed);
        BUSY.fetch_sub(1, Ordering::Release);
    }
}
