//! The circumstances of a boot: every CPU number and swap device that a path can have comes in turn.

use std::fmt;
use std::time::Duration;

use anyhow::Result;
use loadphys_plan::command_line::{Methods, Plan, PlanName, Swap};

use crate::boot::Job;
use crate::build::Programs;
use crate::machines::{MachineName, Path};

/// One kind of boot.
#[derive(Clone, Copy, Debug)]
pub struct Turn {
    path: Path,
    cpus: u32,
    swap: Swap,
}

/// Rounds of random work under each method.
const ROUNDS: u32 = 40;

/// Pages of the segment that programs share.
const PAGES: u32 = 96;

/// A boot that takes longer hangs.
const LIMIT: Duration = Duration::from_secs(600);

impl Turn {
    /// All kinds that a path has.
    pub fn all(path: Path) -> impl Iterator<Item = Self> + Clone {
        let disk = match path {
            Path::Bare => Swap::Virtio,
            Path::Vmx => Swap::Ata,
        };
        let kinds = [(1, Swap::Ram), (2, Swap::Ram), (4, Swap::Ram), (1, disk), (4, disk)];
        kinds.into_iter().map(move |(cpus, swap)| Self { path, cpus, swap })
    }

    /// The boot with this seed.
    pub fn job(&self, machine: MachineName, programs: &Programs, seed: u64) -> Result<Job> {
        let line = self.plan(machine, seed).to_string();
        let job = Job::of_guest(self.path, machine, programs, line, LIMIT);
        Ok(Job { cpus: self.cpus, ..job })
    }

    fn plan(&self, machine: MachineName, seed: u64) -> Plan {
        Plan {
            plan: PlanName::Torture,
            methods: Methods::All,
            pages: PAGES,
            rounds: ROUNDS,
            seed,
            cpus: self.cpus,
            swap: self.swap,
            exit: machine.exit(),
            ..Plan::default()
        }
    }

    /// A command that boots the same again.
    pub fn again(&self, machine: MachineName, seed: u64) -> String {
        let plan = Plan { exit: Plan::default().exit, ..self.plan(machine, seed) };
        format!("cargo xtask run --path {} --machine {machine} --append \"{plan}\"", self.path)
    }
}

impl fmt::Display for Turn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, {} CPUs, swap {}", self.path, self.cpus, self.swap)
    }
}
