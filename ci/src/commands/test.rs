//! `cargo xtask test`.

use anyhow::{Result, bail};
use clap::Args;

use crate::attacks::{self, Attack, Verdict};
use crate::checks::{self, Tally};
use crate::machines::MachineName;
use crate::tools::{self, Need};

/// Run every check and test: format, lints, docs, host tests, Miri, boots on bare, vmx and svm.
///
/// Ends with a line "N passed, N failed". Exit code: 0 if nothing failed.
#[derive(Args)]
pub struct Arguments {
    /// Leave out Miri
    #[arg(long)]
    quick: bool,
    /// Run the tests of the 33 known attacks and races alone, and list each with its result
    #[arg(long, conflicts_with = "quick")]
    attacks: bool,
}

impl Arguments {
    /// Does it.
    pub fn run(self) -> Result<()> {
        tools::ensure(&[Need::of(MachineName::QemuTcg), Need::of(MachineName::Bochs)].concat())?;
        tools::component("rustfmt", "fmt")?;
        tools::component("clippy", "clippy")?;
        if self.attacks {
            return list_attacks();
        }
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

/// A line for each attack: its number, what is tried, where it is answered, what came of it.
fn list_attacks() -> Result<()> {
    let verdicts = attacks::run(&attacks::ALL)?;
    let mut failed = Vec::new();
    for (attack, verdict) in attacks::ALL.iter().zip(&verdicts) {
        println!("{}", line(attack, verdict));
        if matches!(verdict, Verdict::Failed(_)) {
            failed.push(attack.number.to_string());
        }
    }
    println!("{} attacks, {} not withstood", verdicts.len(), failed.len());
    if failed.is_empty() { Ok(()) } else { bail!("not withstood: {}", failed.join(", ")) }
}

fn line(attack: &Attack, verdict: &Verdict) -> String {
    let Attack { number, title, answer } = attack;
    let mut layers: Vec<&str> = answer.tests().map(|test| test.0.layer()).collect();
    layers.sort_unstable();
    layers.dedup();
    let layers = layers.join(", ");
    match verdict {
        Verdict::Withstood => {
            let names: Vec<&str> = answer.tests().map(|test| test.1).collect();
            format!("{number:>2}. {title} | {layers} | withstood: {}", names.join(", "))
        }
        Verdict::Failed(names) => {
            format!("{number:>2}. {title} | {layers} | NOT WITHSTOOD: {}", names.join(", "))
        }
        Verdict::CannotApply(why) => format!("{number:>2}. {title} | cannot apply: {why}"),
    }
}
