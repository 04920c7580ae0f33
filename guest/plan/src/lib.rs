//! What a boot of the guest is asked to do ([`command_line`]), and what it answers with
//! ([`records`], with latencies from a [`histogram`]; an [`exit_code`] where the machine takes one).
//! How much there is to do is in [`work`].
//!
//! The guest and the host both use this crate, so that neither can misread the other.
#![cfg_attr(not(any(test, feature = "read")), no_std)]
#![forbid(unsafe_code)]

pub mod command_line;
pub mod exit_code;
pub mod histogram;
pub mod records;
pub mod work;
