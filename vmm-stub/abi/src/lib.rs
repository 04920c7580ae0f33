//! What a guest and the loadphys stub say to each other.
//!
//! A guest finds the stub by CPUID ([`discovery`]), then asks it by VMCALL (VMMCALL on AMD):
//!
//! | register | in | out |
//! |---|---|---|
//! | RAX | [`Call`] number | [`Status`] code |
//! | RDI | first argument | kept |
//! | RSI | second argument | kept |
//! | RDX | third argument | answer |
//!
//! All other registers are kept. A call counts only from ring 0 in 64-bit mode. A call that is
//! refused changes nothing but RAX and RDX.
#![no_std]
#![forbid(unsafe_code)]

pub mod batch;
pub mod counters;
pub mod discovery;

mod call;

pub use call::{Call, Kept, Status};

/// Bytes in a frame: the unit in which tables are registered.
pub const FRAME_BYTES: u64 = 4096;

/// Bytes in a page-table entry: the only width in which physical memory is touched.
pub const ENTRY_BYTES: u64 = 8;
