//! `compare.csv`: every figure of every row.

use loadphys_plan::records::Ticks;

use super::document::MeasuredRow;
use super::stages::stages;

/// A heading and a line for each row. No name in it has a comma.
pub fn csv(rows: &[MeasuredRow]) -> String {
    let Some(first) = rows.first() else {
        return String::new();
    };
    let headings: Vec<String> = columns(first).into_iter().map(|(heading, _)| heading).collect();
    let mut text = headings.join(",") + "\n";
    for row in rows {
        let values: Vec<String> = columns(row).into_iter().map(|(_, value)| value).collect();
        text += &(values.join(",") + "\n");
    }
    text
}

fn columns(measured: &MeasuredRow) -> Vec<(String, String)> {
    let mut columns = circumstances(measured);
    for (stage, ticks) in stages(&measured.row.ticks) {
        columns.extend(of_stage(stage, ticks));
    }
    columns.extend(events(measured));
    columns
}

fn circumstances(measured: &MeasuredRow) -> Vec<(String, String)> {
    let row = &measured.row;
    vec![
        column("machine", measured.machine),
        column("path", &row.path),
        column("method", &row.method),
        column("sharers", row.sharers),
        column("batch", row.batch),
        column("cpus", row.cpus),
        column("spaces", row.spaces),
        column("swap", &row.swap),
        column("pages", row.pages),
    ]
}

fn events(measured: &MeasuredRow) -> Vec<(String, String)> {
    let (row, events) = (&measured.row, &measured.row.events);
    vec![
        column("vm_exits", events.vm_exits),
        column("vmfuncs", events.vmfuncs),
        column("root_writes", events.root_writes),
        column("invlpgs", events.invlpgs),
        column("ipis", events.ipis),
        column("entry_loads", events.entry_loads),
        column("entry_writes", events.entry_writes),
        column("vm_exits_per_batch_max", row.vm_exits_per_batch_max),
        column("fault_in_mean", row.fault_in.mean),
        column("fault_in_p99", row.fault_in.p99),
        column("irq_off_max", row.irq_off_max),
        column("verified", row.verified),
        column("lost", row.lost),
        column("ratio", measured.ratio.map_or(String::new(), |ratio| ratio.to_string())),
    ]
}

fn of_stage(stage: &str, ticks: Ticks) -> [(String, String); 6] {
    let Ticks { mean, p50, p90, p99, p999, max } = ticks;
    [("mean", mean), ("p50", p50), ("p90", p90), ("p99", p99), ("p999", p999), ("max", max)]
        .map(|(figure, value)| column(&format!("{stage}_{figure}"), value))
}

fn column(heading: &str, value: impl ToString) -> (String, String) {
    (heading.to_owned(), value.to_string())
}
