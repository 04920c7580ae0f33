//! What the guest writes is what the host reads.

use loadphys_plan::records::{
    Activity, Attack, Count, End, Evacuation, Events, LINE_BYTES, MOST_REASONS, Machine, Peer,
    Property, Record, Row, Skipped, Stages, Struck, Ticks, counts,
};

fn name<const N: usize>(text: &str) -> heapless::String<N> {
    text.try_into().expect("short enough")
}

fn there_and_back(record: &Record) -> Record {
    let line = serde_json_core::to_string::<_, LINE_BYTES>(record).expect("it fits in a line");
    assert!(line.starts_with("{\"record\":"), "{line}");
    serde_json::from_str(&line).expect("it is JSON")
}

/// The widest figures, so that the line is about as long as it can be.
fn wide_row() -> Row {
    let wide = -1.234_567_890_123_456_7e-200;
    let ticks = Ticks { mean: wide, p50: wide, p90: wide, p99: wide, p999: wide, max: wide };
    Row {
        path: name(&"p".repeat(32)),
        method: name(&"m".repeat(32)),
        rules: name(&"r".repeat(32)),
        sharers: u32::MAX,
        batch: u32::MAX,
        cpus: u32::MAX,
        spaces: u32::MAX,
        swap: name(&"s".repeat(32)),
        pages: u64::MAX,
        ticks: Stages {
            total: ticks,
            find: ticks,
            edit: ticks,
            flush: ticks,
            write: ticks,
            release: ticks,
        },
        events: Events { vm_exits: wide, entry_writes: wide, ..Events::default() },
        vm_exits_per_batch_max: u64::MAX,
        fault_in: Default::default(),
        irq_off_max: u64::MAX,
        verified: u64::MAX,
        lost: 0,
    }
}

fn peer() -> Peer {
    Peer {
        peer: name("linux"),
        release: name(&"r".repeat(32)),
        sharers: 64,
        batch: 32,
        pages: u64::MAX,
        written: u64::MAX,
        ticks: wide_row().ticks.total,
        fault_in: wide_row().ticks.total,
        verified: u64::MAX,
        lost: 1,
    }
}

#[test]
fn every_record_is_read_as_it_was_written() {
    let machine = Machine {
        path: name("bare"),
        cpu: name("a \"quoted\" brand"),
        cpus: 1,
        memory_mib: 255,
        pcid: false,
        loader: name("pvh"),
    };
    let property = Property {
        method: name("alias"),
        virtual_bytes: 1 << 30,
        bytes_per_space: 4096,
        irqs_off: true,
        recursive_format: false,
        above_4gib: Some(false),
        cpus_at_once: name("a slot each"),
        nmi: None,
        interrupts: Some(Struck { taken: u64::MAX, twin_in_wrong_space: 1, ..Struck::default() }),
        oracle_sees: true,
        oracle_sees_foreign: false,
        conformance: 12,
        untested: 1,
        irq_off_max: 170,
        context_latency_max: 0,
    };
    let evacuation = Evacuation {
        path: name("vmx"),
        method: name("in-context"),
        start: 0x10_0000,
        end: 0x20_0000,
        frames: 256,
        free: 1,
        pages: 2,
        tables: 3,
        roots: 4,
        entries: 5,
        ticks: wide_row().ticks.total,
        batch_max: 6,
        kernel_maps: 7,
        checked: 8,
        preemptions: 9,
        verified: 10,
        lost: 11,
    };
    let skipped = Skipped { path: name("bare"), method: name("alias"), reason: name("no stub") };
    let attack = |stopped| Attack {
        path: name("vmx"),
        method: name("space-switch-pcid"),
        rules: name("typed-preset"),
        attack: name("forged-entry-foreign"),
        stopped,
        by: name(&"b".repeat(160)),
    };
    let activity = |exits| Activity {
        path: name("vmx"),
        activity: name("idle"),
        method: name("space-switch-pcid"),
        cpus: 64,
        ticks: u64::MAX,
        microseconds: u64::MAX,
        interrupts: u64::MAX,
        evicted: u64::MAX,
        exits,
        by_reason: (0..MOST_REASONS).map(|_| (u64::MAX, u64::MAX)).collect(),
    };
    let records = [
        Record::Activity(activity(None)),
        Record::Activity(activity(Some(u64::MAX))),
        Record::Attack(attack(Some(true))),
        Record::Attack(attack(None)),
        Record::Machine(machine),
        Record::Row(wide_row()),
        Record::Peer(peer()),
        Record::Property(property),
        Record::Evacuation(evacuation),
        Record::Skipped(skipped),
        Record::Count(Count { name: name(counts::SWAP_FULL_REFUSALS), count: 3 }),
        Record::End(End { ok: false, reason: name("a line\nand another") }),
    ];
    for record in records {
        assert_eq!(there_and_back(&record), record);
    }
}
