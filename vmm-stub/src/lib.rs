//! The stub: a thin hypervisor that gives one guest the machine and offers it a checked load and store on
//! physical memory.
//!
//! What decides is pure and runs on a host too: which controls to choose ([`vmx::controls`]), what the nested
//! tables map ([`ept::layout`]), what the guest reads by CPUID ([`cpuid`]). What acts is built for the machine
//! only, beginning with `boot`.
#![cfg_attr(not(test), no_std)]

pub mod command_line;
pub mod cpuid;
pub mod ept;
pub mod guest;
pub mod mtrr;
pub mod needs;
pub mod paging;
pub mod pci;
pub mod places;
pub mod tree;
pub mod vmx;
pub mod xcr0;

#[cfg(target_os = "none")]
pub mod boot;
#[cfg(target_os = "none")]
mod calls;
#[cfg(target_os = "none")]
mod cpu;
#[cfg(target_os = "none")]
mod descriptors;
#[cfg(target_os = "none")]
pub mod ending;
#[cfg(target_os = "none")]
mod exceptions;
#[cfg(target_os = "none")]
mod image;
#[cfg(target_os = "none")]
mod physical;
#[cfg(target_os = "none")]
mod pool;
#[cfg(target_os = "none")]
mod say;
