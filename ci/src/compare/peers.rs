//! What another kernel said of the same work, beside our rows.

use anyhow::Result;
use loadphys_plan::records::{NO_RULES, Peer as PeerRecord, Record, Ticks};
use serde::Serialize;
use serde_json::{Value, json};

use super::Request;
use super::document::{Document, MeasuredRow};
use super::request::rounds;
use crate::boot::{self, Job, Report};
use crate::machines::{MachineName, Path};
use crate::peers::Peer;
use crate::progress::Progress;

/// What the boot of a peer said.
#[derive(Clone, Debug)]
pub struct MeasuredPeer {
    /// Which kernel.
    pub peer: Peer,
    /// What it ran on.
    pub machine: MachineName,
    /// Memory of the machine.
    pub memory_mib: u32,
    /// What it said.
    pub report: Report,
}

/// Boots a peer, alone.
pub fn measure_peer(request: &Request, peer: Peer, job: &Job) -> Result<MeasuredPeer> {
    let progress = Progress::start(&job.name, request.sharers.len() as u64);
    let report = boot::boot(job, |_, record| {
        if let Some(Record::Peer(row)) = record {
            let PeerRecord { peer, sharers, ticks, .. } = row;
            progress.step(format!("{peer}, sharers {sharers}: {:.0} ticks a page", ticks.mean));
        }
    })?;
    match report.verdict() {
        Ok(()) => progress.finish("measured"),
        Err(reason) => progress.finish(&format!("FAILED: {reason}")),
    }
    Ok(MeasuredPeer { peer, machine: job.machine, memory_mib: job.memory_mib, report })
}

/// A row of another kernel. What goes on inside it is not known: there are no stages, and hardly any events.
#[derive(Clone, Debug, Serialize)]
pub struct PeerRow {
    /// The machine.
    pub machine: &'static str,
    /// What ran below the kernel.
    pub path: &'static str,
    /// The kernel: it stands where others have their method.
    pub method: String,
    /// What its program recorded.
    #[serde(flatten)]
    pub row: Flat,
    /// Mean ticks, divided by those of `recursive` with as many sharers and as large a batch.
    pub ratio: Option<f64>,
    /// Where that `recursive` was measured: machine and path.
    pub ratio_to: Option<String>,
}

/// A peer's record in the shape of our rows; what is unknown is null.
#[derive(Clone, Debug, Serialize)]
#[serde(into = "Value")]
pub struct Flat(pub PeerRecord);

impl From<Flat> for Value {
    fn from(Flat(row): Flat) -> Self {
        let unknown = Self::Null;
        json!({
            "peer": row.peer, "release": row.release, "rules": NO_RULES, "nested_page": null, "sharers": row.sharers, "batch": row.batch, "cpus": 1,
            "spaces": row.sharers, "swap": "ram", "pages": row.pages, "written": row.written,
            "ticks": {"total": row.ticks, "find": unknown, "edit": unknown, "flush": unknown, "write": unknown, "release": unknown},
            "events": {"vm_exits": 0.0, "vmfuncs": 0.0, "root_writes": unknown, "invlpgs": unknown, "ipis": 0.0,
                "entry_loads": unknown, "entry_writes": unknown},
            "vm_exits_per_batch_max": 0, "fault_in": row.fault_in, "irq_off_max": unknown,
            "verified": row.verified, "lost": row.lost,
        })
    }
}

impl PeerRow {
    /// What its program recorded.
    pub const fn record(&self) -> &PeerRecord {
        &self.row.0
    }

    /// Ticks per page.
    pub const fn ticks(&self) -> &Ticks {
        &self.record().ticks
    }
}

