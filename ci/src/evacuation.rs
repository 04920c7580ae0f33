//! What evacuations came to, as people read it.

use comfy_table::presets::ASCII_MARKDOWN;
use comfy_table::{Cell, CellAlignment, Table};
use loadphys_plan::command_line::{MemoryRange, MethodName};
use loadphys_plan::records::{Evacuation, Record, Skipped};

use crate::boot::Report;
use crate::machines::MachineName;

const NAMES: [&str; 4] = ["machine", "path", "method", "range"];

const FIGURES: [&str; 11] = [
    "frames",
    "pages",
    "tables",
    "roots",
    "entries",
    "p50",
    "p99",
    "mean",
    "waited",
    "looked at",
    "mapped",
];

/// A row for each evacuation.
pub fn table(reports: &[(MachineName, Report)]) -> Table {
    let mut table = Table::new();
    table.load_style(ASCII_MARKDOWN);
    table.set_header(NAMES.iter().chain(&FIGURES));
    for (machine, report) in reports {
        for done in evacuations(report) {
            let names = names(*machine, done).map(Cell::new);
            let right = |figure| Cell::new(figure).set_alignment(CellAlignment::Right);
            table.add_row(names.into_iter().chain(figures(done).map(right)));
        }
    }
    table
}

fn names(machine: MachineName, done: &Evacuation) -> [String; 4] {
    let range = MemoryRange { start: done.start, end: done.end };
    [machine.to_string(), done.path.to_string(), done.method.to_string(), range.to_string()]
}

fn figures(done: &Evacuation) -> [String; 11] {
    let whole = |figure: f64| format!("{figure:.0}");
    [
        done.frames.to_string(),
        done.pages.to_string(),
        done.tables.to_string(),
        done.roots.to_string(),
        done.entries.to_string(),
        whole(done.ticks.p50),
        whole(done.ticks.p99),
        whole(done.ticks.mean),
        done.batch_max.to_string(),
        done.checked.to_string(),
        done.kernel_maps.to_string(),
    ]
}

/// What all came to, in words.
pub fn verdict(reports: &[(MachineName, Report)]) -> String {
    let all: Vec<_> = reports.iter().flat_map(|(_, report)| evacuations(report)).collect();
    let sum = |figure: fn(&Evacuation) -> u64| all.iter().map(|done| figure(done)).sum::<u64>();
    let moved = sum(|done| (done.pages + done.tables + done.roots).into());
    let (verified, lost) = (sum(|done| done.verified), sum(|done| done.lost));
    format!(
        "{} evacuations, {moved} frames moved, {verified} pages verified, {lost} lost",
        all.len()
    )
}

/// What could not be had.
pub fn skipped(report: &Report) -> impl Iterator<Item = &Skipped> {
    report.records.iter().filter_map(|record| match record {
        Record::Skipped(skipped) => Some(skipped),
        _ => None,
    })
}

/// What is wrong with the evacuations of a boot that found nothing wrong itself.
pub fn wrong(report: &Report) -> Option<String> {
    if evacuations(report).next().is_none() {
        return Some("no method evacuated anything".into());
    }
    evacuations(report).find_map(|done| {
        let Evacuation { method, pages, tables, roots, .. } = done;
        let maps_all = *method == MethodName::DirectMap.name();
        match () {
            () if 0 == (*pages).min(*tables).min(*roots) => {
                Some(format!("{method}: {pages} pages, {tables} tables and {roots} roots moved"))
            }
            () if done.lost > 0 => Some(format!("{method}: {} pages lost", done.lost)),
            () if done.verified == 0 => Some(format!("{method}: no page was verified")),
            () if done.kernel_maps > 0 && !maps_all => {
                Some(format!("{method}: the kernel still maps {} frames", done.kernel_maps))
            }
            () => None,
        }
    })
}

fn evacuations(report: &Report) -> impl Iterator<Item = &Evacuation> {
    report.records.iter().filter_map(|record| match record {
        Record::Evacuation(done) => Some(done),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use loadphys_plan::records::{Evacuation, Record, Ticks};

    use super::wrong;
    use crate::boot::{Ending, Report};

    fn report(change: impl FnOnce(&mut Evacuation)) -> Report {
        let name = |text: &str| text.try_into().expect("it is short");
        let mut done = Evacuation {
            path: name("bare"),
            method: name("recursive"),
            start: 0x1000,
            end: 0xb000,
            frames: 10,
            free: 1,
            pages: 6,
            tables: 2,
            roots: 1,
            entries: 8,
            ticks: Ticks::default(),
            batch_max: 1,
            kernel_maps: 0,
            checked: 1,
            preemptions: 1,
            verified: 6,
            lost: 0,
        };
        change(&mut done);
        let records = vec![Record::Evacuation(done)];
        Report {
            lines: Vec::new(),
            records,
            ending: Ending::ByItself(Some(0)),
            elapsed: Duration::ZERO,
        }
    }

    #[test]
    fn an_evacuation_must_move_frames_of_every_kind_and_lose_nothing() {
        assert_eq!(wrong(&report(|_| ())), None);
        assert!(wrong(&report(|done| done.pages = 0)).is_some());
        assert!(wrong(&report(|done| done.tables = 0)).is_some());
        assert!(wrong(&report(|done| done.roots = 0)).is_some());
        assert!(wrong(&report(|done| done.lost = 1)).is_some());
        assert!(wrong(&report(|done| done.verified = 0)).is_some());
        assert!(wrong(&report(|done| done.kernel_maps = 1)).is_some());
        let mut nothing = report(|_| ());
        nothing.records.clear();
        assert!(wrong(&nothing).is_some());
    }

    #[test]
    fn a_map_of_all_memory_leads_to_the_range_all_the_same() {
        let maps_all = |done: &mut Evacuation| {
            done.method = "direct-map".try_into().expect("it is short");
            done.kernel_maps = 10;
        };
        assert_eq!(wrong(&report(maps_all)), None);
    }
}
