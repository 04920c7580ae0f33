//! The search: breadth first, so what is found wrong is found by the fewest calls.

use std::collections::{HashSet, VecDeque};
use std::fmt;

use crate::calls::{Call, KINDS, every_call};
use crate::class::Names;
use crate::invariants::broken;
use crate::state::{State, Universe};

/// How much there was.
pub struct Searched {
    pub classes: usize,
    pub states: u64,
    pub calls: u64,
    pub accepted: [u64; KINDS.len()],
    universe: Universe,
}

impl Searched {
    /// Whether each kind of call was accepted somewhere; where there are no roots nothing can be unmapped.
    pub fn accepts_every_kind_of_call(&self) -> bool {
        let kinds = if self.universe.levels > 3 { KINDS.len() } else { KINDS.len() - 1 };
        self.accepted[..kinds].iter().all(|accepted| *accepted > 0)
    }
}

impl fmt::Display for Searched {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { classes, states, calls, .. } = self;
        write!(f, "{states} states in {classes} classes, {calls} calls, of which accepted:")?;
        KINDS.iter().zip(self.accepted).try_for_each(|(kind, number)| write!(f, " {kind} {number}"))
    }
}

/// Comes to every state.
///
/// # Errors
/// The first thing that is wrong.
pub fn search(universe: Universe) -> Result<Searched, String> {
    let mut searched = Searched { classes: 0, states: 1, calls: 0, accepted: [0; _], universe };
    let first = State::new(universe);
    let names = Names::new(universe.frames);
    let mut seen = HashSet::from([names.class(&first).key]);
    let mut waiting = VecDeque::from([first]);
    while let Some(state) = waiting.pop_front() {
        searched.classes += 1;
        for call in every_call(&state) {
            searched.calls += 1;
            let Some(mut next) = follow(&state, call)? else { continue };
            searched.accepted[call.kind()] += 1;
            next.forget_plain();
            let class = names.class(&next);
            if seen.insert(class.key) {
                searched.states += class.states;
                waiting.push_back(next);
            }
        }
    }
    Ok(searched)
}

/// The state after a call; `None` if it was refused.
fn follow(state: &State, call: Call) -> Result<Option<State>, String> {
    let mut next = state.clone();
    let made = call.make(&mut next);
    let wrong = |what: &str| Err(format!("{what} by {call:x?} in {:?}", state.frames));
    match made {
        Err(status) if next != *state => wrong(&format!("{status:?}, but something was changed")),
        Err(_) => Ok(None),
        Ok(()) => match broken(&next) {
            Some(what) => wrong(&what),
            None => Ok(Some(next)),
        },
    }
}
