//! What is tried.

use core::sync::atomic::Ordering;

use crate::team::{self, OTHERS, Post, comes, pause, post};
use crate::{apic, calls};

/// All trials, in order: each finds the CPUs as the one before leaves them.
pub const ALL: [(&str, fn()); 3] = [
    ("every CPU starts, and is under the stub", all_start),
    ("a SIPI to a CPU that runs does nothing", sipi_to_one_that_runs),
    ("an INIT stops a CPU", init_stops),
];

fn cpus() -> impl Iterator<Item = u32> {
    1..=OTHERS as u32
}

fn all_start() {
    team::lay_trampoline();
    for cpu in cpus() {
        assert!(team::start(cpu), "CPU {cpu} starts");
    }
    for cpu in cpus() {
        team::give(cpu, Some(look_around));
        assert!(runs(cpu), "CPU {cpu} looks around");
        team::give(cpu, None);
    }
}

fn look_around(post: &Post) {
    let number = post.number.load(Ordering::SeqCst);
    assert_eq!(u64::from(apic::id()), number);
    assert!(calls::stub_is_below(), "CPU {number} is outside of the stub");
}

/// Whether a CPU goes on with its rounds.
fn runs(cpu: u32) -> bool {
    let rounds = || post(cpu).rounds.load(Ordering::SeqCst);
    let before = rounds();
    comes(|| rounds() > before + 2)
}

/// Whether a CPU stands still.
fn stands(cpu: u32) -> bool {
    let rounds = || post(cpu).rounds.load(Ordering::SeqCst);
    let before = rounds();
    (0..20).for_each(|_| pause());
    rounds() == before
}

fn sipi_to_one_that_runs() {
    for cpu in cpus() {
        let starts = || post(cpu).starts.load(Ordering::SeqCst);
        let before = starts();
        team::start_up(cpu);
        pause();
        assert!(runs(cpu) && starts() == before, "CPU {cpu} went on");
    }
}

/// The last trial: on Bochs 2.7 a CPU that got an INIT in the guest cannot be started again.
fn init_stops() {
    for cpu in cpus() {
        apic::init(cpu);
        pause();
        assert!(stands(cpu), "CPU {cpu} stands after an INIT");
        team::start_up(cpu);
    }
    pause();
}
