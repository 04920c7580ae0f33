//! The cost model on rows whose costs are worked out by hand, without a boot.

use std::time::Duration;

use loadphys_plan::command_line::{List, NestedPage, Rules, Swap};
use loadphys_plan::records::Record;
use serde_json::{Value, json};
use xtask::boot::{Ending, Report};
use xtask::compare::{self, Asked, Document, Measured, Request};
use xtask::machines::{MachineName, Path};

const BRAND: &str = "Some CPU @ 3.00GHz";

fn record(value: Value) -> Record {
    serde_json::from_value(value).expect("it is a record")
}

/// A row with 8 sharers in batches of 32, after `changes`.
fn row(path: Path, method: &str, mean: f64, events: Value, changes: Value) -> Record {
    let ticks =
        json!({"mean": mean, "p50": mean, "p90": mean, "p99": mean, "p999": mean, "max": mean});
    let stages = json!({"total": ticks, "find": ticks, "edit": ticks, "flush": ticks, "write": ticks, "release": ticks});
    let mut all = json!({"vm_exits": 0.0, "vmfuncs": 0.0, "root_writes": 0.0, "invlpgs": 0.0, "ipis": 0.0,
        "entry_loads": 0.0, "entry_writes": 8.0});
    merge(&mut all, events);
    let rules = if path == Path::Bare { "none" } else { "tables" };
    let mut row = json!({"record": "row", "path": path.name(), "method": method, "rules": rules, "sharers": 8, "batch": 32,
        "cpus": 1, "spaces": 8, "swap": "ram", "pages": 64, "ticks": stages, "events": all, "vm_exits_per_batch_max": 0,
        "fault_in": {"mean": 1.0, "p99": 1.0}, "irq_off_max": 0, "verified": 512, "lost": 0});
    merge(&mut row, changes);
    record(row)
}

fn merge(into: &mut Value, from: Value) {
    let Value::Object(from) = from else { panic!("{from} is no object") };
    into.as_object_mut().expect("it is an object").extend(from);
}

fn boot(path: Path, machine: MachineName, row: Record) -> Measured {
    let found = json!({"record": "machine", "path": path.name(), "cpu": BRAND, "cpus": 1, "memory_mib": 256,
        "pcid": true, "loader": "pvh"});
    let records = vec![record(found), row];
    let lines = records.iter().map(|_| "{}".to_owned()).collect();
    let (ending, elapsed) = (Ending::ByItself(Some(33)), Duration::ZERO);
    let report = Report { lines, records, ending, elapsed };
    let (rules, nested_page) = (Rules::Tables, NestedPage::Auto);
    Measured { path, rules, nested_page, machine, memory_mib: 256, report }
}

