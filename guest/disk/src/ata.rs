//! ATA drives behind a bus-master IDE controller, as the PIIX3 of emulators is one.
//!
//! Pages go by DMA: the controller takes a table of their physical addresses, below 4 GiB, and moves them by itself.
//! Addresses on the drive have 28 bits (LBA28), which reaches 128 GiB. Interrupts stay off: whoever waits asks.
//!
//! Sources: ATA/ATAPI-6 (T13/1410D revision 3b); Programming Interface for Bus Master IDE Controller,
//! revision 1.0 (1994).

mod drive;
mod identity;
mod registers;
#[cfg(test)]
mod tests;

pub use drive::{Absent, Drive, MOST_PAGES, Unit};
pub use identity::Identity;
pub use registers::{Register, Registers};
