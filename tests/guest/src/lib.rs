//! What the guests of the tests have in common: each is a small program that is booted in the guest's place, tries
//! something, and ends with a record that says how it went.
#![no_std]

#[cfg(target_os = "none")]
pub mod apic;
#[cfg(target_os = "none")]
pub mod calls;
#[cfg(target_os = "none")]
pub mod ending;
#[cfg(target_os = "none")]
pub mod ring3;
#[cfg(target_os = "none")]
pub mod say;
#[cfg(target_os = "none")]
pub mod team;
#[cfg(target_os = "none")]
pub mod traps;
#[cfg(target_os = "none")]
pub mod window;
