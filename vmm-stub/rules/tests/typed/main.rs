//! The typed rules on a few frames: which bits entries may have, how frames change, walks.
//!
//! Not under Miri: there is no unsafe code to look at, and whoever registers a table looks at 512 entries, which would take
//! minutes.
#![cfg(not(miri))]

mod batches;
mod bits;
mod memory;
mod registering;
mod touching;
#[cfg(feature = "twins")]
mod twins;
mod unmapping;
mod world;
