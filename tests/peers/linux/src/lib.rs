//! What the init program knows of Linux's formats: swap areas, the page map, counters.
//!
//! The program itself, `main.rs`, is the only one that runs on the peer. It is built for the bare machine like the guest's
//! programs, so that it needs neither a C library nor a linker of the host.
#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]

pub mod counters;
pub mod page_map;
pub mod swap_area;

/// Bytes in a page.
pub const PAGE_BYTES: usize = 4096;
