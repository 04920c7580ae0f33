//! From records to a judged comparison, without a boot.

use std::time::Duration;

use loadphys_plan::command_line::{List, MethodName, NestedPage, Plan, Rules, Swap};
use loadphys_plan::records::{Record, Row};
use serde_json::{Value, json};
use xtask::boot::{Ending, Report};
use xtask::compare::{self, Asked, Document, Measured, Request};
use xtask::machines::{MachineName, Path};

fn list<T: PartialEq>(values: impl IntoIterator<Item = T>) -> List<T> {
    List::new(values).expect("different values")
}

fn request(methods: Asked) -> Request {
    let paths = vec![Path::Bare, Path::Vmx];
    Request {
        paths,
        methods,
        sharers: list([1]),
        batch: list([32]),
        pages: 64,
        seed: 7,
        cpus: 1,
        spaces: 0,
        swap: Swap::Ram,
        rules: vec![Rules::Tables],
        nested_page: NestedPage::Auto,
    }
}

fn row(path: &str, method: &str, mean: f64) -> Row {
    sized(path, method, (1, 32), mean)
}

/// A row with so many sharers and so large a batch.
fn sized(path: &str, method: &str, (sharers, batch): (u32, u32), mean: f64) -> Row {
    let ticks =
        json!({"mean": mean, "p50": mean, "p90": mean, "p99": mean, "p999": mean, "max": mean});
    let stages = json!({"total": ticks, "find": ticks, "edit": ticks, "flush": ticks, "write": ticks, "release": ticks});
    let events = json!({"vm_exits": 0.0, "vmfuncs": 0.0, "root_writes": 0.0, "invlpgs": 1.0, "ipis": 0.0,
        "entry_loads": 0.0, "entry_writes": 1.0});
    let rules = if path == "bare" { "none" } else { "tables" };
    let row = json!({"path": path, "method": method, "rules": rules, "sharers": sharers, "batch": batch, "cpus": 1, "spaces": 2,
        "swap": "ram", "pages": 64, "ticks": stages, "events": events, "vm_exits_per_batch_max": 0,
        "fault_in": {"mean": 1.0, "p99": 1.0}, "irq_off_max": 0, "verified": 136, "lost": 0});
    serde_json::from_value(row).expect("it has every field")
}

fn skipped(path: &str, method: &str) -> Record {
    record(json!({"record": "skipped", "path": path, "method": method, "reason": "no stub"}))
}

fn record(value: Value) -> Record {
    serde_json::from_value(value).expect("it is a record")
}

/// What a method was found to need, with so many conformance checks passed and one that could not be made.
fn property(method: &str, conformance: u64) -> Record {
    let struck = json!({"taken": 9, "held": 5, "in_foreign_root": 0, "twin_in_foreign_root": 3, "twin_in_wrong_space": 2});
    record(
        json!({"record": "property", "method": method, "virtual_bytes": 0, "bytes_per_space": 0, "irqs_off": true,
        "recursive_format": false, "above_4gib": null, "cpus_at_once": "a slot each", "nmi": true, "interrupts": struck,
        "oracle_sees": true, "oracle_sees_foreign": false, "conformance": conformance, "untested": 1, "irq_off_max": 7,
        "context_latency_max": 0}),
    )
}

