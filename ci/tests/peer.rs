//! From what a peer's program wrote to rows, ratios and targets, without a boot.

use std::time::Duration;

use loadphys_plan::command_line::{List, NestedPage, Rules, Swap};
use loadphys_plan::records::{Peer as PeerRecord, Record, Row};
use serde_json::{Value, json};
use xtask::boot::{Ending, Report};
use xtask::compare::{self, Asked, Document, Measured, MeasuredPeer, Request};
use xtask::machines::{MachineName, Path};
use xtask::peers::Peer;

/// A line as the program wrote it.
const LINE: &str = r#"{"record":"peer","peer":"linux","release":"6.1.0-56-cloud-amd64","sharers":1,"batch":32,"pages":1024,"written":1024,"ticks":{"mean":8066.859375,"p50":8128.0,"p90":8576.0,"p99":9856.0,"p999":9856.0,"max":9910.0625},"fault_in":{"mean":8045.2119140625,"p50":6720.0,"p90":9856.0,"p99":64000.0,"p999":70656.0,"max":75049.0},"verified":1216,"lost":0}"#;

fn peer_row(sharers: u32, mean: f64) -> PeerRecord {
    let Ok(Record::Peer(mut row)) = serde_json::from_str(LINE) else { panic!("it is a record") };
    (row.sharers, row.verified) = (sharers, 1216 * u64::from(sharers));
    (row.ticks.mean, row.fault_in.mean) = (mean, 8000.0);
    row
}

fn request(sharers: &[u32]) -> Request {
    let list = |numbers: &[u32]| List::new(numbers.iter().copied()).expect("different numbers");
    let (sharers, batch) = (list(sharers), list(&[32]));
    Request {
        paths: vec![Path::Bare],
        methods: Asked::All,
        sharers,
        batch,
        pages: 1024,
        seed: 1,
        cpus: 1,
        spaces: 0,
        swap: Swap::Ram,
        rules: vec![Rules::Tables],
        nested_page: NestedPage::Auto,
    }
}

fn ours(method: &str, sharers: u32, batch: u32, mean: f64) -> Record {
    let ticks =
        json!({"mean": mean, "p50": mean, "p90": mean, "p99": mean, "p999": mean, "max": mean});
    let stages = json!({"total": ticks, "find": ticks, "edit": ticks, "flush": ticks, "write": ticks, "release": ticks});
    let events = json!({"vm_exits": 0.0, "vmfuncs": 0.0, "root_writes": 0.0, "invlpgs": 1.0, "ipis": 0.0,
        "entry_loads": 0.0, "entry_writes": 1.0});
    let row = json!({"path": "bare", "method": method, "rules": "none", "sharers": sharers, "batch": batch, "cpus": 1, "spaces": 2,
        "swap": "ram", "pages": 1024, "ticks": stages, "events": events, "vm_exits_per_batch_max": 0,
        "fault_in": {"mean": 1000.0, "p99": 1.0}, "irq_off_max": 0, "verified": 1, "lost": 0});
    Record::Row(serde_json::from_value::<Row>(row).expect("it has every field"))
}

fn report(records: Vec<Record>) -> Report {
    let end = serde_json::from_value(json!({"record": "end", "ok": true, "reason": ""}));
    let records: Vec<Record> = records.into_iter().chain(end.ok()).collect();
    let lines = records.iter().map(|_| "{}".to_owned()).collect();
    Report { lines, records, ending: Ending::ByItself(Some(0)), elapsed: Duration::ZERO }
}

/// What is made of these rows of ours, and of these of a peer.
fn gather(rows: Vec<Record>, sharers: &[u32], peers: Vec<PeerRecord>) -> Document {
    let (machine, memory_mib) = (MachineName::QemuTcg, 256);
    let boot = Measured {
        nested_page: NestedPage::Auto,
        path: Path::Bare,
        rules: Rules::Tables,
        machine,
        memory_mib,
        report: report(rows),
    };
    let report = report(peers.into_iter().map(Record::Peer).collect());
    let peer = MeasuredPeer { peer: Peer::Linux, machine, memory_mib, report };
    compare::gather_with(&request(sharers), &[boot], Some(&peer), "0".into())
}

/// What is wrong with the peer.
fn wrong(document: &Document) -> Vec<&str> {
    document.wrong.iter().filter_map(|line| line.strip_prefix("linux on qemu-tcg: ")).collect()
}

#[test]
fn a_line_of_the_program_is_read() {
    let row = peer_row(1, 8066.0);
    assert_eq!((row.peer.as_str(), row.release.as_str()), ("linux", "6.1.0-56-cloud-amd64"));
    assert_eq!((row.pages, row.written, row.verified, row.lost), (1024, 1024, 1216, 0));
    assert_eq!((row.ticks.p99, row.fault_in.p50), (9856.0, 6720.0));
}

#[test]
fn rows_of_every_batch_are_compared_with_linux_by_their_sharers() {
    let rows = vec![
        ours("recursive", 1, 1, 2000.0),
        ours("recursive", 1, 32, 1000.0),
        ours("mirror", 2, 32, 500.0),
    ];
    let document = gather(rows, &[1], vec![peer_row(1, 8000.0)]);
    let ratios: Vec<_> = document.rows.iter().map(|row| row.ratio_to_linux).collect();
    assert_eq!(ratios, [Some(0.25), Some(0.125), None]);
    assert_eq!(document.peers[0].ratio, Some(8.0), "against recursive of the same batch");
    assert_eq!(wrong(&document), [""; 0]);
}

