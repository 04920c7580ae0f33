//! Every state of small machines under the typed rules, and every call in each of them.
//!
//! A machine here has a frame of the stub's and a few of the guest's, tables of a few levels with one or two entries, and
//! entries of the bits that matter. The search begins with plain memory, makes every call in every state it comes to, and
//! looks at what came of it: [`invariants`] hold, a refused call has changed nothing. What lies in plain memory is no part
//! of a state: when a frame becomes a table, every entry is tried in it, alone, and those that
//! may be good twice and before one that is refused.
//!
//! Broken twins of the rules (feature `twins`) must be found out.
#![cfg(not(miri))]

mod calls;
mod class;
mod invariants;
mod search;
mod state;

use search::search;
use state::Universe;

/// Five frames of the guest's with one entry each, enough for a whole walk.
const DEEP: Universe = Universe { frames: 6, entries: 1, levels: 4 };

/// Four frames of the guest's with two entries each, so that entries of one table meet.
const WIDE: Universe = Universe { frames: 5, entries: 2, levels: 2 };

/// Comes to every state of a machine, with nothing wrong on the way.
fn holds(universe: Universe) {
    let found = search(universe).unwrap_or_else(|wrong| panic!("{universe:?}: {wrong}"));
    println!("{universe:?}: {found}");
    assert!(found.accepts_every_kind_of_call(), "{found}");
}

#[test]
fn no_call_breaks_an_invariant_of_the_deep_machine() {
    holds(DEEP);
}

#[test]
fn no_call_breaks_an_invariant_of_the_wide_machine() {
    holds(WIDE);
}

/// A check that is left out is missed.
#[cfg(feature = "twins")]
#[test]
fn every_twin_is_found_out() {
    use loadphys_rules::{Twin, choose};

    for twin in Twin::OF_STATES {
        choose(Some(*twin));
        let wrong = [WIDE, DEEP].into_iter().find_map(|universe| search(universe).err());
        choose(None);
        println!("{twin:?}: {}", wrong.unwrap_or_else(|| panic!("{twin:?} went unnoticed")));
    }
}
