//! Ticks, stage by stage, and the records made of them.

pub mod clock;
pub mod elapsed;
pub mod events;
pub mod flushes;
pub mod longest;
pub mod report;
pub mod stopwatch;
