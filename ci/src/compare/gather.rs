//! The records of several boots as one document.

use loadphys_plan::records::{self, Property, Record, Row, counts};

use super::document::{
    Document, Machine, MeasuredProperty, MeasuredRow, Program, SCHEMA, SkippedRow,
};
use super::flips::flips;
use super::peers::MeasuredPeer;
use super::targets::targets;
use super::unmeasured::unmeasured;
use super::{Measured, Request, ratio, wrong};
use crate::machines::{self, MachineName};
use crate::workspace;

/// Puts together what all boots said, and a peer if there was one.
pub fn gather_with(
    request: &Request,
    boots: &[Measured],
    peer: Option<&MeasuredPeer>,
    sha256: String,
) -> Document {
    let mut document = gather(request, boots, sha256);
    if let Some(peer) = peer {
        document.add_peer(request, peer);
        document.targets = targets(&document);
    }
    document
}

/// Puts together what all boots said.
pub fn gather(request: &Request, boots: &[Measured], sha256: String) -> Document {
    let mut document = Document {
        schema: SCHEMA,
        revision: workspace::revision(),
        seed: request.seed,
        guest: Program { sha256 },
        machines: Vec::new(),
        rows: Vec::new(),
        peers: Vec::new(),
        targets: Vec::new(),
        unmeasured: Vec::new(),
        verified: 0,
        lost: 0,
        audits: 0,
        conformance: 0,
        flips: Vec::new(),
        properties: Vec::new(),
        attacks: Vec::new(),
        skipped: Vec::new(),
        wrong: Vec::new(),
    };
    for boot in boots {
        for record in &boot.report.records {
            document.add(boot, record);
        }
    }
    ratio::fill(&mut document.rows);
    document.flips = flips(&document.rows);
    document.targets = targets(&document);
    document.unmeasured = unmeasured(&document);
    document.wrong = wrong(request, boots, &document);
    document
}

impl Document {
    fn add(&mut self, boot: &Measured, record: &Record) {
        let machine = boot.machine.name();
        match record {
            Record::Machine(found) => self.add_machine(boot.machine, boot.memory_mib, found),
            Record::Row(row) => self.add_row(machine, row.clone()),
            Record::Property(property) => self.add_property(boot, property),
            Record::Skipped(skipped) => {
                self.skipped.push(SkippedRow { machine, skipped: skipped.clone() });
            }
            Record::Count(count) if count.name == counts::AUDITS => self.audits += count.count,
            Record::Peer(_)
            | Record::Evacuation(_)
            | Record::Course(_)
            | Record::Attack(_)
            | Record::Count(_)
            | Record::End(_) => {}
        }
    }

    fn add_row(&mut self, machine: &'static str, row: Row) {
        self.verified += row.verified;
        self.lost += row.lost;
        self.rows.push(MeasuredRow {
            machine,
            row,
            ratio: None,
            ratio_to: None,
            ratio_to_linux: None,
        });
    }

    /// Once for each machine, however many paths ran on it.
    pub(super) fn add_machine(
        &mut self,
        machine: MachineName,
        memory_mib: u32,
        found: &records::Machine,
    ) {
        let id = machine.name();
        if self.machines.iter().any(|machine| machine.id == id) {
            return;
        }
        self.machines.push(Machine {
            id,
            version: machines::version(machine),
            cpu: found.cpu.trim().to_owned(),
            tick: machine.tick(),
            cpus: found.cpus,
            memory_mib,
        });
    }

    /// Once for each method and path.
    fn add_property(&mut self, boot: &Measured, property: &Property) {
        self.conformance += property.conformance;
        self.properties.push(MeasuredProperty {
            machine: boot.machine.name(),
            path: boot.path.name(),
            rules: boot.rules_named(),
            property: property.clone(),
            stops: serde_json::Map::new(),
        });
    }
}
