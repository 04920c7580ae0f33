//! What every method must do on every path, tried before anything is measured with it.
//!
//! Three programs run. The space of the first is loaded, the other two are foreign. The method edits entries of all three at
//! all four levels, and an independent look at the tables, through the kernel's window, shows whether it did what it
//! says. Most edits are of bits that the walker ignores, so programs do not notice; in the end they verify their
//! pages, an audit walks all tables, and nothing is left behind.
//!
//! A check that fails ends the plan. One that this machine gives no way to make says so, and counts as untested.

mod above;
mod contexts;
mod entries;
mod eviction;
mod extent;
mod interrupts;
mod machine_state;
mod nmi;
mod oracle;
mod reference;
mod reuse;
mod stops;
mod trial;

use loadphys_apps::calls::Command;
use loadphys_plan::command_line::MethodName;
use loadphys_plan::records::Struck;
use loadphys_plan::work::PRIVATE_PAGES;

use crate::console::log;
use crate::cpu::set_smap;
use crate::kernel::{Core, Kernel, Tally};
use crate::scene::{Failure, Scene};

pub use extent::Extent;
pub use nmi::{NO_STRIKES, arrives};
pub use reuse::NOBODY;
pub use trial::{FOREIGN, HOME, SPARE_PAGE, Trial};

/// Programs of a trial.
const PROGRAMS: u32 = 3;

/// Pages that they share, if the plan has so many.
const SHARED_PAGES: u32 = 8;

/// What came of a check that did not fail.
enum Outcome {
    /// It passed.
    Passed,
    /// This machine gives no way to make it.
    Untested(&'static str),
}

type Check = fn(&mut Trial<'_>) -> Result<Outcome, Failure>;

/// The checks, by name, in order.
const CHECKS: [(&str, Check); 15] = [
    ("loads", entries::loads),
    ("exchanges", entries::exchanges),
    ("compare-exchanges", entries::compare_exchanges),
    ("long batches", entries::long_batches),
    ("stops", stops::stops),
    ("TLB, loaded space", oracle::loaded),
    ("TLB, foreign space", oracle::foreign),
    ("eviction", eviction::eviction),
    ("frames reused", reuse::reuse),
    ("contexts of programs", contexts::contexts),
    ("NMIs", nmi::nmis),
    ("interrupts", interrupts::interrupts),
    ("twin that lets interrupts in", interrupts::twin),
    // Before tables are built that no program has.
    ("extent", extent::extent),
    ("above 4 GiB", above::above),
];

/// What was found out about a method.
#[derive(Debug, Default)]
pub struct Conformance {
    /// Checks that passed.
    pub passed: u64,
    /// Checks that this machine gives no way to make.
    pub untested: u64,
    /// What it takes of the virtual space, and of each space.
    pub extent: Extent,
    /// Whether it reaches tables above 4 GiB, if there is memory.
    pub above_4gib: Option<bool>,
    /// Whether it withstands NMIs, if some could be sent.
    pub nmi: Option<bool>,
    /// What interrupts found, if some could be sent.
    pub interrupts: Option<Struck>,
    /// Whether a missing flush of the loaded space would have shown.
    pub oracle_sees: bool,
    /// The same of a foreign space that is loaded later.
    pub oracle_sees_foreign: bool,
}

/// Tries the method that is in use, if the plan asks for it.
///
/// # Errors
/// The check that failed, with what was expected and found.
pub fn try_asked(scene: &mut Scene, method: MethodName) -> Result<Option<Conformance>, Failure> {
    if !scene.plan.conformance {
        return Ok(None);
    }
    let found = run(scene, method)?;
    let (sees, above) = (u64::from(found.oracle_sees), u64::from(found.above_4gib.is_some()));
    scene.count_conformance([found.passed, found.untested, sees, 1 - sees, above]);
    Ok(Some(found))
}

fn run(scene: &mut Scene, method: MethodName) -> Result<Conformance, Failure> {
    let pages = share(&scene.kernel, SHARED_PAGES.min(scene.plan.pages));
    scene.start_sharers(PROGRAMS)?;
    scene.tell(Command::Write, 1);
    let mut trial = Trial::new(&mut scene.kernel, method)?;
    // Bochs keeps no translation that was looked up under SMAP for a program's page, and the oracle would be blind there.
    set_smap(false);
    let tried = CHECKS.iter().try_for_each(|(name, check)| one(&mut trial, name, *check));
    set_smap(true);
    let found = trial.found;
    tried?;
    programs_verify(scene)?;
    scene.audit()?;
    scene.clear()?;
    extent::nothing_is_left(&mut scene.kernel).map_err(|why| failed(method, "end", &why))?;
    share(&scene.kernel, pages);
    scene.kernel.core().tally = Tally::default();
    Ok(found)
}

/// Programs share so many pages from now on; gives how many it was before.
fn share(kernel: &Kernel, pages: u32) -> u32 {
    core::mem::replace(&mut kernel.core().shared_pages, pages)
}

fn one(trial: &mut Trial<'_>, name: &str, check: Check) -> Result<(), Failure> {
    let method = trial.method;
    match check(trial).map_err(|why| failed(method, name, &why))? {
        Outcome::Passed => trial.found.passed += 1,
        Outcome::Untested(why) => {
            log!("conformance of {method}: {name} untested: {why}");
            trial.found.untested += 1;
        }
    }
    Ok(())
}

fn failed(method: MethodName, name: &str, why: &Failure) -> Failure {
    Failure::new(format_args!("conformance of {method}, {name}: {why}"))
}

/// Every program finds in every page what was written.
fn programs_verify(scene: &mut Scene) -> Result<(), Failure> {
    scene.tell(Command::Verify, 1);
    let Core { tally, shared_pages, .. } = *scene.kernel.core();
    let wanted = u64::from(PROGRAMS) * (u64::from(shared_pages) + PRIVATE_PAGES);
    if (tally.verified, tally.lost, tally.ended) == (wanted, 0, 0) {
        return Ok(());
    }
    let Tally { verified, lost, ended, .. } = tally;
    Err(Failure::new(format_args!(
        "after the conformance checks {verified} of {wanted} pages verified, {lost} lost, {ended} programs ended"
    )))
}
