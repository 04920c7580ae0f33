//! The records of several boots as one document.

use loadphys_plan::records::{self, Property, Record};

use super::document::{
    Document, Machine, MeasuredProperty, MeasuredRow, Program, SCHEMA, SkippedRow,
};
use super::{Measured, Request, ratio, wrong};
use crate::{machines, workspace};

/// Puts together what all boots said.
pub fn gather(request: &Request, boots: &[Measured], sha256: String) -> Document {
    let mut document = Document {
        schema: SCHEMA,
        revision: workspace::revision(),
        seed: request.seed,
        guest: Program { sha256 },
        machines: Vec::new(),
        rows: Vec::new(),
        properties: Vec::new(),
        skipped: Vec::new(),
        wrong: Vec::new(),
    };
    for boot in boots {
        for record in &boot.report.records {
            document.add(boot, record);
        }
    }
    ratio::fill(&mut document.rows);
    document.wrong = wrong(request, boots, &document);
    document
}

impl Document {
    fn add(&mut self, boot: &Measured, record: &Record) {
        let machine = boot.machine.name();
        match record {
            Record::Machine(found) => self.add_machine(boot, found),
            Record::Row(row) => {
                let row = row.clone();
                self.rows.push(MeasuredRow { machine, row, ratio: None, ratio_to: None });
            }
            Record::Property(property) => self.add_property(property),
            Record::Skipped(skipped) => {
                self.skipped.push(SkippedRow { machine, skipped: skipped.clone() });
            }
            Record::Count(_) | Record::End(_) => {}
        }
    }

    /// Once for each machine, however many paths ran on it.
    fn add_machine(&mut self, boot: &Measured, found: &records::Machine) {
        let id = boot.machine.name();
        if self.machines.iter().any(|machine| machine.id == id) {
            return;
        }
        self.machines.push(Machine {
            id,
            version: machines::version(boot.machine),
            cpu: found.cpu.trim().to_owned(),
            tick: boot.machine.tick(),
            cpus: found.cpus,
            memory_mib: boot.memory_mib,
        });
    }

    /// Once for each method: it needs the same wherever it runs.
    fn add_property(&mut self, property: &Property) {
        let known = self.properties.iter().any(|known| known.property.method == property.method);
        if !known {
            let stops = serde_json::Map::new();
            self.properties.push(MeasuredProperty { property: property.clone(), stops });
        }
    }
}
