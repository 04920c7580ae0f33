//! Rows: every method, number of sharers and batch size that was asked for.

use foreign_access::methods::AnyMethod;
use loadphys_plan::command_line::MethodName;
use loadphys_plan::records::{Property, Record, Skipped};

use super::row::Measure;
use super::{Failure, Scene};
use crate::layout::SLOT_BYTES;
use crate::measure::report::{self, name};
use crate::methods;
use crate::power::sentence;
use crate::start::below;

/// Measures all rows.
pub fn run(scene: &mut Scene) -> Result<(), Failure> {
    for method in methods::asked(&scene.plan, &scene.features) {
        match methods::make(method, &scene.features) {
            Ok(made) => rows(scene, method, made)?,
            Err(why) => report::record(&Record::Skipped(Skipped {
                path: name(below(&scene.features)),
                method: name(method.name()),
                reason: sentence(format_args!("{why}")),
            })),
        }
    }
    scene.conclude()
}

fn rows(scene: &mut Scene, name: MethodName, method: AnyMethod<'static>) -> Result<(), Failure> {
    report::record(&Record::Property(property(name, &method)));
    scene.choose(method);
    let (sharers, batches) = (scene.plan.sharers.clone(), scene.plan.batch.clone());
    for sharers in sharers.iter() {
        for batch in batches.iter() {
            let row = Measure::new(scene, name, *sharers, *batch).row()?;
            report::record(&Record::Row(row));
        }
    }
    Ok(())
}

/// What a method takes of the virtual space, and what it asks of the hardware.
fn property(method: MethodName, made: &AnyMethod<'_>) -> Property {
    let (virtual_bytes, bytes_per_space, recursive_format) = match made {
        // The self slot and one CPU's foreign slot; one entry of each root.
        AnyMethod::Recursive(_) => (2 * SLOT_BYTES, 8, true),
        AnyMethod::Hypercall(_) => (0, 0, false),
        AnyMethod::Alias(_) => (SLOT_BYTES, 0, false),
    };
    Property {
        method: name(method.name()),
        virtual_bytes,
        bytes_per_space,
        irqs_off: false,
        recursive_format,
    }
}
