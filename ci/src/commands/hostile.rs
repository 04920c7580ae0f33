//! `cargo xtask hostile`.

use std::time::{Duration, Instant};

use anyhow::{Result, anyhow, ensure};
use clap::Args;
use loadphys_plan::command_line::Rules;

use super::options::number;
use crate::hostile::{Counts, Hostile};
use crate::machines::MachineName;
use crate::progress::Progress;
use crate::tools::{self, Need};

/// Boot a guest that does everything wrong on purpose under the stub, again and again.
///
/// On two CPUs, by a seed: calls with any registers from any mode, batches that wrap or change while they are checked, loads,
/// stores and jumps into the stub's memory, tables that lead there, instructions of VT-x, SMX and SVM, writes of MSRs and
/// control registers, storms of INIT, SIPI and NMI, and in the end a triple fault; under each rule set in turn. It runs in Bochs.
///
/// The guest checks that what must be refused is refused and counted; Bochs's debugger checks from outside that the stub's
/// code and constants are those of its file, and that canaries of the guest are as they were. Ends with the counts of
/// all boots. Exit code: 0 if nothing was found, 1 if something was, 2 for bad arguments or a missing tool.
#[derive(Args)]
pub struct Arguments {
    /// For how long; a boot that has begun is finished
    #[arg(long, value_name = "N", default_value = "60")]
    seconds: String,
    /// The seed of the first boot; each boot has the next one
    #[arg(long, value_name = "N", default_value = "1")]
    seed: String,
}

/// A year, about.
const MOST_SECONDS: u64 = 1 << 25;

/// What the stub checks, in turn.
const RULES: [Rules; 3] = [Rules::Tables, Rules::Typed, Rules::TypedPreset];

/// What is done at random on each CPU in a boot.
const ACTS: u64 = 10_000;

impl Arguments {
    /// Does it.
    pub fn run(self) -> Result<()> {
        let seconds = number("--seconds", &self.seconds, 1, MOST_SECONDS)?;
        let first = number("--seed", &self.seed, 0, u64::MAX - MOST_SECONDS)?;
        tools::ensure(Need::of(MachineName::Bochs))?;
        let hostile = Hostile::build()?;
        let end = Instant::now() + Duration::from_secs(seconds);
        let progress = Progress::start("hostile guest", 0);
        let (mut boots, mut all) = (0, Counts::new());
        for seed in first.. {
            let rules = RULES[(seed % RULES.len() as u64) as usize];
            let counts = hostile.boot(seed, ACTS, rules).map_err(|error| {
                anyhow!("{error:#}\nagain by: cargo xtask hostile --seconds 1 --seed {seed}")
            })?;
            boots += 1;
            counts.into_iter().for_each(|(name, count)| *all.entry(name).or_default() += count);
            progress.step(format!("{boots} boots"));
            if Instant::now() >= end {
                break;
            }
        }
        progress.finish(&format!("{boots} boots, nothing found"));
        println!("{boots:>12} boots");
        all.iter().for_each(|(name, count)| println!("{count:>12} {name}"));
        idle(&all)
    }
}

/// Something that never happened was not tried.
fn idle(counts: &Counts) -> Result<()> {
    let idle = ["calls-refused", "strays-stopped", "lies-stopped", "batches-that-change"];
    let idle = idle.into_iter().find(|name| counts.get(*name).is_none_or(|count| *count == 0));
    ensure!(idle.is_none(), "the count of '{}' is zero", idle.unwrap_or_default());
    Ok(())
}
