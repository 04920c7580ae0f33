//! VT-x: what the CPU offers, and how it is used. Section names are those of the SDM, volume 3, order number
//! 325384-082US.

pub mod capability;
pub mod controls;
pub mod cr0;
pub mod task_switch;

#[cfg(target_os = "none")]
mod apic_guard;
#[cfg(target_os = "none")]
pub(crate) mod boot;
#[cfg(target_os = "none")]
pub(crate) mod enter;
#[cfg(target_os = "none")]
pub(crate) mod events;
#[cfg(target_os = "none")]
pub(crate) mod exits;
#[cfg(target_os = "none")]
pub(crate) mod guest_state;
#[cfg(target_os = "none")]
pub(crate) mod host_state;
#[cfg(target_os = "none")]
pub(crate) mod instructions;
#[cfg(target_os = "none")]
pub(crate) mod msrs;
#[cfg(target_os = "none")]
pub(crate) mod start_up;
#[cfg(target_os = "none")]
pub(crate) mod support;
#[cfg(target_os = "none")]
pub(crate) mod task;
#[cfg(target_os = "none")]
pub(crate) mod touch;
#[cfg(target_os = "none")]
pub(crate) mod vcpu;
#[cfg(target_os = "none")]
pub(crate) mod view;
#[cfg(target_os = "none")]
pub(crate) mod vmcs;

/// A CPU whose guest VT-x runs.
#[cfg(target_os = "none")]
pub(crate) type Cpu = crate::cpu::Cpu<vcpu::Vmx>;
