//! Runs one emulator under a time limit and gathers what it says on its console.

pub mod children;

mod console;
mod job;
mod report;
mod running;

pub use job::{Job, Looks, Module, USUAL_MEMORY_MIB};
pub use report::{Ending, Report};
pub use running::boot;
