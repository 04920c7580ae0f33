//! `report.html`: one file, with everything in it.

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::activity::activities_told;
use super::attacks::{KEY, Matrix, TITLE, headings as attack_headings};
use super::conformance::conformance_told;
use super::costs::{costs, costs_told};
use super::document::Document;
use super::flips::flips_told;
use super::pictures::Picture;
use super::properties::{HEADINGS, cells};
use super::table::{NAMES, headings, lines, verdict};
use super::targets::{self, cells as target_cells};
use super::two_walks::two_walks_told;
use super::unmeasured::unmeasured_told;

/// The page.
pub fn html(document: &Document, pictures: &[Picture]) -> String {
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                title { "loadphys: what eviction costs" }
                style { (PreEscaped(STYLE)) }
            }
            body {
                h1 { "loadphys: what eviction costs" }
                p {
                    "Revision " code { (document.revision) } ", seed " (document.seed)
                    ", guest " code { (document.guest.sha256) } ", the same file on every path."
                }
                (wrong(document))
                (machines(document))
                @for picture in pictures { figure { (PreEscaped(&picture.svg)) figcaption { (picture.title) } } }
                (rows(document))
                (flips(document))
                (properties(document))
                (attacks(document))
                (skipped(document))
                (projected(document))
            }
        }
    };
    page.into_string()
}

const STYLE: &str = "body{font-family:sans-serif;margin:2em auto;max-width:75em}\
    table{border-collapse:collapse;margin:1em 0}th,td{padding:.2em .6em;border-bottom:1px solid #ccc}\
    td.figure{text-align:right;font-variant-numeric:tabular-nums}.wrong{color:#a00}\
    figure{margin:1em 0}svg{max-width:100%;height:auto}";

fn wrong(document: &Document) -> Markup {
    html! {
        @if !document.wrong.is_empty() {
            h2.wrong { "Wrong" }
            ul.wrong { @for line in &document.wrong { li { (line) } } }
        }
    }
}

fn machines(document: &Document) -> Markup {
    html! {
        h2 { "Machines" }
        p { "A tick is one step of the time stamp counter. Where that is an instruction, it is a count of work, not a time." }
        table {
            tr { @for heading in ["machine", "version", "CPU", "a tick is", "CPUs", "MiB"] { th { (heading) } } }
            @for it in &document.machines {
                tr {
                    td { (it.id) } td { (it.version) } td { (it.cpu) }
                    td { "one " (it.tick) } td.figure { (it.cpus) } td.figure { (it.memory_mib) }
                }
            }
        }
    }
}

fn rows(document: &Document) -> Markup {
    html! {
        h2 { "Rows" }
        p {
            "Ticks per page: median, 99th percentile and mean of all stages, then the mean of each stage; "
            "events per page; mean against " code { "recursive" } " (* measured on bare metal)."
        }
        table {
            tr { @for heading in headings(document) { th { (heading) } } }
            @for line in lines(document) {
                tr { @for (column, text) in line.iter().enumerate() { td.figure[column >= NAMES.len()] { (text) } } }
            }
        }
        p { (verdict(document)) "." }
        @for line in two_walks_told(document) { p { (line) "." } }
        (targets(document))
    }
}

fn targets(document: &Document) -> Markup {
    html! {
        h2 { "Targets" }
        @if !document.targets.is_empty() {
            p {
                "Instructions per page, mean, with batches of 32, where a line does not say otherwise. Under the stub: the row of the method "
                "that differs most from bare metal on the same machine."
            }
            table {
                tr { @for heading in targets::HEADINGS { th { (heading) } } }
                @for target in &document.targets { tr { @for text in target_cells(target) { td { (text) } } } }
            }
        }
        @for line in activities_told(&document.activities) { p { (line) "." } }
        @for line in unmeasured_told(&document.unmeasured) { p { (line) "." } }
    }
}

fn flips(document: &Document) -> Markup {
    html! {
        @if !document.flips.is_empty() {
            h2 { "Where rankings flip" }
            ul { @for line in flips_told(&document.flips) { li { (line) } } }
        }
    }
}

fn properties(document: &Document) -> Markup {
    html! {
        h2 { "What the methods need" }
        table {
            tr {
                @for heading in HEADINGS { th { (heading) } }
            }
            @for it in &document.properties {
                tr { @for cell in cells(it) { td { (cell) } } }
            }
        }
        ul { @for line in conformance_told(document) { li { (line) } } }
    }
}

fn attacks(document: &Document) -> Markup {
    let matrix = Matrix::of(&document.attacks);
    html! {
        @if !document.attacks.is_empty() {
            h2 { (TITLE) }
            p { (KEY) }
            table {
                tr { @for heading in attack_headings(&matrix, "-") { th { (heading) } } }
                @for (names, cells) in &matrix.lines {
                    tr { @for text in names.iter().chain(cells) { td { (text) } } }
                }
            }
            ol { @for note in &matrix.notes { li { (note) } } }
            ul { @for line in &matrix.untried { li { (line) } } }
        }
    }
}

fn skipped(document: &Document) -> Markup {
    html! {
        @if !document.skipped.is_empty() {
            h2 { "Skipped" }
            ul {
                @for row in &document.skipped {
                    li { (row.skipped.method) " on " (row.skipped.path) " (" (row.machine) "): " (row.skipped.reason) }
                }
            }
        }
    }
}

/// Last, away from what was measured.
fn projected(document: &Document) -> Markup {
    let told = costs_told(&costs(document));
    html! {
        h2 { "Projection: what this would cost on hardware" }
        p { strong { "None of this was measured." } " Cells are " (told.title) "." }
        table {
            tr { @for heading in &told.headings { th { (heading) } } }
            @for line in &told.lines {
                tr { @for (column, text) in line.iter().enumerate() { td.figure[column >= NAMES.len()] { (text) } } }
            }
        }
        ul { @for note in &told.notes { li { (note) } } }
    }
}
