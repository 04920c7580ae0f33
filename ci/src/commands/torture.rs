//! `cargo xtask torture`.

use std::time::Duration;

use anyhow::{Result, bail};
use clap::Args;

use super::options::{list, number};
use crate::build::Programs;
use crate::machines::choose::check;
use crate::machines::{MachineName, Path};
use crate::torture::{self, Asked, TURNS, Tally};

/// Evict under random work and random faults for a while, by all methods in turn.
///
/// Boot after boot, each with another seed, number of CPUs (1, 2, 4) and swap device (memory; a virtio disk under QEMU,
/// an ATA disk in Bochs): programs that share pages at random start, fork and end; pages are evicted at random and for want of
/// memory; ranges of memory are evacuated; swap devices refuse to write and to read, and memory gives pages back with a
/// bit flipped (disks in Bochs cannot be made to fail). The programs check every byte that they wrote, and audits compare
/// all tables with all records.
///
/// Paths are tortured side by side. Ends with the counts of all boots. The first boot that finds something ends it: the
/// line says what was found, and the command that boots the same again, its disk and what is wrong with it included (a disk
/// answers when it likes, so a boot with one may take another course). Exit code: 0 if no page was lost, no audit found a
/// fault and no program ended that no device had failed; 1 if something was found; 2 for bad arguments or a missing tool.
#[derive(Args)]
pub struct Arguments {
    /// For how long; boots that have begun are finished
    #[arg(long, value_name = "N", default_value = "60")]
    seconds: String,
    /// What runs below the guest: a list of bare, vmx, svm
    #[arg(long, value_name = "LIST", default_value = "bare,vmx,svm")]
    path: String,
    /// What runs below that: auto, qemu-kvm, qemu-tcg or bochs
    #[arg(long, default_value = "auto")]
    machine: String,
    /// The seed of the first boot; each boot has the next one
    #[arg(long, value_name = "N", default_value = "1")]
    seed: String,
    /// Boot only the kind of this number, once, with its console in the terminal: so is a boot seen again
    #[arg(long, value_name = "N")]
    turn: Option<String>,
}

impl Arguments {
    /// Does it.
    pub fn run(self) -> Result<()> {
        let paths = list(&self.path, Path::named)?;
        let machine = MachineName::named(&self.machine)?;
        paths.iter().try_for_each(|path| check(*path, machine))?;
        let seconds = number("--seconds", &self.seconds, 1, MOST_SECONDS)?;
        let seed = number("--seed", &self.seed, 0, u64::MAX)?;
        let last = TURNS as u64;
        let turn = self.turn.as_deref().map(|turn| number("--turn", turn, 1, last)).transpose()?;
        let turn = turn.map(|turn| turn as usize - 1);
        let programs = Programs::build(&paths)?;
        let asked = Asked { paths, machine, seconds: Duration::from_secs(seconds), seed, turn };
        let (tally, found) = torture::run(&asked, &programs)?;
        println!("{tally}");
        conclude(&tally, found)
    }
}

/// A year, about.
const MOST_SECONDS: u64 = 1 << 25;

fn conclude(tally: &Tally, found: Option<String>) -> Result<()> {
    match found.or_else(|| tally.wrong()) {
        None => Ok(()),
        Some(what) => bail!("torture found: {what}"),
    }
}
