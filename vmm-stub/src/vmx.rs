//! VT-x: what the CPU offers, and how it is used. Section names are those of the SDM, volume 3, order number
//! 325384-082US.

pub mod capability;
pub mod controls;
pub mod cr0;

#[cfg(target_os = "none")]
pub mod enter;
#[cfg(target_os = "none")]
pub mod events;
#[cfg(target_os = "none")]
pub mod exits;
#[cfg(target_os = "none")]
pub mod guest_state;
#[cfg(target_os = "none")]
pub mod host_state;
#[cfg(target_os = "none")]
pub mod instructions;
#[cfg(target_os = "none")]
pub mod msrs;
#[cfg(target_os = "none")]
pub mod report;
#[cfg(target_os = "none")]
pub mod support;
#[cfg(target_os = "none")]
pub mod vmcs;
