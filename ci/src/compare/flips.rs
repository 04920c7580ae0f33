//! Where rankings flip: two methods of one machine and path change places as the batch, or the number of
//! sharers, grows.

use std::collections::BTreeMap;

use serde::Serialize;

use super::document::MeasuredRow;

/// Means that differ by less than this part of the smaller one are a draw, in which nobody leads.
const DRAW: f64 = 0.01;

/// What grows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Along {
    /// The batch, at a fixed number of sharers.
    Batch,
    /// The number of sharers, at a fixed batch.
    Sharers,
}

impl Along {
    /// What grows and what stays, of a row.
    fn of(self, row: &MeasuredRow) -> (u32, u32) {
        match self {
            Self::Batch => (row.row.batch, row.row.sharers),
            Self::Sharers => (row.row.sharers, row.row.batch),
        }
    }
}

/// One change of places.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Flip {
    /// The machine.
    pub machine: &'static str,
    /// What ran below the guest, with the rules if they are not the usual ones.
    pub path: String,
    /// What grows.
    pub along: Along,
    /// What stays: sharers where the batch grows, the batch where sharers do.
    pub fixed: u32,
    /// The method that led.
    pub behind: String,
    /// The method that leads from then on.
    pub ahead: String,
    /// The largest size at which the first one led.
    pub before: u32,
    /// The smallest size at which the other one leads.
    pub after: u32,
}

/// What stays along a line: machine, path, and the size that does not grow.
type Place = (&'static str, String, u32);

/// A method's mean ticks per page by the size that grows.
type Line = (String, BTreeMap<u32, f64>);

/// All flips of these rows, place by place.
pub fn flips(rows: &[MeasuredRow]) -> Vec<Flip> {
    let along = |along| {
        lines(rows, along)
            .into_iter()
            .flat_map(move |(place, lines)| in_place(&place, &lines, along))
    };
    along(Along::Batch).chain(along(Along::Sharers)).collect()
}

fn lines(rows: &[MeasuredRow], along: Along) -> BTreeMap<Place, Vec<Line>> {
    let mut places: BTreeMap<Place, Vec<Line>> = BTreeMap::new();
    for row in rows {
        let (size, fixed) = along.of(row);
        let lines = places.entry((row.machine, row.place(), fixed)).or_default();
        let method = row.row.method.as_str();
        let known = lines.iter().position(|(name, _)| name == method);
        let at = known.unwrap_or_else(|| {
            lines.push((method.to_owned(), BTreeMap::new()));
            lines.len() - 1
        });
        lines[at].1.insert(size, row.row.ticks.total.mean);
    }
    places
}

/// The flips of every pair of lines.
fn in_place(place: &Place, lines: &[Line], along: Along) -> Vec<Flip> {
    let pairs = lines
        .iter()
        .enumerate()
        .flat_map(|(at, first)| lines[at + 1..].iter().map(move |second| (first, second)));
    pairs.flat_map(|(first, second)| between(place, first, second, along)).collect()
}

fn between(place: &Place, first: &Line, second: &Line, along: Along) -> Vec<Flip> {
    let leads = first.1.iter().filter_map(|(size, mean)| {
        let first_leads = leads(*mean, *second.1.get(size)?)?;
        Some((*size, first_leads))
    });
    let leads: Vec<(u32, bool)> = leads.collect();
    let changes = leads.windows(2).filter(|pair| pair[0].1 != pair[1].1);
    let flip = |pair: &[(u32, bool)]| {
        let (behind, ahead) = if pair[1].1 { (second, first) } else { (first, second) };
        let (machine, path, fixed) = place.clone();
        let (behind, ahead) = (behind.0.clone(), ahead.0.clone());
        Flip { machine, path, along, fixed, behind, ahead, before: pair[0].0, after: pair[1].0 }
    };
    changes.map(flip).collect()
}

/// Whether the first of two means is the smaller one; `None` in a draw.
fn leads(first: f64, second: f64) -> Option<bool> {
    let apart = (first - second).abs() >= DRAW * first.min(second);
    apart.then_some(first < second)
}

/// Flips in words, a line for each machine, path and pair of methods.
pub fn flips_told(flips: &[Flip]) -> Vec<String> {
    let pairs = grouped(flips, Flip::pair).into_iter();
    let sizes = |flips: Vec<Flip>| {
        let places = grouped(&flips, Flip::sizes).into_iter();
        places.map(|(sizes, at)| sizes + &places_of(&at)).collect::<Vec<_>>().join("; ")
    };
    pairs.map(|(pair, flips)| format!("{pair} {}", sizes(flips))).collect()
}

/// Flips that are called the same, in the order in which each name comes first.
fn grouped(flips: &[Flip], name: impl Fn(&Flip) -> String) -> Vec<(String, Vec<Flip>)> {
    let mut groups: Vec<(String, Vec<Flip>)> = Vec::new();
    for flip in flips {
        let name = name(flip);
        match groups.iter_mut().find(|(known, _)| *known == name) {
            Some((_, group)) => group.push(flip.clone()),
            None => groups.push((name, vec![flip.clone()])),
        }
    }
    groups
}

/// At which sizes, that stay, the flips are.
fn places_of(flips: &[Flip]) -> String {
    flips.iter().map(|flip| flip.fixed.to_string()).collect::<Vec<_>>().join(", ")
}

impl Flip {
    fn pair(&self) -> String {
        let Self { machine, path, behind, ahead, .. } = self;
        format!("{machine} {path}: {ahead} passes {behind}")
    }

    fn sizes(&self) -> String {
        let Self { before, after, .. } = self;
        match self.along {
            Along::Batch => format!("from batch {before} to {after} with sharers "),
            Along::Sharers => format!("from {before} to {after} sharers with batch "),
        }
    }
}
