//! From records of attacks to the matrix, without a boot.

use std::time::Duration;

use loadphys_plan::command_line::{AttackName, List, MethodName, NestedPage, Rules, Swap};
use loadphys_plan::records::Record;
use serde_json::{Value, json};
use xtask::boot::{Ending, Report};
use xtask::compare::{self, Asked, Document, Measured, Request};
use xtask::machines::{MachineName, Path};

fn record(value: Value) -> Record {
    serde_json::from_value(value).expect("it is a record")
}

/// A boot that said this and was content.
fn boot(path: Path, mut records: Vec<Record>) -> Measured {
    records.push(record(json!({"record": "end", "ok": true, "reason": ""})));
    let lines = records.iter().map(|_| "{}".to_owned()).collect();
    let (ending, elapsed) = (Ending::ByItself(Some(33)), Duration::ZERO);
    let machine = if path == Path::Bare { MachineName::QemuTcg } else { MachineName::Bochs };
    let report = Report { lines, records, ending, elapsed };
    Measured {
        path,
        rules: Rules::Tables,
        nested_page: NestedPage::Auto,
        machine,
        memory_mib: 256,
        report,
    }
}

/// All attacks on a method with these rules: each has this outcome, but those that are named.
fn attacks(
    (path, method, rules): (Path, &str, &str),
    most: (Option<bool>, &str),
    others: &[(AttackName, (Option<bool>, &str))],
) -> Vec<Record> {
    let told = |attack: &AttackName| {
        let other = others.iter().find(|(name, _)| name == attack).map(|(_, outcome)| *outcome);
        let (stopped, by) = other.unwrap_or(most);
        record(json!({"record": "attack", "path": path.name(), "method": method, "rules": rules,
            "attack": attack.name(), "stopped": stopped, "by": by}))
    };
    AttackName::ALL.iter().map(told).collect()
}

/// Rows and properties of these methods on bare metal.
fn measured(methods: &[&str]) -> Document {
    gather(Path::Bare, &[said(Path::Bare, "none", methods)])
}

/// A boot with rows and properties of these methods, which ran under these rules.
fn said(path: Path, rules: &str, methods: &[&str]) -> Measured {
    let ticks = json!({"mean": 1.0, "p50": 1.0, "p90": 1.0, "p99": 1.0, "p999": 1.0, "max": 1.0});
    let stages = json!({"total": ticks, "find": ticks, "edit": ticks, "flush": ticks, "write": ticks, "release": ticks});
    let events = json!({"vm_exits": 0.0, "vmfuncs": 0.0, "root_writes": 0.0, "invlpgs": 1.0, "ipis": 0.0,
        "entry_loads": 0.0, "entry_writes": 1.0});
    let mut records = Vec::new();
    for method in methods {
        records.push(record(json!({"record": "row", "path": path.name(), "method": method, "rules": rules, "sharers": 1, "batch": 32,
            "cpus": 1, "spaces": 1, "swap": "ram", "pages": 64, "ticks": stages, "events": events,
            "vm_exits_per_batch_max": 0, "fault_in": {"mean": 1.0, "p99": 1.0}, "irq_off_max": 0, "verified": 136,
            "lost": 0})));
        records.push(record(json!({"record": "property", "method": method, "virtual_bytes": 0, "bytes_per_space": 0,
            "irqs_off": false, "recursive_format": false, "above_4gib": null, "cpus_at_once": "", "nmi": null,
            "interrupts": null, "oracle_sees": true, "oracle_sees_foreign": true, "conformance": 14, "untested": 1,
            "irq_off_max": 0, "context_latency_max": 0})));
    }
    let conformance = 14 * methods.len();
    for (name, count) in [("audits", 9), ("stale", 0), ("lost", 0), ("conformance", conformance)] {
        records.push(record(json!({"record": "count", "name": name, "count": count})));
    }
    Measured { rules: rules.parse().unwrap_or(Rules::Tables), ..boot(path, records) }
}

fn gather(path: Path, boots: &[Measured]) -> Document {
    let one = |number| List::new([number]).expect("one number");
    let request = Request {
        paths: vec![path],
        methods: Asked::All,
        sharers: one(1),
        batch: one(32),
        pages: 64,
        seed: 7,
        cpus: 1,
        spaces: 0,
        swap: Swap::Ram,
        rules: vec![Rules::Tables],
        nested_page: NestedPage::Auto,
    };
    compare::gather(&request, boots, "0".into())
}

const UNTRIED: (AttackName, (Option<bool>, &str)) = (AttackName::Dma, (None, "no IOMMU"));

/// A direct map that stops nothing and a window that stops all, but for the device.
fn good() -> Document {
    let mut document = measured(&["direct-map", "temp-map"]);
    let bare = |method| (Path::Bare, method, "none");
    let records = [
        attacks(bare("direct-map"), (Some(false), "by the map"), &[UNTRIED]),
        attacks(bare("temp-map"), (Some(true), "page fault"), &[UNTRIED]),
    ];
    document.add_attacks(&[boot(Path::Bare, records.concat())]);
    document
}

#[test]
fn every_method_is_told_with_what_it_stops() {
    let document = good();
    assert_eq!(document.wrong, [""; 0]);
    let told = compare::attacks_told(&document.attacks).join("\n");
    let lines = |words: &str| told.lines().filter(|line| line.contains(words)).count();
    let line = |method: &str| told.lines().find(|line| line.contains(method)).expect(method);
    assert_eq!(line("direct-map").matches("NO 1").count(), AttackName::ALL.len() - 1, "{told}");
    assert_eq!(line("temp-map").matches("yes 2").count(), AttackName::ALL.len() - 1, "{told}");
    assert_eq!((lines("1: by the map"), lines("2: page fault"), lines("3: ")), (1, 1, 0), "{told}");
    assert_eq!(lines("dma is untested everywhere: no IOMMU"), 1, "{told}");
    assert!(told.lines().all(|line| line.len() <= 130), "{told}");
}

