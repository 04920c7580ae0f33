//! Boot tests: each is one boot (two where two are compared) with a time limit, known by name, and
//! judged by the records and lines of its console.
//!
//! `cargo xtask test` runs them all. One of them:
//! `cargo test -p loadphys-tests --features boots --test boot -- bare/probe`.

mod attacks;
mod case;
mod comparison;
mod conformance;
mod counted;
mod courses;
mod cpus;
mod disks;
mod evacuation;
mod foreign;
mod good;
mod hostile;
mod hostile_guest;
mod idle;
mod linux;
mod machine;
mod programs;
mod recorded;
mod torture;

use libtest_mimic::{Arguments, Trial};

fn main() {
    xtask::interrupt::install();
    let arguments = Arguments::from_args();
    let cases = [
        good::cases(),
        cpus::cases(),
        attacks::cases(),
        hostile::cases(),
        disks::cases(),
        linux::cases(),
        recorded::cases(),
    ];
    let mut trials: Vec<Trial> = cases.into_iter().flatten().map(case::Case::trial).collect();
    trials.extend(hostile_guest::trials());
    trials.extend(machine::trials());
    trials.extend(foreign::trials());
    libtest_mimic::run(&arguments, trials).exit();
}
