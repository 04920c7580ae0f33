//! AMD's SVM: what the CPU offers, and how it is used. Section names are those of the AMD64 Architecture Programmer's Manual
//! (APM), volume 2, order number 24593.

pub mod code;
pub mod efer;
pub mod msrs;
pub mod nmi;
pub mod offer;
pub mod vmcb;

#[cfg(test)]
mod outcomes;

#[cfg(target_os = "none")]
pub(crate) mod boot;
#[cfg(target_os = "none")]
pub(crate) mod enter;
#[cfg(target_os = "none")]
pub(crate) mod events;
#[cfg(target_os = "none")]
pub(crate) mod exits;
#[cfg(target_os = "none")]
pub(crate) mod fault;
#[cfg(target_os = "none")]
pub(crate) mod guest_state;
#[cfg(target_os = "none")]
pub(crate) mod start_up;
#[cfg(target_os = "none")]
pub(crate) mod step;
#[cfg(target_os = "none")]
pub(crate) mod support;
#[cfg(target_os = "none")]
pub(crate) mod vcpu;

/// A CPU whose guest SVM runs.
#[cfg(target_os = "none")]
pub(crate) type Cpu = crate::cpu::Cpu<vcpu::Svm>;
