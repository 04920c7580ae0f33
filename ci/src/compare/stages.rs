//! The stages of an eviction by name.

use loadphys_plan::records::{Stages, Ticks};

/// All together, then each in the order in which they happen.
pub const fn stages(stages: &Stages) -> [(&'static str, Ticks); 6] {
    let Stages { total, find, edit, flush, write, release } = *stages;
    [
        ("total", total),
        ("find", find),
        ("edit", edit),
        ("flush", flush),
        ("write", write),
        ("release", release),
    ]
}
