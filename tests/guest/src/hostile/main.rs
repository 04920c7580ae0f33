//! A guest that does everything wrong on purpose under the stub, at random but by a seed (`seed=N`, and `acts=N` for how much
//! of it), on two CPUs.
//!
//! It checks that what must be refused is refused, that its own canaries stay as they are, and that the stub counts as many
//! refusals as there were. What is left of the stub is looked at from outside, at [`looks`]. In the end it lets itself be ended.
#![no_std]
#![no_main]

#[cfg(target_os = "none")]
mod addresses;
#[cfg(target_os = "none")]
mod batches;
#[cfg(target_os = "none")]
mod before_long_mode;
#[cfg(target_os = "none")]
mod canaries;
#[cfg(target_os = "none")]
mod descriptors;
#[cfg(target_os = "none")]
mod execute;
#[cfg(target_os = "none")]
mod gate;
#[cfg(target_os = "none")]
mod instructions;
#[cfg(target_os = "none")]
mod last_act;
#[cfg(target_os = "none")]
mod lies;
#[cfg(target_os = "none")]
mod local;
#[cfg(target_os = "none")]
mod looks;
#[cfg(target_os = "none")]
mod playground;
#[cfg(target_os = "none")]
mod random;
#[cfg(target_os = "none")]
mod registers;
#[cfg(target_os = "none")]
mod run;
#[cfg(target_os = "none")]
mod signals;
#[cfg(target_os = "none")]
mod strays;
#[cfg(target_os = "none")]
mod tally;
#[cfg(target_os = "none")]
mod vmcalls;

#[cfg(target_os = "none")]
loadphys_boot::entry!(run::start);
