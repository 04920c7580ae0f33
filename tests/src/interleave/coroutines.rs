//! Jobs that take turns on one thread.
#![expect(unsafe_code, reason = "coroutines that borrow")]

use corosensei::stack::DefaultStack;
use corosensei::{Coroutine, Yielder};

use crate::model::Random;

/// Bytes of a job's stack; a test that fails prints from there.
const STACK: usize = 256 << 10;

/// What takes turns with others.
pub type Job<'a> = Box<dyn FnOnce(&Pause<'_>) + 'a>;

/// Where a job lets the others go on.
pub struct Pause<'y>(Option<&'y Yielder<(), ()>>);

impl Pause<'_> {
    /// That of a job which is alone.
    pub const ALONE: Self = Self(None);

    /// The others may go on now.
    pub fn now(&self) {
        if let Some(yielder) = self.0 {
            yielder.suspend(());
        }
    }
}

/// Runs all jobs to their ends; who goes on after a pause is chosen at random, and now and then
/// somebody goes on for a while.
///
/// # Panics
/// If there is no memory for stacks, or a job panics.
pub fn together(random: &Random, jobs: Vec<Job<'_>>) {
    let mut running: Vec<_> = jobs.into_iter().map(coroutine).collect();
    let mut next = 0;
    while !running.is_empty() {
        if next >= running.len() || random.chance(1, 2) {
            next = random.below(running.len());
        }
        if running[next].resume(()).as_return().is_some() {
            running.swap_remove(next);
        }
    }
}

fn coroutine(job: Job<'_>) -> Coroutine<(), (), ()> {
    let stack = DefaultStack::new(STACK).expect("memory for a stack");
    let work = move |yielder: &Yielder<(), ()>, ()| job(&Pause(Some(yielder)));
    // SAFETY: coroutines live in `together` only, which drops each before it returns or unwinds; what its
    // jobs borrow outlives that call. None is forgotten.
    unsafe { Coroutine::with_stack_unchecked(stack, work) }
}
