//! What holds in every state.

use loadphys_rules::Level;
use loadphys_rules::typed::Kind;

use crate::state::{FRAME, LARGE, PRESENT, State, USER, WRITABLE};

/// Says what does not hold.
pub fn broken(state: &State) -> Option<String> {
    let frames = 0..state.universe.frames;
    let entries = frames.clone().flat_map(|frame| entries(state, frame));
    let bad_entry = entries.filter_map(|(level, entry)| bad_entry(state, level, entry)).next();
    let bad_frame = || frames.clone().find_map(|frame| bad_frame(state, frame));
    bad_entry.or_else(bad_frame)
}

/// The entries of checked tables: level of the table, entry.
fn entries(state: &State, frame: usize) -> impl Iterator<Item = (Level, u64)> {
    let level = match state.kind(frame) {
        Kind::Table(level) => Some(level),
        _ => None,
    };
    let all = (0..state.universe.entries).map(move |index| state.entry(frame, index));
    all.filter_map(move |entry| Some((level?, entry)))
}

/// No table maps a table writable or what is the stub's; every link leads one level down; nothing names memory that is not
/// present.
fn bad_entry(state: &State, level: Level, entry: u64) -> Option<String> {
    let kind = state.kind((entry / FRAME) as usize);
    let has = |flag| entry & flag != 0;
    let good = match level.below() {
        _ if !has(PRESENT) => entry == 0 || entry / FRAME >= state.universe.frames as u64,
        _ if kind == Kind::Outside => false,
        None => !has(WRITABLE) || kind == Kind::Plain,
        Some(_) if has(LARGE) => false,
        Some(below) => kind == Kind::Table(below) || kind == Kind::Open(below) && !has(USER),
    };
    (!good).then(|| format!("a table of {level:?} holds {entry:#x}, which leads to {kind:?}"))
}

/// Counts are what a recount finds, and what calls rely on is read-only.
fn bad_frame(state: &State, frame: usize) -> Option<String> {
    let kind = state.kind(frame);
    let relied_on = (0..state.universe.frames).flat_map(|table| entries(state, table));
    let relied_on = relied_on.filter(|(level, entry)| {
        let counts = level.number() > 1 || entry & WRITABLE != 0;
        entry & PRESENT != 0 && counts && entry / FRAME == frame as u64
    });
    let (recount, count) = (relied_on.count(), state.frames[frame].count());
    let fixed = matches!(kind, Kind::Table(_) | Kind::Becoming(_));
    if recount != count as usize {
        Some(format!("frame {frame} counts {count}, and {recount} entries rely on it"))
    } else if fixed != state.read_only[frame] {
        Some(format!("frame {frame} is {kind:?}, read-only: {}", state.read_only[frame]))
    } else {
        None
    }
}