fn gather(boots: &[Measured]) -> Document {
    let of = |value| List::new([value]).expect("one value");
    let request = Request {
        paths: Path::ALL.to_vec(),
        methods: Asked::All,
        sharers: of(8),
        batch: of(32),
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

/// Recursion: 8 INVLPGs a page, and a write of CR3 every other.
fn recursive(path: Path, machine: MachineName, mean: f64) -> Measured {
    let events = json!({"invlpgs": 8.0, "root_writes": 0.5});
    boot(path, machine, row(path, "recursive", mean, events, json!({})))
}

/// What is projected of the only row of a machine on a processor.
fn projected(document: &Document, machine: MachineName, processor: &str) -> Value {
    let costs = serde_json::to_value(compare::costs(document)).expect("it is JSON");
    let rows = costs["rows"].as_array().expect("a list");
    let of = |it: &&Value| it["machine"] == machine.name() && it["processor"] == processor;
    let found: Vec<&Value> = rows.iter().filter(of).collect();
    let [only] = &found[..] else { panic!("{} rows of {processor}", found.len()) };
    (*only).clone()
}

#[test]
fn a_row_costs_what_is_worked_out_by_hand() {
    let document = gather(&[recursive(Path::Bare, MachineName::QemuTcg, 1000.0)]);
    let of = |processor| projected(&document, MachineName::QemuTcg, processor);
    // 1000 / 2 + 8 x 93 + 0.5 x 127; 1000 / 0.5 + 8 x 280 (cold 584) + 0.5 x 230.
    assert_eq!(of("Intel of Molnar")["cycles"], json!({"low": 1307.5, "high": 4355.0}));
    assert_eq!(of("any Intel")["cycles"], json!({"low": 1307.5, "high": 6787.0}));
    let molnar = of("Intel of Molnar");
    assert_eq!((&molnar["instructions"], &molnar["measured"]), (&json!(1000.0), &Value::Null));
    assert_eq!(molnar["instructions_from"], "qemu-tcg bare");
}

#[test]
fn a_processor_without_a_cost_has_no_projection() {
    let document = gather(&[recursive(Path::Bare, MachineName::QemuTcg, 1000.0)]);
    let lacks = [
        ("Intel of SkyBridge", json!(["invlpg"])),
        ("Skylake-SP", json!(["root_write", "invlpg"])),
        ("AMD of Roth", json!(["root_write", "invlpg"])),
    ];
    for (processor, events) in lacks {
        let row = projected(&document, MachineName::QemuTcg, processor);
        assert_eq!((&row["cycles"], &row["not_published"]), (&Value::Null, &events), "{processor}");
    }
    let told = compare::costs_told(&compare::costs(&document));
    assert!(!told.headings.iter().any(|it| it.contains("AMD")), "{:?}", told.headings);
    let notes = told.notes.join("\n");
    for line in ["AMD of Roth: not published: MOV CR3, INVLPG", "an assumption without a source"] {
        assert!(notes.contains(line), "{line} in {notes}");
    }
}

#[test]
fn what_costs_nothing_published_is_never_left_out_in_silence() {
    let off = row(Path::Bare, "paging-off", 1000.0, json!({}), json!({}));
    let document = gather(&[boot(Path::Bare, MachineName::QemuTcg, off)]);
    let row = projected(&document, MachineName::QemuTcg, "any Intel");
    assert_eq!((&row["cycles"], &row["not_published"]), (&Value::Null, &json!(["paging_off"])));
}

#[test]
fn vendors_have_their_own_paths() {
    let calls = |path| row(path, "hypercall", 1000.0, json!({"vm_exits": 0.5}), json!({}));
    let document = gather(&[
        boot(Path::Vmx, MachineName::Bochs, calls(Path::Vmx)),
        boot(Path::Svm, MachineName::QemuTcg, calls(Path::Svm)),
    ]);
    let intel = projected(&document, MachineName::Bochs, "Skylake-SP");
    assert_eq!(intel["cycles"], json!({"low": 838.0, "high": 2713.0}));
    let amd = projected(&document, MachineName::QemuTcg, "AMD of Roth");
    assert_eq!(amd["cycles"], json!({"low": 1172.0, "high": 2688.0}));
    let told = compare::costs_told(&compare::costs(&document));
    let cells = |line: &[String]| line[7..].to_vec();
    assert_eq!(
        told.headings[7..],
        ["Skylake-SP", "any Intel", "AMD of Roth"].map(|it| format!("projected: {it}"))
    );
    assert_eq!(cells(&told.lines[0]), ["838 to 2713", "838 to 2713", "-"]);
    assert_eq!(cells(&told.lines[1]), ["-", "-", "1172 to 2688"]);
}

#[test]
fn on_hardware_model_and_measurement_stand_side_by_side() {
    let hardware = recursive(Path::Bare, MachineName::QemuKvm, 2615.0);
    let emulated = recursive(Path::Vmx, MachineName::Bochs, 1000.0);
    let document = gather(&[hardware, emulated]);
    let row = projected(&document, MachineName::QemuKvm, "Intel of Molnar");
    assert_eq!(row["instructions_from"], "bochs vmx");
    assert_eq!(row["cycles"], json!({"low": 1307.5, "high": 4355.0}));
    assert_eq!(
        (&row["measured"]["cycles"], &row["measured"]["cpu"]),
        (&json!(2615.0), &json!(BRAND))
    );
    assert_eq!(row["measured"]["error_percent"]["low"], -50.0);
    let told = compare::costs_told(&compare::costs(&document));
    let line = told.lines[0].join(" | ");
    assert!(line.contains("1308 to 4355 (error -50 % to +67 %)"), "{line}");
    assert!(line.ends_with(&format!("2615 on {BRAND}")), "{line}");
    assert!(told.lines[1].join(" | ").ends_with("1308 to 6787 | -"), "{:?}", told.lines[1]);
}

#[test]
fn a_guest_of_a_guest_of_kvm_pays_for_both() {
    let events = json!({"vm_exits": 0.5, "vmfuncs": 1.0});
    let row = |mean| row(Path::Vmx, "root-view", mean, events.clone(), json!({}));
    let document = gather(&[
        boot(Path::Vmx, MachineName::QemuKvm, row(9000.0)),
        boot(Path::Vmx, MachineName::Bochs, row(1000.0)),
    ]);
    let nested = projected(&document, MachineName::QemuKvm, "any Intel");
    assert_eq!(
        nested["cycles"],
        json!({"low": 500.0 + 6600.0 + 1800.0, "high": 2000.0 + 7450.0 + 3900.0})
    );
    let alone = projected(&document, MachineName::Bochs, "any Intel");
    assert_eq!(
        alone["cycles"],
        json!({"low": 500.0 + 338.0 + 134.0, "high": 2000.0 + 713.0 + 134.0})
    );
}

#[test]
fn ticks_that_are_no_instructions_are_not_taken_for_them() {
    let calls = |path| row(path, "hypercall", 1000.0, json!({"vm_exits": 0.5}), json!({}));
    let changed = |changes| row(Path::Vmx, "hypercall", 1000.0, json!({}), changes);
    let alone = boot(Path::Vmx, MachineName::QemuKvm, calls(Path::Vmx));
    let other_stub = boot(Path::Svm, MachineName::QemuTcg, calls(Path::Svm));
    let kvm = MachineName::QemuKvm;
    let cases = [
        (
            kvm,
            vec![alone, other_stub],
            "no row of the same work was measured where a tick is an instruction",
        ),
        (
            MachineName::Bochs,
            vec![boot(Path::Vmx, MachineName::Bochs, changed(json!({"swap": "ata"})))],
            "ticks while a disk works are no instructions",
        ),
        (
            MachineName::Bochs,
            vec![boot(Path::Vmx, MachineName::Bochs, changed(json!({"cpus": 2})))],
            "ticks of a round on several CPUs are not one CPU's instructions",
        ),
    ];
    for (machine, boots, reason) in cases {
        let row = projected(&gather(&boots), machine, "any Intel");
        assert_eq!((&row["reason"], &row["cycles"]), (&json!(reason), &Value::Null));
    }
}

#[test]
fn files_keep_projections_apart() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let document = gather(&[recursive(Path::Bare, MachineName::QemuTcg, 1000.0)]);
    compare::write(&document, directory.path()).expect("it can be written");
    let text = |name: &str| std::fs::read_to_string(directory.path().join(name)).expect(name);
    let json: Value = serde_json::from_str(&text("compare.json")).expect("it is JSON");
    assert!(
        json["projected"]["what"]
            .as_str()
            .is_some_and(|it| it.starts_with("projected, not measured"))
    );
    assert_eq!(json["projected"]["rows"].as_array().map(Vec::len), Some(6));
    assert!(json["rows"][0].get("cycles").is_none());
    assert!(!text("compare.csv").contains("projected"));
    let html = text("report.html");
    let (before, after) = html.split_once("<h2>Projection").expect("a heading");
    assert!(!before.contains("1308 to 4355") && after.contains("1308 to 4355"));
}
