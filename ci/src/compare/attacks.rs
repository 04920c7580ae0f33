//! What each method protects: attacks on tables, carried out in boots of their own so that they disturb no row.

mod boots;
mod matrix;
mod told;

use std::collections::BTreeSet;

use loadphys_plan::command_line::AttackName;
use loadphys_plan::records::{Attack, Record, Skipped};
use serde::Serialize;
use serde_json::Value;

use super::Measured;
use super::document::{Document, SkippedRow};
use crate::machines::MachineName;

pub use boots::attack;
pub(super) use boots::with_plan;
pub(super) use matrix::Matrix;
pub use told::attacks_told;
pub(super) use told::{KEY, TITLE, headings};

/// What came of an attack, and where.
#[derive(Clone, Debug, Serialize)]
pub struct MeasuredAttack {
    /// The machine.
    pub machine: &'static str,
    /// What the guest recorded.
    #[serde(flatten)]
    pub attack: Attack,
}

/// What came of it, in words.
pub(super) const fn outcome(attack: &Attack) -> &'static str {
    match attack.stopped {
        Some(true) => "stopped",
        Some(false) => "not stopped",
        None => "untested",
    }
}

impl Document {
    /// Adds what boots said in which methods were attacked, and what is wrong with them.
    pub fn add_attacks(&mut self, boots: &[Measured]) {
        for boot in boots {
            for record in &boot.report.records {
                match record {
                    Record::Attack(attack) => self.add_attack(boot.machine, attack),
                    Record::Skipped(skipped) => self.add_skipped(boot.machine, skipped),
                    _ => {}
                }
            }
            self.wrong.extend(faults(boot));
            self.wrong.extend(self.unattacked(boot));
        }
    }

    /// A method is said to stop an attack under the rules that were tried.
    fn add_attack(&mut self, machine: MachineName, attack: &Attack) {
        let machine = machine.name();
        let of_method = self.properties.iter_mut().filter(|it| {
            (it.machine, it.path, it.rules, it.property.method.as_str())
                == (machine, attack.path.as_str(), attack.rules.as_str(), attack.method.as_str())
        });
        for property in of_method {
            if let Some(stopped) = attack.stopped {
                property.stops.insert(attack.attack.to_string(), Value::Bool(stopped));
            }
        }
        self.attacks.push(MeasuredAttack { machine, attack: attack.clone() });
    }

    /// What was skipped when rows were measured is known already.
    fn add_skipped(&mut self, machine: MachineName, skipped: &Skipped) {
        let machine = machine.name();
        let known = |it: &SkippedRow| (it.machine, &it.skipped) == (machine, skipped);
        if !self.skipped.iter().any(known) {
            self.skipped.push(SkippedRow { machine, skipped: skipped.clone() });
        }
    }

    /// Methods that have rows there, under these rules, and were not attacked.
    fn unattacked(&self, boot: &Measured) -> Vec<String> {
        let place = (boot.machine.name(), boot.path.name(), boot.rules_named());
        let here =
            self.rows.iter().filter(|it| (it.machine, &*it.row.path, &*it.row.rules) == place);
        let methods: BTreeSet<&str> = here.map(|it| it.row.method.as_str()).collect();
        let attacked: BTreeSet<&str> = attacks(boot).map(|it| it.method.as_str()).collect();
        let unattacked = methods.difference(&attacked);
        unattacked.map(|it| format!("{}: {it} was not attacked", boot.name())).collect()
    }
}

fn attacks(boot: &Measured) -> impl Iterator<Item = &Attack> {
    boot.report.records.iter().filter_map(|record| match record {
        Record::Attack(attack) => Some(attack),
        _ => None,
    })
}

/// What is wrong with a boot: it failed, or nothing is said of some attack.
fn faults(boot: &Measured) -> Vec<String> {
    let name = boot.name();
    let failed = boot.report.verdict().err();
    let mut lines: Vec<String> =
        failed.into_iter().map(|why| format!("attacks, {name}: {why}")).collect();
    let places: BTreeSet<_> = attacks(boot).map(|it| (&it.method, &it.rules)).collect();
    for (method, rules) in places {
        for attack in AttackName::ALL {
            let told = |it: &Attack| {
                (&it.method, &it.rules, &*it.attack) == (method, rules, attack.name())
            };
            if !attacks(boot).any(told) {
                lines.push(format!("{name}: nothing is said of {attack} under {method}"));
            }
        }
    }
    lines
}
