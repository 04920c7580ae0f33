//! Swap on disks, as pure logic: nothing here names a machine.
//!
//! | module | what |
//! |---|---|
//! | [`header`] | the signature by which a disk says that it may be written; `cargo xtask swap-image` writes it, the guest looks for it |
//! | [`device`] | the one trait that a disk's driver implements: begin a request, ask which one has ended, stop |
//! | [`disk`] | a disk with the signature: clusters of neighbours, time limits, second tries; a disk that is stuck is dead |
//! | [`ata`] | ATA drives behind a bus-master controller, by registers that someone else reaches |
//!
//! A [`disk::Disk`] can only be made by reading the signature from the device itself, and only a
//! `Disk` writes; so no other disk is ever written.
#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]

pub mod ata;
pub mod device;
pub mod disk;
pub mod header;

/// Bytes of a page, and of a slot.
pub const PAGE_BYTES: usize = 4096;

/// Bytes of a sector.
pub const SECTOR_BYTES: usize = 512;

/// Sectors of a page.
pub const SECTORS_PER_PAGE: u32 = (PAGE_BYTES / SECTOR_BYTES) as u32;