impl Document {
    /// Adds what a peer said: its rows, how ours compare with them, and what is wrong with them.
    pub fn add_peer(&mut self, request: &Request, boot: &MeasuredPeer) {
        for record in &boot.report.records {
            match record {
                Record::Machine(found) => self.add_machine(boot.machine, boot.memory_mib, found),
                Record::Peer(row) => self.add_peer_row(boot, row),
                _ => {}
            }
        }
        self.fill_ratios_to_linux();
        self.wrong.extend(wrong(request, boot));
    }

    fn add_peer_row(&mut self, boot: &MeasuredPeer, row: &PeerRecord) {
        let (machine, path) = (boot.machine.name(), Path::Bare.name());
        let base = self.rows.iter().find(|it| it.is_recursive_like(machine, path, row));
        let ratio = base.map(|base| row.ticks.mean / base.row.ticks.total.mean);
        self.peers.push(PeerRow {
            machine,
            path,
            method: row.peer.to_string(),
            row: Flat(row.clone()),
            ratio: ratio.filter(|ratio| ratio.is_finite()),
            ratio_to: base.map(|base| format!("{} {}", base.machine, base.row.path)),
        });
        self.verified += row.verified;
        self.lost += row.lost;
    }

    /// Against the peer's row with as many sharers, if ticks are the same thing on both machines. The batch is the peer's own
    /// choice, so every batch of ours is compared with it.
    fn fill_ratios_to_linux(&mut self) {
        for row in &mut self.rows {
            let is_base = |peer: &&PeerRow| {
                peer.record().sharers == row.row.sharers && same_ticks(peer.machine, row.machine)
            };
            let base = self.peers.iter().find(is_base);
            let ratio = base.map(|base| row.row.ticks.total.mean / base.ticks().mean);
            row.ratio_to_linux = ratio.filter(|ratio| ratio.is_finite());
        }
    }
}

impl MeasuredRow {
    fn is_recursive_like(&self, machine: &str, path: &str, peer: &PeerRecord) -> bool {
        self.machine == machine
            && self.row.path == path
            && self.row.method == "recursive"
            && (self.row.sharers, self.row.batch) == (peer.sharers, peer.batch)
    }
}

/// Whether ticks of two machines can be compared: cycles only with those of the same machine.
pub(super) fn same_ticks(first: &str, second: &str) -> bool {
    let counts_instructions = |name: &str| {
        MachineName::ALL.iter().any(|it| it.name() == name && it.tick() == "instruction")
    };
    first == second || (counts_instructions(first) && counts_instructions(second))
}

/// A line for everything that is wrong with what a peer said.
fn wrong(request: &Request, boot: &MeasuredPeer) -> Vec<String> {
    let MeasuredPeer { peer, machine, report, .. } = boot;
    let mut lines: Vec<String> = report.verdict().err().into_iter().collect();
    let rows = || {
        report.records.iter().filter_map(|record| match record {
            Record::Peer(row) => Some(row),
            _ => None,
        })
    };
    let (found, wanted) = (rows().count(), request.sharers.len());
    if found != wanted {
        lines.push(format!("{found} of {wanted} rows"));
    }
    lines.extend(rows().flat_map(|row| faults(request, *machine, row)));
    lines.into_iter().map(|line| format!("{peer} on {machine}: {line}")).collect()
}

/// What a row itself shows to be wrong.
fn faults(request: &Request, machine: MachineName, row: &PeerRecord) -> Vec<String> {
    let PeerRecord { sharers, pages, written, verified, lost, .. } = row;
    let evicted = u64::from(request.pages) * u64::from(rounds(machine));
    let checked = evicted * u64::from(*sharers);
    let checks = [
        (*lost > 0, format!("{lost} pages lost")),
        (*pages < evicted, format!("{pages} of {evicted} pages in swap")),
        (written < pages, format!("{written} pages written to swap, {pages} there")),
        (*verified < checked, format!("{verified} of {checked} pages verified")),
    ];
    let failed = checks.into_iter().filter(|(failed, _)| *failed);
    failed.map(|(_, what)| format!("sharers {sharers}: {what}")).collect()
}
