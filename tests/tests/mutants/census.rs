//! Who asks for flushes while everything is in order.

use std::collections::{BTreeMap, BTreeSet};
use std::thread;

use loadphys_tests::flushes::{Flushing, Site};
use loadphys_tests::scenario::methods;

use crate::{sources, work};

/// What the work of the mutants shows under each method when nothing is left out.
pub type Census = BTreeMap<&'static str, Life>;

/// Under one method.
#[derive(Default)]
pub struct Life {
    /// Who asked for flushes.
    pub sites: BTreeSet<Site>,
    /// The first thing that went wrong.
    pub wrong: Option<String>,
}

/// Runs all work of all methods.
pub fn take() -> Census {
    thread::scope(|scope| {
        let lives: Vec<_> =
            methods().iter().map(|method| (*method, scope.spawn(move || life(method)))).collect();
        let joined =
            |life: thread::ScopedJoinHandle<'_, Life>| life.join().unwrap_or_else(|_| stopped());
        lives.into_iter().map(|(method, life)| (method, joined(life))).collect()
    })
}

/// Of a method under which the census itself came to a halt.
fn stopped() -> Life {
    Life { wrong: Some("the census stopped by an assertion".into()), ..Life::default() }
}

fn life(method: &'static str) -> Life {
    let mut life = Life::default();
    for seed in 0..work::SEEDS {
        for (work, outcome) in work::outcomes(method, Flushing::Listed, seed) {
            life.sites.extend(outcome.iter().flat_map(|outcome| &outcome.sites));
            let wrong = work::wrong_in(outcome.as_ref());
            life.wrong = life.wrong.or(wrong.map(|wrong| format!("{work}, seed {seed}: {wrong}")));
        }
    }
    life
}

/// What asks for a flush in the sources must have asked for one under some method, and the other way round.
pub fn every_flush_is_reached(census: &Census) -> Result<(), String> {
    let asked = census.values().flat_map(|life| &life.sites);
    let asked: BTreeSet<_> =
        asked.filter(|site| sources::are_read(site.file)).map(place_of).collect();
    let written = sources::flushes()?;
    let unreached = written.difference(&asked).map(|place| format!("{place} is never reached"));
    let unread = asked.difference(&written).map(|place| format!("{place} is not known to flush"));
    match unreached.chain(unread).collect::<Vec<_>>() {
        wrong if wrong.is_empty() => Ok(()),
        wrong => Err(wrong.join("\n")),
    }
}

fn place_of(site: &Site) -> String {
    format!("{}:{}", site.file, site.line)
}