/// A boot that said this and was content, each of its methods having passed 14 conformance checks.
fn boot(path: Path, machine: MachineName, mut records: Vec<Record>) -> Measured {
    let rows: Vec<String> = records.iter().filter_map(method_of).collect();
    records.extend(rows.iter().map(|method| property(method, 14)));
    let conformance = 14 * rows.len() as u64;
    for (name, count) in [("audits", 9), ("stale", 0), ("lost", 0), ("conformance", conformance)] {
        records.push(record(json!({"record": "count", "name": name, "count": count})));
    }
    records.push(record(json!({"record": "end", "ok": true, "reason": ""})));
    let lines = records.iter().map(|_| "{}".to_owned()).collect();
    let (ending, elapsed) = (Ending::ByItself(Some(33)), Duration::ZERO);
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

fn method_of(record: &Record) -> Option<String> {
    match record {
        Record::Row(row) => Some(row.method.to_string()),
        _ => None,
    }
}

fn bare(records: Vec<Record>) -> Measured {
    boot(Path::Bare, MachineName::QemuTcg, records)
}

fn vmx(records: Vec<Record>) -> Measured {
    boot(Path::Vmx, MachineName::Bochs, records)
}

fn gather(methods: Asked, boots: &[Measured]) -> Document {
    compare::gather(&request(methods), boots, "0".into())
}

fn usual(vmx_rows: [Row; 3]) -> Document {
    let boots = [
        bare(vec![Record::Row(row("bare", "recursive", 1000.0))]),
        vmx(vmx_rows.map(Record::Row).into()),
    ];
    gather(Asked::Usual, &boots)
}

fn good_rows() -> [Row; 3] {
    [row("vmx", "alias", 900.0), row("vmx", "hypercall", 1200.0), row("vmx", "recursive", 1200.0)]
}

#[test]
fn a_good_comparison_has_nothing_wrong() {
    let document = usual(good_rows());
    assert_eq!(document.wrong, [""; 0]);
    assert_eq!(document.rows.len(), 4);
}

#[test]
fn the_base_is_recursive_on_the_same_path() {
    let document = usual(good_rows());
    let ratios: Vec<_> = document.rows.iter().map(|row| row.ratio).collect();
    assert_eq!(ratios, [Some(1.0), Some(0.75), Some(1.0), Some(1.0)]);
    assert_eq!(document.rows[1].ratio_to.as_deref(), Some("bochs vmx"));
}

#[test]
fn without_it_the_base_is_recursive_on_bare_metal() {
    let methods = Asked::All;
    let boots = [
        bare(vec![Record::Row(row("bare", "recursive", 1000.0)), skipped("bare", "alias")]),
        vmx(vec![Record::Row(row("vmx", "alias", 900.0)), skipped("vmx", "recursive")]),
    ];
    let document = gather(methods, &boots);
    assert_eq!(document.rows[1].ratio, Some(0.9));
    assert_eq!(document.rows[1].ratio_to.as_deref(), Some("qemu-tcg bare"));
    assert_eq!(document.wrong, [""; 0]);
}

#[test]
fn every_broken_promise_is_named() {
    let [mut alias, mut hypercall, mut recursive] = good_rows();
    alias.events.vm_exits = 0.5;
    hypercall.vm_exits_per_batch_max = 2;
    (recursive.lost, recursive.verified) = (1, 135);
    let document = usual([alias, hypercall, recursive]);
    let lines = document.wrong.join("\n");
    assert_eq!(document.wrong.len(), 4, "{lines}");
    for words in [
        "alias, rules tables, sharers 1, batch 32: 0.500 exits",
        "hypercall",
        "1 pages lost",
        "135 of 136",
    ] {
        assert!(lines.contains(words), "{words} in {lines}");
    }
}

/// A comparison of two methods on vmx.
fn of_two(methods: [MethodName; 2], rows: Vec<Row>) -> Document {
    gather(Asked::Named(list(methods)), &[vmx(rows.into_iter().map(Record::Row).collect())])
}

#[test]
fn gate_and_views_of_roots_keep_their_promises_too() {
    let methods = [MethodName::Gate, MethodName::RootView];
    let [mut gate, mut view] = methods.map(|method| row("vmx", method.name(), 900.0));
    // Two spaces: a view for each may be asked for.
    view.events.vm_exits = 2.0 / 64.0;
    assert_eq!(of_two(methods, vec![gate.clone(), view.clone()]).wrong, [""; 0]);
    gate.events.vm_exits = 1.0 / 64.0;
    view.events.vm_exits = 3.0 / 64.0;
    let lines = of_two(methods, vec![gate.clone(), view.clone()]).wrong;
    let named = |method: &str| lines.iter().any(|line| line.contains(method));
    assert!(lines.len() == 2 && named("gate") && named("root-view"), "{lines:?}");
    // More spaces than every machine has views: some are asked for again.
    (gate.events.vm_exits, view.spaces) = (0.0, 4096);
    view.events.vm_exits = 1.0;
    assert_eq!(of_two(methods, vec![gate, view]).wrong, [""; 0]);
}

#[test]
fn the_gate_is_held_against_the_alias_by_the_batch() {
    let methods = [MethodName::Alias, MethodName::Gate];
    for (gate, measured, met) in [(900.5, 16.0, true), (899.0, -32.0, true), (901.0, 32.0, false)] {
        let rows = vec![
            row("vmx", "alias", 900.0),
            sized("vmx", "alias", (8, 32), 1.0),
            sized("vmx", "gate", (8, 32), 900.0),
            row("vmx", "gate", gate),
        ];
        let document = of_two(methods, rows);
        let targets: Vec<_> = document.targets.iter().filter(|it| it.method == "gate").collect();
        let [target] = &targets[..] else { panic!("{targets:?}") };
        assert_eq!((target.measured, target.limit, target.met), (measured, 20.0, met));
    }
    let document = of_two(methods, vec![row("vmx", "gate", 900.0)]);
    let told = compare::unmeasured_told(&document.unmeasured).join("\n");
    let wanted = "not measured: over alias, a batch: there is no row of alias beside it \
                  (--methods alias,gate measures it): gate on vmx (bochs)";
    assert!(told.contains(wanted), "{told}");
}

#[test]
fn a_row_that_is_missing_is_named() {
    let rows = good_rows().into_iter().skip(1).map(Record::Row).collect();
    let boots = [bare(vec![Record::Row(row("bare", "recursive", 1000.0))]), vmx(rows)];
    let document = gather(Asked::Usual, &boots);
    assert_eq!(document.wrong, ["vmx on bochs: 0 of 1 rows for alias"]);
}

#[test]
fn a_method_that_a_path_might_have_had_is_named() {
    let named = |method| Asked::Named(list([method]));
    let document = gather(named(MethodName::Mirror), &[bare(vec![skipped("bare", "mirror")])]);
    assert_eq!(document.wrong, ["mirror did not run on bare: no stub"]);
    let document = gather(named(MethodName::Alias), &[bare(vec![skipped("bare", "alias")])]);
    assert_eq!(document.wrong, [""; 0]);
    let document = gather(Asked::All, &[bare(vec![skipped("bare", "mirror")])]);
    assert_eq!(document.wrong, [""; 0]);
}

#[test]
fn a_method_that_no_path_has_is_impossible() {
    let only_bare = |method| Request {
        paths: vec![Path::Bare],
        ..request(Asked::Named(list([MethodName::Recursive, method])))
    };
    assert_eq!(only_bare(MethodName::Alias).impossible(), Some(MethodName::Alias));
    assert_eq!(only_bare(MethodName::Mirror).impossible(), None);
    assert_eq!(request(Asked::Named(list([MethodName::Alias]))).impossible(), None);
}

#[test]
fn a_boot_may_take_longer_the_more_pages_it_checks() {
    let limit = |sharers, batch| {
        let asked = Request { sharers, batch, pages: 1020, ..request(Asked::Usual) };
        asked.time_limit(Path::Vmx, MachineName::Bochs).as_secs()
    };
    // Three methods, two rounds, 1020 pages and 4 private ones for each sharer, 2000 a second.
    assert_eq!(limit(list([1]), list([32])), 600 + 3 * 2 * 1024 / 2000);
    assert_eq!(limit(list([1, 63]), list([1, 32])), 600 + 2 * 64 * 3 * 2 * 1024 / 2000);
}

#[test]
fn counts_must_be_there_and_good() {
    let mut boot = bare(vec![Record::Row(row("bare", "recursive", 1000.0))]);
    let methods = || Asked::Named(list([MethodName::Recursive]));
    let document = gather(methods(), &[boot.clone()]);
    assert_eq!(
        compare::verdict(&document),
        "1 rows, 136 pages verified, none lost, 9 audits and 14 conformance checks passed"
    );
    boot.report.records.retain(|record| !matches!(record, Record::Count(_)));
    boot.report.lines.truncate(boot.report.records.len());
    let document = gather(methods(), &[boot]);
    assert_eq!(
        document.wrong,
        [
            "bare on qemu-tcg: no audit was recorded",
            "bare on qemu-tcg: no count of stale translations",
            "bare on qemu-tcg: no count of lost pages",
            "bare on qemu-tcg: no count of conformance checks, 14 of its methods"
        ]
    );
}

#[test]
fn methods_that_were_not_checked_are_named() {
    let mut boot = bare(vec![Record::Row(row("bare", "recursive", 1000.0))]);
    boot.report.records.retain(|record| !matches!(record, Record::Property(_)));
    boot.report.lines.truncate(boot.report.records.len());
    let document = gather(Asked::Named(list([MethodName::Recursive])), &[boot]);
    assert_eq!(
        document.wrong,
        [
            "bare on qemu-tcg: recursive passed no conformance check",
            "bare on qemu-tcg: 14 conformance checks, 0 of its methods"
        ]
    );
}

#[test]
fn methods_that_were_checked_less_than_others_are_named() {
    let mut boots = [bare(vec![Record::Row(row("bare", "recursive", 1000.0))]), vmx(vec![])];
    let [_, vmx] = &mut boots;
    vmx.report.records.insert(0, Record::Row(row("vmx", "recursive", 1000.0)));
    vmx.report.records.insert(1, property("recursive", 13));
    vmx.report.records.push(record(json!({"record": "count", "name": "conformance", "count": 13})));
    vmx.report
        .records
        .retain(|it| !matches!(it, Record::Count(it) if it.name == "conformance" && it.count == 0));
    vmx.report.lines = vmx.report.records.iter().map(|_| "{}".to_owned()).collect();
    let document = gather(Asked::Named(list([MethodName::Recursive])), &boots);
    assert_eq!(
        document.wrong,
        ["methods were asked different numbers of conformance checks: {14, 15}"]
    );
}

#[test]
fn what_interrupts_would_do_is_told() {
    let lines = compare::conformance_told(&usual(good_rows())).join("\n");
    let struck = "alias on vmx (bochs): 5 interrupts had to wait, 0 struck in a foreign root; \
        in a twin that lets them in 3 struck there";
    for words in
        ["conformance: 15 checks of each method", "later not under: ", "all on vmx", struck]
    {
        assert!(lines.contains(words), "{words} in {lines}");
    }
}

#[test]
fn a_boot_that_failed_is_named() {
    let mut boot = bare(vec![Record::Row(row("bare", "recursive", 1000.0))]);
    boot.report.records.pop();
    boot.report.ending = Ending::OverTime(Duration::from_secs(9));
    let document = gather(Asked::Named(list([MethodName::Recursive])), &[boot]);
    assert_eq!(document.wrong, ["bare on qemu-tcg: it did not end within 9 s; its last line: {}"]);
}

/// What is told of rows of two methods: sharers and batch, then a mean of each.
fn told(rows: &[((u32, u32), f64, f64)]) -> Vec<String> {
    let both = |&(size, first, second): &((u32, u32), f64, f64)| {
        [("mirror", first), ("recursive", second)]
            .map(|(method, mean)| Record::Row(sized("bare", method, size, mean)))
    };
    let boots = [bare(rows.iter().flat_map(both).collect())];
    compare::flips_told(&gather(Asked::All, &boots).flips)
}

#[test]
fn methods_that_change_places_are_told_with_the_sizes_on_both_sides() {
    let rows = [((1, 32), 90.0, 80.0), ((1, 1), 70.0, 80.0), ((2, 1), 90.0, 80.0)];
    let batch_grows = "from batch 1 to 32 with sharers 1";
    let sharers_grow = "from 1 to 2 sharers with batch 1";
    let pair = "qemu-tcg bare: recursive passes mirror";
    assert_eq!(told(&rows), [format!("{pair} {batch_grows}; {sharers_grow}")]);
}

#[test]
fn flips_between_the_same_sizes_are_told_together() {
    let sharers = |batch, size, mean| ((size, batch), mean, 80.0);
    let rows = [1, 8, 32].map(|batch| [sharers(batch, 1, 70.0), sharers(batch, 2, 90.0)]);
    let line = "qemu-tcg bare: recursive passes mirror from 1 to 2 sharers with batch 1, 8, 32";
    assert_eq!(told(rows.as_flattened()), [line]);
}

#[test]
fn a_draw_is_no_change_of_places() {
    let close = [((1, 1), 1000.0, 1009.0), ((1, 2), 1009.0, 1000.0), ((1, 4), 1000.0, 1011.0)];
    assert_eq!(told(&close), [""; 0]);
    let through_a_draw = [((1, 1), 70.0, 80.0), ((1, 2), 80.0, 80.0), ((1, 4), 90.0, 80.0)];
    let line = "qemu-tcg bare: recursive passes mirror from batch 1 to 4 with sharers 1";
    assert_eq!(told(&through_a_draw), [line]);
}

#[test]
fn all_files_are_written() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let files = compare::write(&usual(good_rows()), directory.path()).expect("it can be written");
    let text = |name: &str| std::fs::read_to_string(directory.path().join(name)).expect(name);
    let json: Value = serde_json::from_str(&text("compare.json")).expect("it is JSON");
    assert_eq!(json["schema"], "loadphys.compare/1");
    assert_eq!(json["rows"][1]["ticks"]["total"]["p999"], 900.0);
    let csv = text("compare.csv");
    let columns = |line: &str| line.split(',').count();
    assert_eq!(csv.lines().count(), 5);
    assert!(csv.lines().all(|line| columns(line) == columns(csv.lines().next().unwrap())));
    assert!(text("report.html").contains("<svg"));
    assert_eq!(files.len(), 5, "one batch size makes two pictures");
}

