//! The circumstances of a boot: every CPU number and swap device that a path can have comes in turn, with and without faults.

use std::fmt;
use std::time::Duration;

use anyhow::Result;
use loadphys_plan::command_line::{Methods, Plan, PlanName, Swap};
use loadphys_plan::work::swap_pages;

use crate::boot::Job;
use crate::build::Programs;
use crate::disks::{Bus, Contents, Disk, Flaw};
use crate::machines::{MachineName, Path};

/// One kind of boot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Turn {
    path: Path,
    machine: MachineName,
    cpus: u32,
    swap: Swap,
    /// Whether the device fails.
    fails: bool,
}

/// Rounds of random work under each method; Bochs takes its time.
const ROUNDS: u32 = 12;
const ROUNDS_ON_BOCHS: u32 = 3;

/// Pages of the segment that programs share.
const PAGES: u32 = 96;

/// Pages that swap can hold: several times what is needed, since what fails to be written is lost to it.
const SWAP_PAGES: u32 = 2048;

/// Of so many requests to swap in memory one fails.
const FAULTS: u32 = 400;

/// A boot that takes longer hangs.
const LIMIT: Duration = Duration::from_secs(900);

/// CPUs that a boot has at most.
pub const MOST_CPUS: u32 = 4;

/// Kinds that a path has.
pub const TURNS: usize = 7;

impl Turn {
    /// All kinds that a path has on a machine.
    pub fn all(path: Path, machine: MachineName) -> [Self; TURNS] {
        let disk = if machine == MachineName::Bochs { Swap::Ata } else { Swap::Virtio };
        let can_fail = machine != MachineName::Bochs;
        [
            (1, Swap::Ram, false),
            (2, Swap::Ram, true),
            (MOST_CPUS, disk, can_fail),
            (MOST_CPUS, Swap::Ram, true),
            (1, disk, can_fail),
            (2, disk, false),
            (1, Swap::Ram, true),
        ]
        .map(|(cpus, swap, fails)| Self { path, machine, cpus, swap, fails })
    }

    /// The boot with this seed.
    pub fn job(&self, programs: &Programs, seed: u64) -> Result<Job> {
        let plan = self.plan(seed);
        let job = Job::of_guest(self.path, self.machine, programs, plan.to_string(), LIMIT);
        Ok(Job { disks: self.disk(&plan).into_iter().collect(), ..job })
    }

    fn disk(&self, plan: &Plan) -> Option<Disk> {
        let bus = Bus::of(self.swap)?;
        let flaws = if self.fails { flaws(plan.seed) } else { Vec::new() };
        Some(Disk { bus, contents: Contents::Swap { pages: swap_pages(plan) + 1 }, flaws })
    }

    fn plan(&self, seed: u64) -> Plan {
        let fails = self.fails && self.swap == Swap::Ram;
        let rounds = if self.machine == MachineName::Bochs { ROUNDS_ON_BOCHS } else { ROUNDS };
        Plan {
            plan: PlanName::Torture,
            methods: Methods::All,
            pages: PAGES,
            rounds,
            seed,
            cpus: self.cpus,
            swap: self.swap,
            swap_pages: SWAP_PAGES,
            faults: if fails { FAULTS } else { 0 },
            exit: self.machine.exit(),
            ..Plan::default()
        }
    }

    /// A command that boots the same again, its disk and what is wrong with it included.
    pub fn again(&self, seed: u64) -> String {
        let Self { path, machine, .. } = self;
        let number = Self::all(*path, *machine).iter().position(|turn| turn == self);
        let number = number.map_or(0, |at| at + 1);
        format!(
            "cargo xtask torture --path {path} --machine {machine} --turn {number} --seed {seed}"
        )
    }
}

/// Slots among which faulty ones are: those that are used first.
const FLAWED: u64 = 128;

/// How often the guest asks for a page before it counts as unreadable.
const TRIES: usize = 2;

/// What is wrong with a disk: two slots cannot be written, three cannot be read the first time that they are needed.
fn flaws(seed: u64) -> Vec<Flaw> {
    let slot = |number: u64| 1 + (seed.wrapping_mul(41).wrapping_add(number * 23) % FLAWED) as u32;
    let error = |writes, page| Flaw::Error { writes, page, once: !writes };
    let writes = (0..2).map(|number| error(true, Some(slot(number))));
    let reads = (2..5).flat_map(|number| [error(false, Some(slot(number))); TRIES]);
    writes.chain(reads).collect()
}

impl fmt::Display for Turn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let how = if self.fails { "that fails" } else { "that is sound" };
        write!(f, "{}, {} CPUs, swap {} {how}", self.path, self.cpus, self.swap)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use loadphys_plan::command_line::Swap;

    use super::{Turn, flaws};
    use crate::disks::{Bus, Flaw};
    use crate::machines::choose::emulator;
    use crate::machines::{MachineName, Path};

    #[test]
    fn every_number_of_cpus_meets_every_device_that_the_machine_has() {
        for path in Path::ALL {
            let machine = emulator(path);
            let turns = Turn::all(path, machine);
            let met: BTreeSet<_> =
                turns.iter().map(|turn| (turn.cpus, turn.swap == Swap::Ram)).collect();
            assert_eq!(met.len(), 6, "1, 2 and 4 CPUs, memory and a disk");
            assert!(turns.iter().all(|it| Bus::of(it.swap).is_none_or(|bus| bus.is_on(machine))));
        }
    }

    #[test]
    fn the_command_that_boots_again_names_the_turn() {
        let turns = Turn::all(Path::Bare, MachineName::QemuTcg);
        let wanted = "cargo xtask torture --path bare --machine qemu-tcg --turn 3 --seed 9";
        assert_eq!(turns[2].again(9), wanted);
    }

    #[test]
    fn flaws_are_of_different_slots() {
        for seed in 0..1000 {
            let slots = flaws(seed).into_iter().filter_map(|flaw| match flaw {
                Flaw::Error { page, .. } => page,
                Flaw::StuckWrites => None,
            });
            let slots: BTreeSet<_> = slots.collect();
            assert!(slots.len() == 5 && !slots.contains(&0), "{slots:?}, slot 0 is the header");
        }
    }
}
