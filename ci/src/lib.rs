//! The one entry point of the project: everything is built, booted, compared and tested by
//! `cargo xtask`.
//!
//! From the top down: [`commands`], one file each; [`compare`], which turns records of boots into
//! tables and files; [`torture`], boot after boot; [`evacuation`], what it came to; [`fuzzing`], calls that a fuzzer thinks of; [`fixtures`], CPUs that are not here; [`hostile`], a guest that
//! does everything wrong on purpose; [`attacks`], what is known to be tried and the
//! tests that withstand it; [`checks`], the steps of a test run; [`boot`], which runs one emulator under a time limit; [`machines`], where all
//! emulator arguments are; [`peers`], other kernels to compare with; [`foreign`], kernels under the stub; [`build`] and [`tools`], which see to it that there is something to boot
//! and something to boot it with.
#![forbid(unsafe_code)]

pub mod attacks;
pub mod boot;
pub mod build;
pub mod checks;
pub mod commands;
pub mod compare;
pub mod disks;
pub mod evacuation;
pub mod fixtures;
pub mod foreign;
pub mod fuzzing;
pub mod hostile;
pub mod interrupt;
pub mod iso;
pub mod machines;
pub mod outcome;
pub mod peers;
pub mod progress;
pub mod tools;
pub mod torture;
pub mod workspace;

mod cli;

pub use cli::run;
