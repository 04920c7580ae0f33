//! Which states are the same but for names: the rules know no difference between two frames of the guest's, or two
//! entries of a table, so a search that has seen one of such states has seen all.

use std::cmp::Ordering;

use loadphys_rules::typed::Kind;

use crate::state::{FRAME, MOST_FRAMES, PRESENT, State, USER, WRITABLE, what_matters};

/// Frames, each with what it is and its entries, packed into 16 bits: two for the kind, three for the level, four for each
/// entry.
type Key = u128;

/// Renamings of the frames of the guest's.
pub struct Names(Vec<Vec<usize>>);

/// A class of states.
pub struct Class {
    /// What names it: the least key of its states.
    pub key: Key,
    /// How many states it has, not counting the order of entries.
    pub states: u64,
}

impl Names {
    /// All renamings of so many frames, of which the first keeps its name.
    pub fn new(frames: usize) -> Self {
        let mut all = vec![vec![0]];
        for next in 1..frames {
            let longer = |names: Vec<usize>| {
                (1..=names.len()).map(move |at| {
                    let mut names = names.clone();
                    names.insert(at, next);
                    names
                })
            };
            all = all.into_iter().flat_map(longer).collect();
        }
        Self(all)
    }

    /// The class of a state. Counts follow from the rest, or an invariant is broken.
    pub fn class(&self, state: &State) -> Class {
        let frames: [_; MOST_FRAMES] = core::array::from_fn(|frame| Shape::of(state, frame));
        let frames = &frames[1..state.universe.frames];
        let (mut least, mut same) = (Key::MAX, 0);
        for key in self.0.iter().map(|names| key(frames, names)) {
            match key.cmp(&least) {
                Ordering::Less => (least, same) = (key, 1),
                Ordering::Equal => same += 1,
                Ordering::Greater => {}
            }
        }
        Class { key: least, states: (self.0.len() / same) as u64 }
    }
}

/// A frame without its name.
struct Shape {
    kind: u16,
    entries: [Option<(usize, u16)>; 2],
}

impl Shape {
    fn of(state: &State, frame: usize) -> Self {
        let (what, level) = match state.kind(frame) {
            Kind::Plain | Kind::Outside => (0, 0),
            Kind::Becoming(level) => (1, level.number()),
            Kind::Open(level) => (2, level.number()),
            Kind::Table(level) => (3, level.number()),
        };
        let mut entries = [None; 2];
        for (index, place) in entries.iter_mut().enumerate().take(state.universe.entries) {
            let kept = what_matters(state.entry(frame, index), level);
            let flagged = u16::from(kept & (WRITABLE | USER) != 0);
            *place =
                (what == 3 && kept & PRESENT != 0).then_some(((kept / FRAME) as usize, flagged));
        }
        Self { kind: what << 3 | u16::from(level), entries }
    }
}

fn key(frames: &[Shape], names: &[usize]) -> Key {
    let renamed = |shape: &Shape| {
        let code = |entry: Option<(usize, u16)>| {
            entry.map_or(0, |(frame, flagged)| names[frame] as u16 * 2 + flagged)
        };
        let [a, b] = shape.entries.map(code);
        shape.kind << 8 | a.max(b) << 4 | a.min(b)
    };
    let placed = frames.iter().zip(&names[1..]);
    placed.fold(0, |key, (shape, name)| key | u128::from(renamed(shape)) << (16 * name))
}
