//! For each flush in the code there is a mutant without it, and each mutant must be caught: by the model, by
//! a program that reads what nobody wrote, or by the audit.
//!
//! Which flushes there are is found by running: `foreign_access`, `page_reclaim` and the kernel of the model say where they
//! ask for one ([`loadphys_tests::flushes`]). That none was overlooked is found by reading the sources. A mutant is a
//! test with a name: `cargo test -p loadphys-tests --test mutants -- --list` names all, and a name or a part of one runs
//! some.
//!
//! Where something else does for a flush under a method, no mutant can be caught. Those stand in a list, each with the
//! reason; one that is caught after all fails.

mod census;
mod sources;
mod work;

use std::collections::BTreeSet;
use std::process::ExitCode;
use std::sync::{Arc, Mutex};

use libtest_mimic::{Arguments, Failed, Trial};
use loadphys_tests::flushes::{Flushing, Kind, Site};

use census::Census;

/// Builds in which a flush is missing already.
const BROKEN: bool = cfg!(any(feature = "broken-skip-flush", feature = "broken-free-before-flush"));

/// What is not needed under a method where it stands in this file, and why.
const NOT_NEEDED: [(&str, &str, Kind, &str); 3] = [
    ("alias", "", Kind::KernelLoad, HIDDEN),
    ("alias", "evacuate/tables.rs", Kind::Flush, HIDDEN_BEFORE),
    ("root-array", "evacuate/roots.rs", Kind::LetGo, BELOW),
];
const HIDDEN: &str =
    "when the space before releases its tables, the INVEPT that hides them makes every CPU forget";
const HIDDEN_BEFORE: &str = "when the table is released before its frame is used, the INVEPT that hides it makes every CPU forget";
const BELOW: &str = "its slot leads to tables below a root, never to a root";

/// What became of the mutants: a line for each that was caught, how many there were, and those that do no harm.
#[derive(Default)]
struct Tally {
    killed: BTreeSet<String>,
    tried: usize,
    harmless: BTreeSet<String>,
}

fn main() -> ExitCode {
    if BROKEN {
        println!("mutants of a broken build prove nothing; tests/broken.rs is for those");
        return ExitCode::SUCCESS;
    }
    let arguments = Arguments::from_args();
    // Mutants may stop by an assertion too; what fails is printed at the end.
    std::panic::set_hook(Box::new(|_| {}));
    let tally = Arc::new(Mutex::new(Tally::default()));
    let trials = trials(&Arc::new(census::take()), &tally);
    let conclusion = libtest_mimic::run(&arguments, trials);
    if let Ok(tally) = tally.lock() {
        tally.killed.iter().chain(&tally.harmless).for_each(|line| println!("{line}"));
        if tally.tried > 0 {
            println!("flush mutants: {} of {} killed", tally.killed.len(), tally.tried);
        }
    }
    conclusion.exit_code()
}

fn trials(census: &Arc<Census>, tally: &Arc<Mutex<Tally>>) -> Vec<Trial> {
    let mut trials = vec![trial("every flush in the code is reached", census, |census| {
        census::every_flush_is_reached(census)
    })];
    for (method, life) in census.iter() {
        let method = *method;
        trials.push(trial(&format!("{method}/nothing is left out"), census, move |census| {
            census[method].wrong.clone().map_or(Ok(()), Err)
        }));
        trials.extend(life.sites.iter().map(|site| mutant(method, *site, tally)));
    }
    trials
}

fn trial(
    name: &str,
    census: &Arc<Census>,
    run: impl Fn(&Census) -> Result<(), String> + Send + 'static,
) -> Trial {
    let census = Arc::clone(census);
    Trial::test(name, move || run(&census).map_err(Failed::from))
}

fn mutant(method: &'static str, site: Site, tally: &Arc<Mutex<Tally>>) -> Trial {
    let tally = Arc::clone(tally);
    let name = format!("{method}/{}:{}/{}", site.file, site.line, site.kind.name());
    let why = NOT_NEEDED.iter().find(|(under, file, kind, _)| {
        (*under, *kind) == (method, site.kind) && site.file.ends_with(file)
    });
    Trial::test(name, move || {
        let caught = (0..work::SEEDS)
            .filter_map(|seed| work::caught(method, Flushing::Without(site), seed))
            .collect::<Vec<_>>();
        let mut tally = tally.lock().map_err(|_| Failed::without_message())?;
        tally.add(method, site, &caught, why.map(|(.., why)| *why)).map_err(Failed::from)
    })
}

impl Tally {
    /// Takes note of what was caught of a mutant, which must be something, unless there is a reason why nothing is.
    fn add(
        &mut self,
        method: &str,
        site: Site,
        caught: &[String],
        not_needed: Option<&str>,
    ) -> Result<(), String> {
        let (count, of) = (caught.len(), work::SEEDS);
        self.tried += usize::from(not_needed.is_none());
        match (caught.first(), not_needed) {
            (Some(first), None) => self.killed.insert(format!(
                "killed: {site} under {method}: caught with {count} of {of} seeds, first: {first}"
            )),
            (None, Some(why)) => {
                self.harmless.insert(format!("not needed: {site} under {method}: {why}"))
            }
            (Some(first), Some(why)) => return Err(format!("{first}, though {why}")),
            (None, None) => return Err(format!("survives {of} seeds")),
        };
        Ok(())
    }
}
