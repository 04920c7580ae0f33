//! The guest as a file, and what it is handed at its entry.

pub mod handover;
pub mod image;
