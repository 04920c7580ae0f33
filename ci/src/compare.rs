//! From a request to tables and files: which boots it takes, what they said, what it means.

mod activity;
mod attacks;
mod boots;
mod conformance;
mod costs;
mod csv;
mod document;
mod flips;
mod gather;
mod over_alias;
mod peers;
mod pictures;
mod properties;
mod ratio;
mod report;
mod request;
mod stages;
mod table;
mod targets;
mod two_walks;
mod under_stub;
mod unmeasured;
mod wrong;

pub use activity::{activities_told, watch};
pub use attacks::{attack, attacks_told};
pub use boots::{Measured, measure, name};
pub use conformance::conformance_told;
pub use costs::{Told, costs, costs_told};
pub use document::Document;
pub use flips::flips_told;
pub use gather::{gather, gather_with};
pub use peers::{MeasuredPeer, measure_peer};
pub use properties::properties;
pub use request::{Asked, Request};
pub use table::{costs_table, table, verdict};
pub use targets::targets_told;
pub use two_walks::two_walks_told;
pub use unmeasured::unmeasured_told;
pub use wrong::wrong;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use document::File;

/// Writes every file of a comparison and returns where they are.
pub fn write(document: &Document, directory: &Path) -> Result<Vec<PathBuf>> {
    let pictures = pictures::draw(&document.rows)?;
    let mut files = vec![
        ("compare.json".to_owned(), serde_json::to_string_pretty(&File::from(document))? + "\n"),
        ("compare.csv".to_owned(), csv::csv(document)),
        ("report.html".to_owned(), report::html(document, &pictures)),
    ];
    files.extend(pictures.into_iter().map(|picture| (picture.file, picture.svg)));
    let make = || format!("cannot write to {}", directory.display());
    fs::create_dir_all(directory).with_context(make)?;
    let write = |(name, text): (String, String)| {
        let path = directory.join(name);
        fs::write(&path, text).with_context(make).map(|()| path)
    };
    files.into_iter().map(write).collect()
}
