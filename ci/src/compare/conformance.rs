//! What the guest tried of each method before it was measured.

use std::collections::BTreeSet;

use loadphys_plan::records::{Property, Record, Struck, counts};

use super::Measured;
use super::document::{Document, MeasuredProperty};

/// What is wrong with the conformance of the methods of a comparison: each that has a row must have passed some checks, and all
/// must have been asked the same. How many that is the guest knows, and nobody here.
pub fn faults(boots: &[Measured], document: &Document) -> Vec<String> {
    let mut lines: Vec<String> =
        boots.iter().filter(|boot| boot.report.verdict().is_ok()).flat_map(unasked).collect();
    let asked: BTreeSet<u64> =
        properties(document).map(|it| it.conformance + it.untested).collect();
    if asked.len() > 1 {
        lines
            .push(format!("methods were asked different numbers of conformance checks: {asked:?}"));
    }
    lines
}

fn properties(document: &Document) -> impl Iterator<Item = &Property> {
    document.properties.iter().map(|measured| &measured.property)
}

/// Methods with rows and without checks on a boot, and checks that are not those of its methods.
fn unasked(boot: &Measured) -> Vec<String> {
    let Measured { report, .. } = boot;
    let name = boot.name();
    let checked = |method: &str| {
        let of = |record: &Record| match record {
            Record::Property(it) if it.method == method => it.conformance,
            _ => 0,
        };
        report.records.iter().map(of).sum::<u64>()
    };
    let methods: BTreeSet<&str> = report.records.iter().filter_map(measured_method).collect();
    let unchecked = methods.iter().filter(|method| checked(method) == 0);
    let mut lines: Vec<String> =
        unchecked.map(|method| format!("{name}: {method} passed no conformance check")).collect();
    let (sum, total) =
        (methods.iter().map(|it| checked(it)).sum::<u64>(), report.count(counts::CONFORMANCE));
    if total != Some(sum) {
        let total = total.map_or("no count of".to_owned(), |total| total.to_string());
        lines.push(format!("{name}: {total} conformance checks, {sum} of its methods"));
    }
    lines
}

fn measured_method(record: &Record) -> Option<&str> {
    match record {
        Record::Row(row) => Some(&row.method),
        _ => None,
    }
}

/// What the checks showed, a line each, for people.
pub fn conformance_told(document: &Document) -> Vec<String> {
    let Some(first) = properties(document).next() else { return Vec::new() };
    let untested = properties(document).map(|it| it.untested).sum::<u64>();
    let mut lines = vec![format!(
        "conformance: {} checks of each method on each path before it was measured; {untested} could not be made here",
        first.conformance + first.untested
    )];
    let blind = |sees: fn(&Property) -> bool| names(document, |it| !sees(it));
    lines.push(format!(
        "TLB oracle: a flush left out would show, but not (all is forgotten anyway) under: {}; that of a space that is loaded \
         later not under: {}",
        blind(|it| it.oracle_sees),
        blind(|it| it.oracle_sees_foreign)
    ));
    let struck: Vec<String> = document.properties.iter().filter_map(struck).collect();
    if !struck.is_empty() {
        lines.push(WHY.to_owned());
    }
    lines.extend(struck);
    lines
}

/// What an interrupt would do.
const WHY: &str = "interrupts: a scheduler that switches programs while a foreign root is loaded comes back to the root that it \
    believes loaded, and the method goes on in the wrong space; so they are off meanwhile, and wait";

/// Where methods are for which something holds.
fn names(document: &Document, holds: impl Fn(&Property) -> bool) -> String {
    let mut places: Vec<String> = Vec::new();
    let boot = |it: &MeasuredProperty| (it.place(), it.machine);
    let boots: BTreeSet<_> = document.properties.iter().map(boot).collect();
    for (path, machine) in boots {
        let here = |it: &&MeasuredProperty| (it.place(), it.machine) == (path.clone(), machine);
        let all: Vec<_> = document.properties.iter().filter(here).collect();
        let some: Vec<&str> = all
            .iter()
            .filter(|it| holds(&it.property))
            .map(|it| it.property.method.as_str())
            .collect();
        match some.len() {
            0 => {}
            count if count == all.len() => places.push(format!("all on {path}")),
            _ => places.push(format!("{} on {path}", some.join(", "))),
        }
    }
    if places.is_empty() { "none".into() } else { places.join(" and ") }
}

/// How interrupts fared that had to wait.
fn struck(measured: &MeasuredProperty) -> Option<String> {
    let MeasuredProperty { machine, property, .. } = measured;
    let Struck { held, in_foreign_root, twin_in_foreign_root, twin_in_wrong_space, .. } =
        property.interrupts.filter(|struck| struck.held > 0)?;
    let twin = match twin_in_foreign_root {
        0 => String::new(),
        struck => format!(
            "; in a twin that lets them in {struck} struck there, and preempted there it took {twin_in_wrong_space} entries \
             from the wrong space"
        ),
    };
    let (method, path) = (&property.method, measured.place());
    Some(format!(
        "{method} on {path} ({machine}): {held} interrupts had to wait, {in_foreign_root} struck in a foreign root{twin}"
    ))
}
