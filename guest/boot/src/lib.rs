//! The first steps of a kernel: the way into 64-bit mode ([`entry!`]), what the loader hands over
//! ([`handoff`]), words on COM1 ([`console`]), and the ways to end a machine ([`power`]).
//!
//! The guest kernel boots with it. So does the stub, which also uses it to hand over to the guest
//! as a PVH loader would ([`handoff::pvh`]).
#![cfg_attr(not(test), no_std)]

pub mod console;
#[cfg(target_os = "none")]
mod entry;
pub mod handoff;
#[cfg(target_os = "none")]
pub mod power;
#[cfg(target_os = "none")]
pub mod trampoline;

/// What lies on each side of the identity map that [`entry!`] leaves: physical memory below this
/// address is mapped at its own address.
pub const IDENTITY_BYTES: u64 = 4 << 30;

/// Bytes of the stack on which `main` begins: the handoff passes through it by value.
pub const STACK_BYTES: usize = 128 << 10;

/// First word of the multiboot2 header (specification 2.0, section 3.1.2).
pub const HEADER_MAGIC: u32 = 0xe852_50d6;

/// The kernel half of the boot map: [`entry!`] maps the first 2 GiB of physical memory here too.
pub const HIGH_BASE: u64 = 0xffff_ffff_8000_0000;
