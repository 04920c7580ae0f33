//! What each method does to the machine for a batch, and how it leaves the machine when the batch is stopped.
#![cfg(not(any(feature = "broken-skip-flush", feature = "broken-free-before-flush")))]

mod batch;
mod events;
mod stops;