/// A boot under typed rules, with rows of these methods.
fn typed_boot(methods: &[(&str, f64, f64)]) -> Measured {
    let rows = methods.iter().map(|(method, mean, exits)| {
        let mut row = row("vmx", method, *mean);
        row.rules = "typed".parse().expect("a name");
        row.events.vm_exits = *exits;
        row.vm_exits_per_batch_max = 1;
        Record::Row(row)
    });
    let boot = boot(Path::Vmx, MachineName::Bochs, rows.collect());
    Measured { rules: Rules::Typed, ..boot }
}

#[test]
fn rows_are_set_against_recursive_under_the_same_rules() {
    let methods = Asked::Named(list([MethodName::Alias, MethodName::Recursive]));
    let request = Request { paths: vec![Path::Vmx], ..request(methods) };
    let rows = [row("vmx", "alias", 50.0), row("vmx", "recursive", 100.0)].map(Record::Row);
    let tables = boot(Path::Vmx, MachineName::Bochs, rows.to_vec());
    let typed = typed_boot(&[("alias", 80.0, 0.03), ("recursive", 160.0, 0.0)]);
    let document = compare::gather(&request, &[tables, typed], String::new());
    assert_eq!(document.wrong, Vec::<String>::new());
    let ratios: Vec<_> = document.rows.iter().map(|row| row.ratio).collect();
    assert_eq!(ratios, [Some(0.5), Some(1.0), Some(0.5), Some(1.0)]);
    let table = compare::table(&document).to_string();
    assert!(table.contains("| typed ") && table.contains("| tables "), "{table}");
    let rules: Vec<_> = document.properties.iter().map(|it| it.rules).collect();
    assert_eq!(rules, ["tables", "tables", "typed", "typed"]);
    assert!(document.flips.is_empty(), "one size has no flips, whatever the rules");
}

