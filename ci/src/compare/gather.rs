//! The records of several boots as one document.

use loadphys_plan::command_line::Rules;
use loadphys_plan::records::{self, Property, Record, Row, Skipped, counts};

use super::document::{
    Document, Machine, MeasuredProperty, MeasuredRow, Program, SCHEMA, SkippedRow,
};
use super::flips::flips;
use super::peers::MeasuredPeer;
use super::targets::targets;
use super::unmeasured::unmeasured;
use super::{Measured, Request, ratio, wrong};
use crate::machines::choose::emulator;
use crate::machines::{self, MachineName, Path};
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
        activities: Vec::new(),
        skipped: Vec::new(),
        wrong: Vec::new(),
    };
    for boot in boots {
        for record in &boot.report.records {
            document.add(boot, record);
        }
    }
    document.add_skipped_rules(request, boots);
    ratio::fill(&mut document.rows);
    document.flips = flips(&document.rows);
    document.targets = targets(&document);
    document.unmeasured = unmeasured(&document);
    document.wrong = wrong(request, boots, &document);
    document
}

/// All methods are skipped alike, so the rules stand for them.
fn skipped_rules(path: Path, rules: Rules, reason: &str) -> Skipped {
    let short = |text: &str| text.parse().expect("a name of ours is short");
    let reason = reason.parse().expect("a reason of ours fits a sentence");
    Skipped { path: short(path.name()), method: short(&format!("rules={rules}")), reason }
}

impl Document {
    fn add(&mut self, boot: &Measured, record: &Record) {
        let machine = boot.machine.name();
        match record {
            Record::Machine(found) => self.add_machine(boot.machine, boot.memory_mib, found),
            Record::Row(row) => self.add_row(boot, row.clone()),
            Record::Property(property) => self.add_property(boot, property),
            Record::Skipped(skipped) => {
                self.skipped.push(SkippedRow { machine, skipped: skipped.clone() });
            }
            Record::Count(count) if count.name == counts::AUDITS => self.audits += count.count,
            Record::Peer(_)
            | Record::Evacuation(_)
            | Record::Course(_)
            | Record::Activity(_)
            | Record::Attack(_)
            | Record::Count(_)
            | Record::End(_) => {}
        }
    }

    /// Rules that were asked for and that a path cannot have.
    fn add_skipped_rules(&mut self, request: &Request, boots: &[Measured]) {
        for (path, rules, reason) in request.rules_skipped() {
            let machine = boots.iter().find(|boot| boot.path == path).map(|boot| boot.machine);
            let machine = machine.unwrap_or(emulator(path)).name();
            let skipped = skipped_rules(path, rules, reason);
            self.skipped.push(SkippedRow { machine, skipped });
        }
    }

    fn add_row(&mut self, boot: &Measured, row: Row) {
        self.verified += row.verified;
        self.lost += row.lost;
        self.rows.push(MeasuredRow {
            machine: boot.machine.name(),
            row,
            nested_page: boot.path.has_stub().then_some(boot.nested_page.name()),
            ratio: None,
            ratio_to: None,
            ratio_to_linux: None,
        });
    }

    /// Once for each machine and model of its CPU, however many paths ran on it.
    pub(super) fn add_machine(
        &mut self,
        machine: MachineName,
        memory_mib: u32,
        found: &records::Machine,
    ) {
        let id = machine.name();
        let cpu = found.cpu.trim();
        if self.machines.iter().any(|machine| (machine.id, &*machine.cpu) == (id, cpu)) {
            return;
        }
        self.machines.push(Machine {
            id,
            version: machines::version(machine),
            cpu: cpu.to_owned(),
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
