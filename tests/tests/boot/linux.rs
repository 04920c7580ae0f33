//! Linux beside the guest: does our program on it measure what it says?

use anyhow::{Result, ensure};
use loadphys_plan::command_line::{List, NestedPage, Rules, Swap};
use loadphys_plan::records::{Peer as PeerRecord, Record};
use xtask::boot::{Job, Report};
use xtask::compare::{self, Asked, MeasuredPeer, Request};
use xtask::machines::{MachineName, Path};
use xtask::peers::Peer;

use crate::case::{Case, Expected, LIMIT};

/// All of them.
pub fn cases() -> Vec<Case> {
    vec![Case::new("linux/evicts", job, Expected::good(evicts))]
}

/// One sharer, whose pages are evicted by their addresses, and three, whose pages Linux chooses.
fn request() -> Request {
    let list = |numbers: &[u32]| List::new(numbers.iter().copied()).expect("different numbers");
    let (sharers, batch) = (list(&[1, 3]), list(&[32]));
    Request {
        paths: vec![Path::Bare],
        methods: Asked::Usual,
        sharers,
        batch,
        pages: 128,
        seed: 1,
        cpus: 1,
        spaces: 0,
        swap: Swap::Ram,
        rules: vec![Rules::Tables],
        nested_page: NestedPage::Auto,
    }
}

fn job() -> Result<Job> {
    let job = Peer::Linux.job(&request(), MachineName::QemuTcg)?;
    Ok(Job { time_limit: LIMIT, ..job })
}

/// All pages were in swap and came back right, and more sharers cost more.
fn evicts(report: &Report) -> Result<()> {
    let (peer, machine) = (Peer::Linux, MachineName::QemuTcg);
    let boot = MeasuredPeer { peer, machine, memory_mib: 256, report: report.clone() };
    let document = compare::gather_with(&request(), &[], Some(&boot), String::new());
    ensure!(document.wrong.is_empty(), "{:?}", document.wrong);
    let rows: Vec<&PeerRecord> = report.records.iter().filter_map(row).collect();
    let [alone, three] = rows[..] else { anyhow::bail!("{} rows", rows.len()) };
    // Linux copies a page by words here: the CPU has no ERMS.
    ensure!(alone.ticks.mean > 512.0 && alone.fault_in.mean > 512.0, "{alone:?}");
    ensure!(three.ticks.mean > alone.ticks.mean, "{three:?} after {alone:?}");
    Ok(())
}

fn row(record: &Record) -> Option<&PeerRecord> {
    match record {
        Record::Peer(row) => Some(row),
        _ => None,
    }
}
