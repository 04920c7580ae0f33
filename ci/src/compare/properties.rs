//! What the methods need, as people read it.

use comfy_table::Table;

use super::document::MeasuredProperty;
use super::table;

/// Headings.
pub(super) const HEADINGS: [&str; 11] = [
    "machine",
    "path",
    "method",
    "virtual space",
    "bytes per space",
    "interrupts off at most",
    "recursive format",
    "above 4 GiB",
    "several CPUs",
    "NMI",
    "context latency",
];

/// All methods on all paths.
pub fn properties(properties: &[MeasuredProperty]) -> Table {
    let mut table = table::empty();
    table.set_header(HEADINGS);
    for it in properties {
        table.add_row(cells(it));
    }
    table
}

/// A line of the table.
pub(super) fn cells(measured: &MeasuredProperty) -> [String; 11] {
    let it = &measured.property;
    [
        measured.machine.to_owned(),
        measured.place(),
        it.method.to_string(),
        bytes(it.virtual_bytes),
        bytes(it.bytes_per_space),
        if it.irqs_off { format!("{} ticks", it.irq_off_max) } else { "never".into() },
        if it.recursive_format { "needed" } else { "-" }.into(),
        seen(it.above_4gib, "reached", "refused"),
        it.cpus_at_once.to_string(),
        seen(it.nmi, "withstood", "not withstood"),
        match it.context_latency_max {
            0 => "-".into(),
            ticks => format!("{ticks} ticks"),
        },
    ]
}

/// What was seen, if it could be tried.
fn seen(it: Option<bool>, yes: &str, no: &str) -> String {
    it.map_or("untested", |it| if it { yes } else { no }).to_owned()
}

/// In the largest unit of which there is a whole one.
fn bytes(count: u64) -> String {
    let units = [(40, "TiB"), (30, "GiB"), (20, "MiB"), (10, "KiB")];
    match units.into_iter().find(|(shift, _)| count >> shift > 0) {
        None => format!("{count} B"),
        Some((shift, unit)) if count.is_multiple_of(1 << shift) => {
            format!("{} {unit}", count >> shift)
        }
        Some((shift, unit)) => format!("{:.1} {unit}", count as f64 / (1_u64 << shift) as f64),
    }
}

#[cfg(test)]
mod tests {
    use super::bytes;

    #[test]
    fn bytes_are_told_in_the_largest_unit() {
        let told = [0, 16, 4096, 3 << 20, 1 << 30, 512 << 30, (1 << 40) + (1 << 39)].map(bytes);
        let wanted = ["0 B", "16 B", "4 KiB", "3 MiB", "1 GiB", "512 GiB", "1.5 TiB"];
        assert_eq!(told, wanted);
    }
}
