//! Programs that run as the only one on a Linux: what they know of its formats, and its system calls.
//!
//! `evictor` measures what the peer takes to evict pages, `check` tries CPUs, memory and a disk. Both are built for the bare machine
//! like the guest's programs, so that they need neither a C library nor a linker of the host.
#![cfg_attr(not(test), no_std)]

pub mod counters;
pub mod cpu_list;
pub mod kernel_log;
pub mod page_map;
pub mod swap_area;

#[cfg(target_os = "none")]
pub mod enter;
#[cfg(target_os = "none")]
pub mod failure;
#[cfg(target_os = "none")]
pub mod files;
#[cfg(target_os = "none")]
pub mod report;
#[cfg(target_os = "none")]
pub mod system;

/// Bytes in a page.
pub const PAGE_BYTES: usize = 4096;
