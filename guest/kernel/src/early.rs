//! Before the kernel's own tables are loaded: memory is reached through the identity map of the
//! boot tables, frames are taken and never given back.

mod frames;
mod image;
mod leave;
mod map;

pub use frames::{EarlyFrames, TooLittle};
pub use image::Image;
pub use leave::leave;
pub use map::{KernelMap, Range, Stack, WINDOW_TABLE_SLOT};