#[test]
fn the_files_say_what_each_method_stops() {
    let document = good();
    let directory = tempfile::tempdir().expect("a temporary directory");
    compare::write(&document, directory.path()).expect("it can be written");
    let text = |name: &str| std::fs::read_to_string(directory.path().join(name)).expect(name);
    let json: Value = serde_json::from_str(&text("compare.json")).expect("it is JSON");
    let stops = |at: usize| json["properties"][at]["stops"].clone();
    assert_eq!(stops(0)["stale-use"], json!(false));
    assert_eq!(stops(1)["stale-use"], json!(true));
    assert_eq!(stops(1)["dma"], Value::Null, "it was not tried");
    assert_eq!(json["attacks"][0]["by"], "by the map");
    assert_eq!(json["attacks"].as_array().map(Vec::len), Some(2 * AttackName::ALL.len()));
    let csv = text("compare.csv");
    let mut lines = csv.lines().map(|line| line.split(',').collect::<Vec<_>>());
    let headings = lines.next().expect("headings");
    let column = |name| headings.iter().position(|it| *it == name).expect(name);
    let (stale, dma) = (column("attack_stale-use"), column("attack_dma"));
    let cells: Vec<_> = lines.map(|it| (it[stale].to_owned(), it[dma].to_owned())).collect();
    let wanted = [("not stopped", "untested"), ("stopped", "untested")];
    assert_eq!(cells, wanted.map(|(a, b)| (a.to_owned(), b.to_owned())));
    let html = text("report.html");
    assert!(html.contains("What each method protects") && html.contains("<td>yes 2</td>"));
}

#[test]
fn without_attacks_nothing_is_said_of_them() {
    let document = measured(&["direct-map"]);
    assert_eq!(compare::attacks_told(&document.attacks), [""; 0]);
    let directory = tempfile::tempdir().expect("a temporary directory");
    compare::write(&document, directory.path()).expect("it can be written");
    let text = |name: &str| std::fs::read_to_string(directory.path().join(name)).expect(name);
    assert!(!text("compare.csv").contains("attack_") && !text("report.html").contains("protects"));
}

#[test]
fn what_is_not_said_is_wrong() {
    let mut document = measured(&["direct-map", "temp-map"]);
    let mut records = attacks((Path::Bare, "direct-map", "none"), (Some(true), ""), &[UNTRIED]);
    records.remove(0);
    let mut failed = boot(Path::Bare, records);
    let failure = json!({"record": "end", "ok": false, "reason": "the audit"});
    *failed.report.records.last_mut().expect("it has an end") = record(failure);
    document.add_attacks(&[failed]);
    assert_eq!(
        document.wrong,
        [
            "attacks, bare on qemu-tcg: the guest found: the audit",
            "bare on qemu-tcg: nothing is said of stray-write-foreign under direct-map",
            "bare on qemu-tcg: temp-map was not attacked",
        ]
    );
}

#[test]
fn with_several_rules_each_is_said_to_stop_what_it_stops() {
    let rules = [("tables", false), ("typed", true)];
    let mut document =
        gather(Path::Vmx, &rules.map(|(rules, _)| said(Path::Vmx, rules, &["direct-map"])));
    document.add_attacks(&rules.map(|(rules, stopped)| {
        let boot = boot(
            Path::Vmx,
            attacks((Path::Vmx, "direct-map", rules), (Some(stopped), rules), &[UNTRIED]),
        );
        Measured { rules: rules.parse().expect("rules"), ..boot }
    }));
    assert_eq!(document.wrong, [""; 0]);
    let stops = document.properties.iter().map(|it| it.stops["stale-use"].clone());
    assert_eq!(stops.collect::<Vec<_>>(), [json!(false), json!(true)]);
    let told = compare::attacks_told(&document.attacks).join("\n");
    assert!(told.contains("| tables ") && told.contains("| typed "), "{told}");
}

#[test]
fn a_method_that_some_rules_do_without_is_attacked_under_the_others() {
    let rules = [("tables", ["alias", "gate"].as_slice()), ("typed", &["alias"])];
    let attacked = |boots: [(&str, &[&str]); 2]| {
        let mut document =
            gather(Path::Vmx, &rules.map(|(rules, methods)| said(Path::Vmx, rules, methods)));
        document.add_attacks(&boots.map(|(rules, methods)| {
            let of = |method: &&str| attacks((Path::Vmx, method, rules), (Some(true), ""), &[]);
            let boot = boot(Path::Vmx, methods.iter().flat_map(of).collect());
            Measured { rules: rules.parse().expect("rules"), ..boot }
        }));
        document.wrong
    };
    assert_eq!(attacked(rules), [""; 0]);
    let wrong = attacked([("tables", &["alias"]), ("typed", &["alias", "gate"])]);
    assert_eq!(wrong, ["vmx on bochs: gate was not attacked"]);
}

#[test]
fn what_is_skipped_is_told_once() {
    let mut document = measured(&["direct-map"]);
    let skipped = |method: MethodName| {
        record(
            json!({"record": "skipped", "path": "bare", "method": method.name(), "reason": "no stub"}),
        )
    };
    let mut records = attacks((Path::Bare, "direct-map", "none"), (Some(true), ""), &[UNTRIED]);
    records.extend([skipped(MethodName::Alias), skipped(MethodName::Alias)]);
    document.add_attacks(&[boot(Path::Bare, records)]);
    assert_eq!(document.skipped.len(), 1);
}
