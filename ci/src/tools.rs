//! Sees to it that the tools a command needs are there, and installs them where that can be done.

mod debian;
mod needs;
mod rust;

use anyhow::Result;

pub use debian::{depends, fetchable, unpack};
pub use needs::Need;
pub use rust::{component, has_target, miri, target as rust_target};

/// Installs what is missing, after saying so; elsewhere than on Debian names the packages.
pub fn ensure(needs: &[Need]) -> Result<()> {
    let missing: Vec<Need> = needs.iter().copied().filter(|need| !need.is_there()).collect();
    if missing.is_empty() {
        return Ok(());
    }
    debian::install(&missing)
}
