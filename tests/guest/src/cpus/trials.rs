//! What is tried.

use core::sync::atomic::{AtomicU64, Ordering};

use loadphys_test_guests::team::{self, OTHERS, Post, comes, pause, post};
use loadphys_test_guests::{apic, calls, traps, window};

/// Trials of CPUs, in order: each finds the CPUs as the one before leaves them.
pub const ALL: [(&str, fn()); 6] = [
    ("every CPU starts, and is under the stub", all_start),
    ("a SIPI to a CPU that runs does nothing", sipi_to_one_that_runs),
    ("a frame that is a table no more is out of every CPU's reach", revocation),
    ("all CPUs register and release at once", all_at_once),
    ("NMIs reach the CPU that they are for, also while tables are released", nmis),
    ("the counters are those of all CPUs", counters),
];

/// What comes last: on Bochs 2.7 a CPU that got an INIT in the guest cannot be started again.
pub const LAST: (&str, fn()) = ("an INIT stops a CPU", init_stops);

/// What comes behind it where the stub takes INITs and SIPIs from their sender.
pub const AGAIN: (&str, fn()) = ("a CPU that was stopped starts again", all_start);

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

/// The basic exit reason of an NMI.
const NMI_EXITS: usize = 0;

/// What is in the frame while it is a table, and what a CPU must never see by way of the alias.
const TABLE: u64 = 0x7ab1e;
const SECRET: u64 = 0x5ec4e7;

/// What [`look_through_alias`] found: words that it had to find or could find, faults, and words of no table.
static SEEN: AtomicU64 = AtomicU64::new(0);
static FAULTS: AtomicU64 = AtomicU64::new(0);
static STRAY: AtomicU64 = AtomicU64::new(0);

fn look_through_alias(_: &Post) {
    let count = match traps::look(window::shown(0)) {
        Some(TABLE) => &SEEN,
        Some(_) => &STRAY,
        None => &FAULTS,
    };
    count.fetch_add(1, Ordering::SeqCst);
}

/// One CPU after the other looks through the alias all the time, without an exit of its own; the release must reach it.
fn revocation() {
    window::map();
    for cpu in cpus() {
        for _ in 0..20 {
            window::store(0, TABLE);
            calls::set_table(window::frame(0), true);
            let nmis = calls::counters().by_reason[NMI_EXITS];
            let (seen, faults) = (SEEN.load(Ordering::SeqCst), FAULTS.load(Ordering::SeqCst));
            team::give(cpu, Some(look_through_alias));
            assert!(comes(|| SEEN.load(Ordering::SeqCst) > seen + 3), "CPU {cpu} sees the table");
            calls::set_table(window::frame(0), false);
            window::store(0, SECRET);
            // All were in the guest and have been made to leave it; the one that looks may have left by a fault before. (Bochs
            // forgets nested translations so readily that a flush left out would not show in what is seen.)
            let nmis = calls::counters().by_reason[NMI_EXITS] - nmis;
            assert!(nmis >= OTHERS as u64 - 1, "{nmis} exits by NMIs of the stub's");
            assert!(comes(|| FAULTS.load(Ordering::SeqCst) > faults), "CPU {cpu} faults");
            team::give(cpu, None);
            assert!(runs(cpu), "CPU {cpu} goes on");
        }
    }
    assert_eq!(STRAY.load(Ordering::SeqCst), 0, "words seen that are in no table");
}

fn register_and_release(post: &Post) {
    let number = post.number.load(Ordering::SeqCst) as usize;
    calls::set_table(window::frame(number), true);
    assert_eq!(traps::look(window::shown(number)), Some(0), "CPU {number} sees its table");
    calls::set_table(window::frame(number), false);
    assert_eq!(traps::look(window::shown(number)), None, "CPU {number} sees it no more");
}

fn all_at_once() {
    let rounds = || cpus().map(|cpu| post(cpu).rounds.load(Ordering::SeqCst)).min();
    cpus().for_each(|cpu| team::give(cpu, Some(register_and_release)));
    let before = rounds();
    for _ in 0..100 {
        calls::set_table(window::frame(0), true);
        calls::set_table(window::frame(0), false);
    }
    assert!(comes(|| rounds() > before.map(|rounds| rounds + 20)), "all CPUs go on");
    cpus().for_each(|cpu| team::give(cpu, None));
    assert!(cpus().all(runs));
}

/// The boot CPU releases a table between any two NMIs, so that both kinds come to each CPU; each NMI is waited for.
fn nmis() {
    for cpu in cpus() {
        for _ in 0..20 {
            let before = traps::nmis();
            calls::set_table(window::frame(0), true);
            apic::nmi(cpu);
            assert!(comes(|| traps::nmis() > before), "CPU {cpu} gets its NMI");
            calls::set_table(window::frame(0), false);
            assert_eq!(traps::nmis(), before + 1, "NMIs on CPU {cpu}");
        }
    }
}

fn exit_by_cpuid(_: &Post) {
    assert!(calls::stub_is_below());
}

/// The exits of another CPU show in what this one is told.
fn counters() {
    let rounds = || post(1).rounds.load(Ordering::SeqCst);
    team::give(1, Some(exit_by_cpuid));
    // From now on each of its rounds exits.
    assert!(runs(1));
    let before = calls::counters().exits;
    let first = rounds();
    assert!(comes(|| rounds() > first + 50));
    team::give(1, None);
    let more = calls::counters().exits - before;
    assert!(more > 50, "{more} exits");
}

fn init_stops() {
    for cpu in cpus() {
        apic::init(cpu);
        pause();
        assert!(stands(cpu), "CPU {cpu} stands after an INIT");
    }
}
