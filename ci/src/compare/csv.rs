//! `compare.csv`: every figure of every row.

use loadphys_plan::command_line::AttackName;
use loadphys_plan::records::{NO_RULES, Ticks};

use super::attacks::{MeasuredAttack, outcome};
use super::document::{Document, MeasuredRow};
use super::peers::PeerRow;
use super::stages::stages;

/// A heading and a line for each row, those of peers last, with nothing where something is not known of them. No name in it has
/// a comma.
pub fn csv(document: &Document) -> String {
    let rows = &document.rows;
    let Some(first) = rows.first() else {
        return String::new();
    };
    let columns = |row| [columns(row), of_attacks(row, &document.attacks)].concat();
    let headings: Vec<String> = columns(first).into_iter().map(|(heading, _)| heading).collect();
    let mut text = headings.join(",") + "\n";
    for row in rows {
        let values: Vec<String> = columns(row).into_iter().map(|(_, value)| value).collect();
        text += &(values.join(",") + "\n");
    }
    for peer in &document.peers {
        let known = columns_of_peer(peer);
        let value = |heading: &String| known.iter().find(|(name, _)| name == heading);
        let values = headings.iter().map(|it| value(it).map_or("", |(_, value)| value));
        text += &(values.collect::<Vec<_>>().join(",") + "\n");
    }
    text
}

fn columns_of_peer(peer: &PeerRow) -> Vec<(String, String)> {
    let row = peer.record();
    let mut columns = vec![
        column("machine", peer.machine),
        column("path", peer.path),
        column("method", &peer.method),
        column("rules", NO_RULES),
        column("sharers", row.sharers),
        column("batch", row.batch),
        column("cpus", 1),
        column("spaces", row.sharers),
        column("swap", "ram"),
        column("pages", row.pages),
        column("vm_exits", 0),
        column("vmfuncs", 0),
        column("ipis", 0),
        column("fault_in_mean", row.fault_in.mean),
        column("fault_in_p99", row.fault_in.p99),
        column("verified", row.verified),
        column("lost", row.lost),
        column("ratio", optional(peer.ratio)),
        column("peer", &row.peer),
    ];
    columns.extend(of_stage("total", row.ticks));
    columns
}

fn optional(ratio: Option<f64>) -> String {
    ratio.map_or(String::new(), |ratio| ratio.to_string())
}

fn columns(measured: &MeasuredRow) -> Vec<(String, String)> {
    let mut columns = circumstances(measured);
    for (stage, ticks) in stages(&measured.row.ticks) {
        columns.extend(of_stage(stage, ticks));
    }
    columns.extend(events(measured));
    columns.push(column("nested_page", measured.nested_page.unwrap_or_default()));
    columns
}

fn circumstances(measured: &MeasuredRow) -> Vec<(String, String)> {
    let row = &measured.row;
    vec![
        column("machine", measured.machine),
        column("path", &row.path),
        column("method", &row.method),
        column("rules", &row.rules),
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
        column("ratio", optional(measured.ratio)),
        column("peer", ""),
        column("ratio_to_linux", optional(measured.ratio_to_linux)),
    ]
}

/// What came of each attack on the row's method there, under the same rules.
fn of_attacks(measured: &MeasuredRow, attacks: &[MeasuredAttack]) -> Vec<(String, String)> {
    let names = AttackName::ALL.iter().filter(|_| !attacks.is_empty());
    let of_row = |it: &&MeasuredAttack| {
        let row = &measured.row;
        (it.machine, &it.attack.path, &it.attack.method, &it.attack.rules)
            == (measured.machine, &row.path, &row.method, &row.rules)
    };
    let came = |name: &AttackName| {
        let mut found = attacks.iter().filter(of_row);
        let found = found.find(|it| it.attack.attack == name.name());
        found.map_or("", |it| outcome(&it.attack))
    };
    names.map(|name| column(&format!("attack_{name}"), came(name))).collect()
}

fn of_stage(stage: &str, ticks: Ticks) -> [(String, String); 6] {
    let Ticks { mean, p50, p90, p99, p999, max } = ticks;
    [("mean", mean), ("p50", p50), ("p90", p90), ("p99", p99), ("p999", p999), ("max", max)]
        .map(|(figure, value)| column(&format!("{stage}_{figure}"), value))
}

fn column(heading: &str, value: impl ToString) -> (String, String) {
    (heading.to_owned(), value.to_string())
}
