//! Kernels on several CPUs whose steps interleave.
//!
//! Each CPU runs batches of its own, by a method instance of its own, in a coroutine; all are on one
//! thread. Before each thing that a method asks of its CPU the others may go on, and an interrupt may
//! come that switches to another space and back. A seed decides all of it, so what went wrong once goes
//! wrong again.

mod coroutines;
mod cpu;
mod entries;
mod interrupts;
mod job;
mod shootdown;
mod stage;
mod table;

pub use coroutines::{Pause, together};
pub use cpu::{Interleaved, Twin};
pub use job::{Mistake, Step};
pub use stage::{Outcome, Scene, run};
