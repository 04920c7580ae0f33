//! What ACPI says of the machine: CPUs, the timer to measure others by, and how to power off.

mod handler;
mod power_off;
mod tables;

pub use power_off::PowerOff;
pub use tables::{Firmware, PmTimer};