#[test]
fn targets_are_held_against_means_and_slopes() {
    let rows = vec![
        ours("recursive", 8, 32, 1300.0),
        ours("recursive", 1, 32, 950.0),
        ours("recursive", 1, 1, 5000.0),
        ours("mirror", 1, 32, 1.0),
    ];
    let document = gather(rows, &[1, 8], vec![peer_row(1, 8000.0), peer_row(8, 22_000.0)]);
    let told: Vec<_> = document
        .targets
        .iter()
        .map(|it| (it.limit, it.measured, it.met, it.linux, it.ratio_to_linux))
        .collect();
    let wanted = [
        (900.0, 950.0, false, Some(8000.0), Some(950.0 / 8000.0)),
        (60.0, 50.0, true, Some(2000.0), Some(0.025)),
        (1300.0, 1000.0, true, Some(8000.0), Some(0.125)),
    ];
    assert_eq!(told, wanted);
    let table = compare::targets_told(&document.targets).to_string();
    assert!(
        table.contains(
            "| each further sharer | qemu-tcg | bare | recursive |      60 |       50 | met "
        ),
        "{table}"
    );
}

#[test]
fn targets_that_rows_say_nothing_of_are_named_with_the_reason() {
    let few = gather(vec![ours("recursive", 4, 32, 1300.0)], &[4], vec![]);
    assert_eq!(few.targets.len(), 1, "one number of sharers, not 1, has a fault in and no slope");
    assert_eq!(few.targets[0].linux, None);
    let told = compare::unmeasured_told(&few.unmeasured);
    let wanted = [
        "not measured: evict, 1 sharer: no row has 1 sharer (--sharers 1 measures it): recursive on bare (qemu-tcg)",
        "not measured: each further sharer: all rows have the same number of sharers (--sharers 1,8 measures it): \
         recursive on bare (qemu-tcg)",
    ];
    assert_eq!(told, wanted);
}

#[test]
fn where_no_row_is_in_question_it_is_said_why() {
    let why = |row| {
        let document = gather(vec![row], &[1], vec![]);
        assert_eq!(document.targets, []);
        let reasons = document.unmeasured.iter().map(|it| it.reason.clone());
        let mut reasons: Vec<String> = reasons.collect();
        assert_eq!(reasons.len(), 3, "each target is named");
        reasons.dedup();
        reasons.concat()
    };
    let batch = why(ours("recursive", 1, 1, 1300.0));
    assert_eq!(batch, "no row has batch 32 (--batch 32 measures it)");
    let method = why(ours("mirror", 1, 32, 1300.0));
    assert!(method.ends_with(" is of direct-map, alias, recursive"), "{method}");
}

#[test]
fn what_was_measured_is_not_told_as_missing() {
    let rows = vec![ours("alias", 1, 32, 900.0), ours("alias", 8, 32, 1300.0)];
    assert_eq!(gather(rows, &[1, 8], vec![]).unmeasured, []);
}

#[test]
fn whatever_is_wrong_with_a_peer_is_named() {
    let mut bad = peer_row(2, 9000.0);
    (bad.pages, bad.written, bad.verified, bad.lost) = (1000, 999, 2047, 1);
    let document = gather(vec![], &[1, 2], vec![bad]);
    let lines = [
        "1 of 2 rows",
        "sharers 2: 1 pages lost",
        "sharers 2: 1000 of 1024 pages in swap",
        "sharers 2: 999 pages written to swap, 1000 there",
        "sharers 2: 2047 of 2048 pages verified",
    ];
    assert_eq!(wrong(&document), lines);
}

#[test]
fn a_peer_has_rows_in_every_file_and_nothing_where_it_is_unknown() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let rows = vec![ours("recursive", 1, 32, 1000.0)];
    let document = gather(rows, &[1], vec![peer_row(1, 8000.0)]);
    compare::write(&document, directory.path()).expect("it can be written");
    let text = |name: &str| std::fs::read_to_string(directory.path().join(name)).expect(name);
    let json: Value = serde_json::from_str(&text("compare.json")).expect("it is JSON");
    assert_eq!(json["schema"], "loadphys.compare/1");
    assert_eq!(
        (&json["rows"][0]["method"], &json["rows"][0]["peer"]),
        (&json!("recursive"), &Value::Null)
    );
    let linux = &json["rows"][1];
    assert_eq!(
        (&linux["method"], &linux["path"], &linux["swap"]),
        (&json!("linux"), &json!("bare"), &json!("ram"))
    );
    assert_eq!(
        (&linux["ticks"]["total"]["mean"], &linux["ticks"]["find"]),
        (&json!(8000.0), &Value::Null)
    );
    for field in json["rows"][0].as_object().expect("a row").keys() {
        assert!(field == "ratio_to_linux" || linux.get(field).is_some(), "{field}");
    }
    let csv = text("compare.csv");
    let columns: Vec<usize> = csv.lines().map(|line| line.split(',').count()).collect();
    assert_eq!(columns, [columns[0]; 3]);
    assert!(
        csv.lines()
            .last()
            .expect("a line")
            .starts_with("qemu-tcg,bare,linux,none,1,32,1,1,ram,1024,8000,")
    );
    assert!(text("report.html").contains("to Linux"));
}

#[test]
fn without_a_peer_nothing_speaks_of_it() {
    let boot = Measured {
        nested_page: NestedPage::Auto,
        rules: Rules::Tables,
        path: Path::Bare,
        machine: MachineName::QemuTcg,
        memory_mib: 256,
        report: report(vec![ours("recursive", 1, 32, 1000.0)]),
    };
    let document = compare::gather(&request(&[1]), &[boot], "0".into());
    assert!(!compare::table(&document).to_string().contains("Linux"));
    assert_eq!(document.rows[0].ratio_to_linux, None);
}
