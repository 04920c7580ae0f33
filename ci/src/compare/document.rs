//! `compare.json`.

use loadphys_plan::command_line::Rules;
use loadphys_plan::records::{NO_RULES, Property, Row, Skipped};
use serde::Serialize;
use serde_json::{Map, Value};

use super::activity::MeasuredActivity;
use super::attacks::MeasuredAttack;
use super::costs::{Costs, costs};
use super::flips::Flip;
use super::peers::PeerRow;
use super::targets::Target;
use super::unmeasured::Unmeasured;

/// The name and version of the format.
pub const SCHEMA: &str = "loadphys.compare/1";

/// All that is known after a comparison.
#[derive(Clone, Debug, Serialize)]
pub struct Document {
    /// The name and version of the format.
    pub schema: &'static str,
    /// The git id of the sources.
    pub revision: String,
    /// Where patterns and orders began.
    pub seed: u64,
    /// The guest that ran, the same file on all paths.
    pub guest: Program,
    /// What it ran on.
    pub machines: Vec<Machine>,
    /// What was measured of our kernel; in the file the peers' rows follow.
    #[serde(skip)]
    pub rows: Vec<MeasuredRow>,
    /// What was measured of other kernels.
    #[serde(skip)]
    pub peers: Vec<PeerRow>,
    /// What eviction is to cost at most, and whether it does.
    pub targets: Vec<Target>,
    /// Of which targets rows show nothing, and why.
    pub unmeasured: Vec<Unmeasured>,
    /// Pages that programs checked after they came back, each sharer's view of a page for itself.
    pub verified: u64,
    /// Pages with wrong contents.
    pub lost: u64,
    /// Audits that found tables and reverse map equal.
    pub audits: u64,
    /// Conformance checks that methods passed before they were measured.
    pub conformance: u64,
    /// Where two methods change places.
    pub flips: Vec<Flip>,
    /// What methods need.
    pub properties: Vec<MeasuredProperty>,
    /// What came of attacks on tables, if methods were attacked.
    pub attacks: Vec<MeasuredAttack>,
    /// How often the stub was entered while the guest called nobody, if that was counted.
    pub activities: Vec<MeasuredActivity>,
    /// What was asked for and could not be had.
    pub skipped: Vec<SkippedRow>,
    /// What was found wrong; empty after a good run.
    pub wrong: Vec<String>,
}

/// The document as it is written: one list has the rows of all kernels; what is projected from them stands apart.
#[derive(Debug, Serialize)]
pub struct File<'d> {
    #[serde(flatten)]
    document: &'d Document,
    rows: Vec<AnyRow<'d>>,
    projected: Costs,
}

/// A row of our kernel, or of another one.
#[derive(Debug, Serialize)]
#[serde(untagged)]
enum AnyRow<'d> {
    Ours(&'d MeasuredRow),
    Peer(&'d PeerRow),
}

impl<'d> From<&'d Document> for File<'d> {
    fn from(document: &'d Document) -> Self {
        let (ours, peers) = (document.rows.iter(), document.peers.iter());
        let rows = ours.map(AnyRow::Ours).chain(peers.map(AnyRow::Peer)).collect();
        Self { document, rows, projected: costs(document) }
    }
}

/// A file that ran.
#[derive(Clone, Debug, Serialize)]
pub struct Program {
    /// Its hash.
    pub sha256: String,
}

/// A machine that was used.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Machine {
    /// Its name.
    pub id: &'static str,
    /// The emulator's version.
    pub version: String,
    /// The CPU as the guest saw it.
    pub cpu: String,
    /// What one tick is: `instruction` or `cycle`.
    pub tick: &'static str,
    /// CPUs that it had.
    pub cpus: u32,
    /// Memory that it had.
    pub memory_mib: u32,
}

/// A row, where it was measured, and how it compares.
#[derive(Clone, Debug, Serialize)]
pub struct MeasuredRow {
    /// The machine.
    pub machine: &'static str,
    /// What the guest recorded.
    #[serde(flatten)]
    pub row: Row,
    /// The largest pages of the stub's nested tables; none where there is no stub.
    pub nested_page: Option<&'static str>,
    /// Mean ticks, divided by those of `recursive` with as many sharers and as large a batch.
    pub ratio: Option<f64>,
    /// Where that `recursive` was measured: machine and path.
    pub ratio_to: Option<String>,
    /// Mean ticks, divided by those of Linux with as many sharers, if Linux was measured too.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ratio_to_linux: Option<f64>,
}

/// What a method needs and what it withstands.
#[derive(Clone, Debug, Serialize)]
pub struct MeasuredProperty {
    /// The machine.
    pub machine: &'static str,
    /// What ran below the guest.
    pub path: &'static str,
    /// What the stub checked; `none` where there is none.
    pub rules: &'static str,
    /// What the guest recorded.
    #[serde(flatten)]
    pub property: Property,
    /// Attacks by name, and whether they are stopped; those that are not listed were not tried.
    pub stops: Map<String, Value>,
}

impl MeasuredRow {
    /// The path, with the rules if they are not the usual ones.
    pub fn place(&self) -> String {
        place(&self.row.path, &self.row.rules)
    }
}

impl MeasuredProperty {
    /// The path, with the rules if they are not the usual ones.
    pub fn place(&self) -> String {
        place(self.path, self.rules)
    }
}

/// A path, with the rules if they are not the usual ones.
pub(super) fn place(path: &str, rules: &str) -> String {
    let usual = rules == NO_RULES || rules == Rules::Tables.name();
    if usual { path.to_owned() } else { format!("{path} {rules}") }
}

/// What could not be had on a machine.
#[derive(Clone, Debug, Serialize)]
pub struct SkippedRow {
    /// The machine.
    pub machine: &'static str,
    /// What the guest recorded.
    #[serde(flatten)]
    pub skipped: Skipped,
}
