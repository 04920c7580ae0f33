//! `cargo xtask build`.

use anyhow::Result;
use clap::Args;

use crate::build::{Programs, sha256};
use crate::machines::Path;

/// Build the guest kernel and the hypervisor, and say where they are.
#[derive(Args)]
pub struct Arguments {}

impl Arguments {
    /// Does it.
    pub fn run(self) -> Result<()> {
        let programs = Programs::build(&Path::ALL)?;
        for (name, file) in [("guest", programs.guest.as_path()), ("stub", programs.stub())] {
            println!("{name}\t{}\tsha256 {}", file.display(), sha256(file)?);
        }
        Ok(())
    }
}
