//! `cargo xtask test`.

use anyhow::{Result, bail};
use clap::Args;

use crate::checks::{self, Tally};
use crate::machines::MachineName;
use crate::tools::{self, Need};

/// Run every check and test: format, lints, docs, host tests, Miri, boots on bare and vmx.
///
/// Ends with a line "N passed, N failed". Exit code: 0 if nothing failed.
#[derive(Args)]
pub struct Arguments {
    /// Leave out Miri
    #[arg(long)]
    quick: bool,
}

impl Arguments {
    /// Does it.
    pub fn run(self) -> Result<()> {
        tools::ensure(&[Need::of(MachineName::QemuTcg), Need::of(MachineName::Bochs)].concat())?;
        tools::component("rustfmt", "fmt")?;
        tools::component("clippy", "clippy")?;
        let mut tally = Tally::default();
        checks::run_all(&mut tally, self.quick)?;
        for skipped in &tally.skipped {
            println!("skipped: {skipped}");
        }
        println!("{} passed, {} failed", tally.passed, tally.failed);
        match tally.names_of_failed.as_slice() {
            [] => Ok(()),
            names => bail!("failed: {}", names.join(", ")),
        }
    }
}