#[test]
fn without_recursive_under_typed_rules_the_usual_ones_have_to_do() {
    let request = Request { paths: vec![Path::Vmx], ..request(Asked::All) };
    let tables =
        boot(Path::Vmx, MachineName::Bochs, vec![Record::Row(row("vmx", "recursive", 100.0))]);
    let document = compare::gather(
        &request,
        &[tables, typed_boot(&[("hypercall", 150.0, 0.03)])],
        String::new(),
    );
    assert_eq!(document.rows[1].ratio, Some(1.5));
}

#[test]
fn plans_ask_each_path_for_what_it_is_known_for() {
    let plan = |path, machine| request(Asked::Usual).plan(path, machine, Rules::Typed);
    let bare: Plan = plan(Path::Bare, MachineName::QemuTcg);
    assert!(bare.to_string().contains("methods=recursive sharers=1 batch=32 pages=64 rounds=1"));
    let vmx = plan(Path::Vmx, MachineName::QemuKvm).to_string();
    assert!(vmx.contains("rules=typed"), "{vmx}");
    assert!(
        vmx.contains("methods=alias,hypercall,recursive") && vmx.contains("exit=isa-debug"),
        "{vmx}"
    );
}

#[test]
fn a_method_is_held_against_itself_on_bare_metal() {
    let methods = Asked::Named(list([MethodName::Recursive, MethodName::Alias]));
    let of = |machine, wider| {
        let bare =
            vec![row("bare", "recursive", 1000.0), sized("bare", "recursive", (8, 32), 2000.0)];
        let svm = vec![
            row("svm", "recursive", 1001.0),
            sized("svm", "recursive", (8, 32), wider),
            row("svm", "alias", 1.0),
        ];
        let boot = |path, machine, rows: Vec<Row>| {
            boot(path, machine, rows.into_iter().map(Record::Row).collect())
        };
        let boots = [boot(Path::Bare, MachineName::QemuTcg, bare), boot(Path::Svm, machine, svm)];
        gather(methods.clone(), &boots)
    };
    // The row that differs most counts; too little is as wrong as too much.
    for (wider, percent, met) in [(2010.0, 0.5, true), (1970.0, -1.5, false), (2030.0, 1.5, false)]
    {
        let document = of(MachineName::QemuTcg, wider);
        let told = compare::targets_told(&document.targets).to_string();
        let found = document.targets.iter().filter(|it| it.path == "svm" && it.limit == 1.0);
        let found: Vec<_> = found.collect();
        let [target] = &found[..] else { panic!("{told}") };
        assert!((target.measured - percent).abs() < 1e-9, "{}", target.measured);
        assert_eq!(target.met, met);
        assert!(told.contains(&format!("{percent:.2}")), "{told}");
    }
    let document = of(MachineName::Bochs, 2000.0);
    let told = compare::unmeasured_told(&document.unmeasured).join("\n");
    let wanted = "under the stub, percent: bochs has another CPU for bare \
                  (--path bare,svm without --machine measures it): recursive on svm (bochs)";
    assert!(told.contains(wanted), "{told}");
    let document = usual(good_rows());
    let told = compare::unmeasured_told(&document.unmeasured).join("\n");
    let wanted = "under the stub, percent: there is no row of bare beside it \
                  (--path bare,vmx --machine bochs measures it): recursive on vmx (bochs)";
    assert!(told.contains(wanted), "{told}");
}

