//! `cargo xtask build`.

use anyhow::Result;
use clap::Args;

use crate::build::{Programs, sha256};

/// Build the guest kernel and the hypervisor, and say where they are.
#[derive(Args)]
pub struct Arguments {}

impl Arguments {
    /// Does it.
    pub fn run(self) -> Result<()> {
        let Programs { guest, stub } = Programs::build()?;
        for (name, file) in [("guest", guest), ("stub", stub)] {
            println!("{name}\t{}\tsha256 {}", file.display(), sha256(&file)?);
        }
        Ok(())
    }
}
