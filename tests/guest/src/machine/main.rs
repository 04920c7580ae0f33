//! A guest that looks at the machine it runs on, and says what it saw: the same with a stub below and without one, but for what
//! the stub says otherwise.
//!
//! Lines that begin with `machine: ` must be the same on both; those with `exits: ` and `below: ` are there under a stub only, those with
//! `changed: ` are where it changes something on purpose. In the end the machine is reset, and the same program begins anew. With
//! `reset=keyboard` or `reset=init` on its command line it does nothing else, and uses the keyboard controller or an INIT for it.
#![no_std]
#![no_main]

#[cfg(target_os = "none")]
mod attempt;
#[cfg(target_os = "none")]
mod breakpoints;
#[cfg(target_os = "none")]
mod control;
#[cfg(target_os = "none")]
mod counted;
#[cfg(target_os = "none")]
mod devices;
#[cfg(target_os = "none")]
mod identity;
#[cfg(target_os = "none")]
mod interrupts;
#[cfg(target_os = "none")]
mod msrs;
#[cfg(target_os = "none")]
mod nmis;
#[cfg(target_os = "none")]
mod resets;
#[cfg(target_os = "none")]
mod seen;
#[cfg(target_os = "none")]
mod tasks;
#[cfg(target_os = "none")]
mod x2apic;

#[cfg(target_os = "none")]
mod start;

#[cfg(target_os = "none")]
loadphys_boot::entry!(start::start);
