//! The commands, a file each.

pub mod build;
pub mod compare;
pub mod doctor;
pub mod evacuate;
pub mod fuzz;
pub mod hostile;
pub mod image;
pub mod run;
pub mod swap_image;
pub mod test;
pub mod torture;

mod options;
mod swap;