/// A boot in which exits were counted.
fn watched(exits: [Value; 2]) -> Measured {
    let activity = |(activity, exits): (&str, Value)| {
        record(
            json!({"record": "activity", "path": "vmx", "activity": activity, "method": "recursive", "cpus": 2, "ticks": 9,
            "microseconds": 62_500, "interrupts": 3, "evicted": 4, "by_reason": [[18, 5]], "exits": exits}),
        )
    };
    let records = ["idle", "busy"].into_iter().zip(exits).map(activity).collect();
    vmx(records)
}

#[test]
fn exits_are_told_by_the_second_of_the_machine() {
    let mut document = usual(good_rows());
    let told = compare::unmeasured_told(&document.unmeasured).join("\n");
    assert!(
        told.contains("idle, exits a second: exits were not counted (--exits counts them)"),
        "{told}"
    );
    document.add_activities(&[watched([json!(0), json!(5)])]);
    assert_eq!(document.wrong, [""; 0]);
    let exits: Vec<_> = document.targets.iter().filter(|it| it.limit == 0.0).collect();
    let exits: Vec<_> = exits.iter().map(|it| (it.measured, it.met)).collect();
    assert_eq!(exits, [(0.0, true), (80.0, false)]);
    let told = compare::activities_told(&document.activities).join("\n");
    let wanted = "busy guest on vmx (bochs, 2 CPU(s)): 5 exits (5 of reason 18) in 62.5 ms of the machine's own clock and 9 ticks, 80 a second";
    assert!(told.contains(wanted), "{told}");
    let told = compare::unmeasured_told(&document.unmeasured).join("\n");
    assert!(!told.contains("exits a second"), "{told}");
}

#[test]
fn a_boot_that_did_not_count_exits_is_named() {
    let mut document = usual(good_rows());
    document.add_activities(&[watched([json!(0), Value::Null])]);
    assert_eq!(document.wrong, ["idle and busy, vmx on bochs: exits of a guest were not counted"]);
}
