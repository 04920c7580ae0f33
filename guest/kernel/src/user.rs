//! Ring 3: the registers of a program, and the way in and out.

mod context;
mod enter;

pub use context::Context;
pub use enter::enter;
