//! Every call that a guest can make.

use loadphys_abi::Status;
use loadphys_rules::typed::Kind;
use loadphys_rules::{Found, Mapping, Wish};

use crate::state::{FRAME, LARGE, PRESENT, State, UNCACHED, USER, Universe, WRITABLE};

/// A call, with its arguments.
#[derive(Clone, Copy, Debug)]
pub enum Call {
    /// First half of registering a frame.
    Begin { frame: usize, level: u64 },
    /// Second half, with this in its first entries.
    Finish { frame: usize, content: [u64; 2] },
    /// Registering an open table.
    Open { frame: usize, level: u64 },
    /// Releasing a table.
    Release { frame: usize },
    /// A load, exchange or compare-exchange.
    Entry { frame: usize, index: usize, wish: Wish },
    /// Unmapping, with the index of each level, from level 1 up, in one number to the base of how many entries there are.
    Unmap { root: usize, path: usize, frame: usize },
}

/// Kinds of calls.
pub const KINDS: [&str; 6] = ["begin", "finish", "open", "release", "entry", "unmap"];

impl Call {
    /// Its place in [`KINDS`].
    pub fn kind(&self) -> usize {
        match self {
            Self::Begin { .. } => 0,
            Self::Finish { .. } => 1,
            Self::Open { .. } => 2,
            Self::Release { .. } => 3,
            Self::Entry { .. } => 4,
            Self::Unmap { .. } => 5,
        }
    }

    /// Makes the call, with what the stub does of its own: which frames are read-only.
    pub fn make(self, state: &mut State) -> Result<(), Status> {
        match self {
            Self::Begin { frame, level } => {
                let table = state.rules().0.begin_register(address(frame), level)?;
                state.becoming[frame] = Some(table);
                state.read_only[frame] = true;
            }
            Self::Finish { frame, content } => return finish(state, frame, content),
            Self::Open { frame, level } => {
                state.rules().0.open(address(frame), level)?;
            }
            Self::Release { frame } => {
                let (mut rules, memory) = state.rules();
                rules.release(address(frame), memory)?;
                state.read_only[frame] = false;
            }
            Self::Entry { frame, index, wish } => {
                let (mut rules, memory) = state.rules();
                same(rules.perform(address(frame) + 8 * index as u64, wish, memory)?)?;
            }
            Self::Unmap { root, path, frame } => {
                let mapping = mapping(state.universe, root, path, frame);
                let (mut rules, memory) = state.rules();
                same(rules.unmap(mapping, memory)?)?;
            }
        }
        Ok(())
    }
}

/// An entry that differs is no refusal, but nothing may have changed either.
fn same(found: Found) -> Result<(), Status> {
    if found.differs { Err(Status::Differs) } else { Ok(()) }
}

/// A frame that is refused is not as it was before: it is plain again.
fn finish(state: &mut State, frame: usize, content: [u64; 2]) -> Result<(), Status> {
    let Some(table) = state.becoming[frame].take() else { return Err(Status::NotATable) };
    for (index, entry) in content.into_iter().enumerate().take(state.universe.entries) {
        state.write(frame, index, entry);
    }
    let (mut rules, memory) = state.rules();
    if rules.finish_register(table, memory).is_err() {
        state.read_only[frame] = false;
    }
    Ok(())
}

fn address(frame: usize) -> u64 {
    frame as u64 * FRAME
}

fn mapping(universe: Universe, root: usize, mut path: usize, frame: usize) -> Mapping {
    let mut page = 0;
    for level in 0..4 {
        page |= ((path % universe.entries) as u64) << (12 + 9 * level);
        path /= universe.entries;
    }
    Mapping { root: address(root), page, frame: address(frame) }
}

/// Every call there is in a state. Places that are no entries are tried with one entry only.
pub fn every_call(state: &State) -> Vec<Call> {
    let Universe { frames, entries, levels } = state.universe;
    let alphabet = alphabet(frames);
    let mut calls = Vec::new();
    for frame in 0..=frames {
        let on = |level| [Call::Begin { frame, level }, Call::Open { frame, level }];
        calls.extend((0..=levels).flat_map(on));
        calls.push(Call::Release { frame });
        let is_table = matches!(state.kind(frame), Kind::Table(_));
        let values = if is_table { &alphabet[..] } else { &alphabet[..1] };
        for index in 0..entries {
            let wishes = values.iter().flat_map(|value| wishes(state, frame, index, *value));
            let wishes = wishes.chain([Wish::Load]);
            calls.extend(wishes.map(|wish| Call::Entry { frame, index, wish }));
        }
        if let Kind::Becoming(_) = state.kind(frame) {
            let content = contents(state.universe, &alphabet);
            calls.extend(content.map(|content| Call::Finish { frame, content }));
        }
    }
    if levels > 3 {
        let roots = (0..=frames).flat_map(|root| (0..=frames).map(move |frame| (root, frame)));
        let paths = entries.pow(4);
        let unmaps = roots.flat_map(|(root, frame)| {
            (0..paths).map(move |path| Call::Unmap { root, path, frame })
        });
        calls.extend(unmaps);
    }
    calls
}

fn wishes(state: &State, frame: usize, index: usize, new: u64) -> impl Iterator<Item = Wish> {
    let there = state.entry_or_none(frame, index);
    let swap = |expected| Wish::CompareExchange { expected, new };
    [Wish::Exchange(new), swap(there), swap(!there)].into_iter()
}

/// What lies in a frame that becomes a table: each entry alone, each that may be good there twice, and each of these before
/// one that is refused.
fn contents(universe: Universe, alphabet: &[u64]) -> impl Iterator<Item = [u64; 2]> + '_ {
    const REFUSED: u64 = PRESENT | UNCACHED;
    let good = [PRESENT, PRESENT | WRITABLE, PRESENT | USER];
    let good = alphabet.iter().filter(move |entry| good.contains(&(**entry % FRAME)));
    let pairs = good.filter(move |_| universe.entries > 1);
    let pairs = pairs.flat_map(|first| [[*first; 2], [*first, REFUSED]]);
    alphabet.iter().map(|first| [*first, 0]).chain(pairs)
}

/// Entries: empty, and for every frame, one beyond memory too, all rights, and each thing that must not be.
fn alphabet(frames: usize) -> Vec<u64> {
    let flags = [
        PRESENT,
        PRESENT | WRITABLE,
        PRESENT | USER,
        PRESENT | LARGE,
        PRESENT | UNCACHED,
        WRITABLE,
    ];
    let of_frame = |frame| flags.into_iter().map(move |flags| address(frame) | flags);
    [0].into_iter().chain((0..=frames).flat_map(of_frame)).collect()
}
