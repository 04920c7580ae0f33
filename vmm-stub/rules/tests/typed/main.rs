//! The typed rules on a few frames: which bits entries may have, how frames change, walks.

mod batches;
mod bits;
mod memory;
mod registering;
mod touching;
#[cfg(feature = "twins")]
mod twins;
mod unmapping;
mod world;
