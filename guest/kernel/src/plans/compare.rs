//! Rows: every method, number of sharers and batch size that was asked for.

use loadphys_plan::command_line::MethodName;
use loadphys_plan::records::Record;

use super::property::property;
use super::row::Measure;
use crate::conformance::{self, Conformance};
use crate::measure::report;
use crate::other_context;
use crate::scene::{Failure, Scene};

/// Measures all rows.
pub fn run(scene: &mut Scene) -> Result<(), Failure> {
    let (pages, largest) = (scene.plan.pages, scene.plan.batch.iter().copied().max());
    if let Some(batch) = largest.filter(|batch| *batch > pages) {
        return Err(Failure::new(format_args!("batch={batch}: at most pages, which is {pages}")));
    }
    scene.with_each(|scene, method| {
        let seen = conformance::try_asked(scene, method)?;
        rows(scene, method, seen)
    })?;
    scene.conclude()
}

fn rows(scene: &mut Scene, method: MethodName, seen: Option<Conformance>) -> Result<(), Failure> {
    let (sharers, batches) = (scene.plan.sharers.clone(), scene.plan.batch.clone());
    let mut irq_off_max = 0;
    other_context::take_latency();
    for sharers in sharers.iter() {
        for batch in batches.iter() {
            let row = Measure::new(scene, method, *sharers, *batch).row()?;
            irq_off_max = irq_off_max.max(row.irq_off_max);
            report::record(&Record::Row(row));
        }
    }
    let latency = other_context::take_latency();
    // Of a method that was not tried nothing is known.
    if let Some(seen) = seen {
        report::record(&Record::Property(property(method, &seen, irq_off_max, latency)));
    }
    Ok(())
}
