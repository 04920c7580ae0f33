//! What is tried with views, on the boot CPU and on the first of the others.

use core::sync::atomic::{AtomicU64, Ordering};

use loadphys_abi::counters::Counters;
use loadphys_abi::discovery::GATE_VIEW;
use loadphys_abi::{Call, Kept, Status};

use loadphys_test_guests::team::{self, Post, comes, post};
use loadphys_test_guests::{apic, calls, ring3, traps, window};

use crate::gate::{self, Visit, Watch};
use crate::roots;

/// All trials, in order.
pub const ALL: [(&str, fn()); 9] = [
    ("without a gate there is no way into another view", no_gate),
    ("the gate is set once, and nobody can write to it", set_gate),
    ("the gate sees tables that are kept for it, and nothing else does", look),
    ("VMFUNC outside of the gate is refused, in ring 0, in ring 3 and in 32-bit code", strays),
    ("VMFUNC with what is not there is refused, and the gate is left", wrong_switches),
    ("a table that is kept for the gate is out of its reach when it is released", revocation),
    ("an NMI waits until the gate is left", nmi_in_the_gate),
    ("a view of another root translates by its tables", other_root),
    ("views are recycled, and a root that is released takes its views along", recycling),
];

/// Vectors of exceptions.
const INVALID_OPCODE: u64 = 6;
const GENERAL_PROTECTION: u64 = 13;

/// How much a trial has made this counter grow.
fn growth(count: fn(&Counters) -> u64, trial: impl FnOnce()) -> u64 {
    let before = count(&calls::counters());
    trial();
    count(&calls::counters()) - before
}

fn strays_by(trial: impl FnOnce()) -> u64 {
    growth(|counters| counters.view_strays, trial)
}

fn no_gate() {
    let features = calls::features();
    assert!(features.views > GATE_VIEW + 1);
    let strays = strays_by(|| assert_eq!(gate::outside(0, GATE_VIEW), INVALID_OPCODE));
    assert_eq!(strays, 1);
    let (status, _) = calls::call(Call::BindView, roots::own(), roots::own(), 0);
    assert_eq!(status, Some(Status::NotOffered));
}

fn set_gate() {
    let set = |frame| calls::call(Call::SetGate, frame, 0, 0).0;
    assert_eq!(set(gate::page() + 8), Some(Status::Unaligned));
    assert_eq!(set(0x300_0000), Some(Status::NotOffered), "that is not in the image");
    assert!(traps::write(gate::page() + 0xff8), "it can be written to before");
    assert_eq!(set(gate::page()), Some(Status::Done));
    assert!(!traps::write(gate::page() + 0xff8), "and not any more");
    assert_eq!(set(gate::page()), Some(Status::GateIsSet));
    let (status, _) = calls::call(Call::Counters, gate::page(), 0, 0);
    assert_eq!(status, Some(Status::OutsideMemory), "nor by a call");
    let (status, _) = calls::call(Call::RegisterTable, gate::page(), 1, 0);
    assert_eq!(status, Some(Status::OutsideMemory));
}

/// What is in the frame while it is a table, and what must not be seen by way of the gate.
const TABLE: u64 = 0x7ab1e;
const SECRET: u64 = 0x5ec4e7;

fn keep(number: usize, kept: Kept) {
    let (status, _) = calls::call(Call::RegisterTable, window::frame(number), 1, kept.number());
    assert_eq!(status, Some(Status::Done));
}

fn release(number: usize) {
    calls::set_table(window::frame(number), false);
}

fn look() {
    let through_gate = |number| Visit::short(GATE_VIEW, window::shown(number)).go();
    window::store(0, TABLE);
    keep(0, Kept::Gate);
    keep(1, Kept::Alias);
    let strays = strays_by(|| {
        assert_eq!(through_gate(0), Ok(TABLE));
        assert_eq!(traps::look(window::shown(0)), None, "the usual alias does not show it");
        assert_eq!(through_gate(1), Err(GENERAL_PROTECTION), "it is not the gate's");
        assert_eq!(through_gate(2), Err(GENERAL_PROTECTION), "it is no table");
        assert_eq!(through_gate(0), Ok(TABLE), "the gate works as before");
    });
    assert_eq!(strays, 0, "the gate itself is no stray");
    release(0);
    release(1);
    assert_eq!(through_gate(0), Err(GENERAL_PROTECTION));
}

fn strays() {
    let strays = strays_by(|| assert_eq!(gate::outside(0, GATE_VIEW), GENERAL_PROTECTION));
    assert_eq!(strays, 1);
    ring3::prepare();
    for mode in ring3::MODES {
        let strays =
            strays_by(|| assert_eq!(ring3::vmfunc(mode, 0, GATE_VIEW), GENERAL_PROTECTION));
        assert_eq!(strays, 1, "{mode:?}");
    }
    let strays = strays_by(|| {
        // The usual view is where it is already.
        for mode in ring3::MODES {
            assert_eq!(ring3::vmfunc(mode, 0, 0), INVALID_OPCODE);
        }
        assert_eq!(gate::outside(0, 0), 0);
    });
    assert_eq!(strays, 0);
}

/// EAX and ECX: other functions, places that are empty or beyond the list.
const WRONG: [(u32, u32); 6] = [(1, 0), (63, 0), (0, 2), (0, 511), (0, 512), (0, u32::MAX)];

fn wrong_switches() {
    keep(0, Kept::Gate);
    for (function, view) in WRONG {
        let strays = strays_by(|| assert_eq!(gate::outside(function, view), INVALID_OPCODE));
        assert_eq!(strays, 1, "VMFUNC {function} {view}");
        for mode in ring3::MODES {
            let refused = || assert_eq!(ring3::vmfunc(mode, function, view), INVALID_OPCODE);
            assert_eq!(strays_by(refused), 1, "VMFUNC {function} {view} in ring 3, {mode:?}");
        }
        let word = window::shown(0);
        let visit = Visit { leave: (function, view), ..Visit::short(GATE_VIEW, word) };
        let strays = strays_by(|| assert_eq!(visit.go(), Err(INVALID_OPCODE)));
        assert_eq!(strays, 1, "VMFUNC {function} {view} in the gate");
        assert_eq!(traps::look(word), None, "the gate has been left");
    }
    // There can be no more than 64 functions: no exit, nothing to be counted.
    assert_eq!(gate::outside(64, 0), INVALID_OPCODE);
    release(0);
}

/// Words of a table that the gate found, faults, and words that it must not find.
static SEEN: AtomicU64 = AtomicU64::new(0);
static FAULTS: AtomicU64 = AtomicU64::new(0);
static STRAY: AtomicU64 = AtomicU64::new(0);

fn look_through_gate(_: &Post) {
    let count = match Visit::short(GATE_VIEW, window::shown(0)).go() {
        Ok(TABLE) => &SEEN,
        Ok(_) => &STRAY,
        Err(_) => &FAULTS,
    };
    count.fetch_add(1, Ordering::SeqCst);
}

fn revocation() {
    for _ in 0..10 {
        window::store(0, TABLE);
        keep(0, Kept::Gate);
        let (seen, faults) = (SEEN.load(Ordering::SeqCst), FAULTS.load(Ordering::SeqCst));
        team::give(1, Some(look_through_gate));
        assert!(comes(|| SEEN.load(Ordering::SeqCst) > seen + 3), "the gate sees the table");
        release(0);
        window::store(0, SECRET);
        assert!(comes(|| FAULTS.load(Ordering::SeqCst) > faults), "the gate faults");
        team::give(1, None);
        assert!(comes_round(), "the CPU goes on");
    }
    assert_eq!(STRAY.load(Ordering::SeqCst), 0, "words seen that are in no table");
}

/// Whether the first of the other CPUs ends what it does.
fn comes_round() -> bool {
    let rounds = || post(1).rounds.load(Ordering::SeqCst);
    let before = rounds();
    comes(|| rounds() > before + 1)
}

/// A visit of the other CPU's that waits, and what came of it.
static WATCH: Watch = Watch::new();
static VIEW: AtomicU64 = AtomicU64::new(0);
static WORD: AtomicU64 = AtomicU64::new(0);
static FOUND: AtomicU64 = AtomicU64::new(0);

fn stay(_: &Post) {
    let (view, word) = (VIEW.load(Ordering::SeqCst) as u32, WORD.load(Ordering::SeqCst));
    let visit = Visit { watch: Some(&WATCH), ..Visit::short(view, word) };
    FOUND.store(visit.go().unwrap_or_else(|vector| vector), Ordering::SeqCst);
}

/// Sends the other CPU there, and waits until it is.
fn send(view: u32, word: u64) {
    WATCH.leave.store(0, Ordering::SeqCst);
    VIEW.store(u64::from(view), Ordering::SeqCst);
    WORD.store(word, Ordering::SeqCst);
    FOUND.store(0, Ordering::SeqCst);
    let before = gate::inside(&WATCH);
    team::give(1, Some(stay));
    assert!(comes(|| gate::inside(&WATCH) > before), "the CPU is in view {view}");
    team::give(1, None);
}

/// What the visit came to, when it has ended.
fn come_back() -> u64 {
    gate::let_go(&WATCH);
    assert!(comes(|| FOUND.load(Ordering::SeqCst) != 0), "the CPU comes back");
    FOUND.load(Ordering::SeqCst)
}

fn nmi_in_the_gate() {
    window::store(0, TABLE);
    keep(0, Kept::Gate);
    for _ in 0..20 {
        let (nmis, held) = (traps::nmis(), calls::counters().nmis_held);
        send(GATE_VIEW, window::shown(0));
        apic::nmi(1);
        // It takes a moment; each look is an exit.
        let holds = (0..100).any(|_| {
            team::pause();
            calls::counters().nmis_held > held
        });
        assert!(holds, "the stub holds the NMI");
        team::pause();
        assert_eq!(traps::nmis(), nmis, "nothing can handle it in the gate");
        // Others go in and out meanwhile, and tables come and go.
        assert_eq!(Visit::short(GATE_VIEW, window::shown(0)).go(), Ok(TABLE));
        keep(1, Kept::Gate);
        release(1);
        assert_eq!(traps::nmis(), nmis);
        assert_eq!(come_back(), TABLE);
        assert!(comes(|| traps::nmis() > nmis), "the NMI comes when the gate is left");
        assert_eq!((traps::nmis(), calls::counters().nmis_held), (nmis + 1, held + 1));
    }
    release(0);
}

/// What the usual root and the other one map at the same address.
const WORDS: [u64; 2] = [0x0111, 0x0222];

fn bind(own: u64, target: u64) -> u32 {
    let (status, view) = calls::call(Call::BindView, own, target, 0);
    assert_eq!(status, Some(Status::Done));
    view as u32
}

fn other_root() {
    roots::build(WORDS);
    let other = roots::root(roots::COUNT - 1);
    let (status, _) = calls::call(Call::BindView, roots::own(), other, 0);
    assert_eq!(status, Some(Status::NotATable));
    roots::set(roots::own(), true);
    roots::set(other, true);
    let view = bind(roots::own(), other);
    assert_eq!(bind(roots::own(), other), view, "it keeps its number");
    assert_eq!(traps::look(roots::ADDRESS), Some(WORDS[0]));
    assert_eq!(Visit::short(view, roots::ADDRESS).go(), Ok(WORDS[1]));
    assert_eq!(Visit::short(GATE_VIEW, roots::ADDRESS).go(), Ok(WORDS[0]));
    assert_eq!(traps::look(roots::ADDRESS), Some(WORDS[0]), "nothing is left of it");
    let strays = strays_by(|| assert_eq!(gate::outside(0, view), GENERAL_PROTECTION));
    assert_eq!(strays, 1);
    keep(0, Kept::Gate);
    let alias = Visit::short(view, window::shown(0)).go();
    assert_eq!(alias, Err(GENERAL_PROTECTION), "the alias is the gate's alone");
    release(0);
    // Who is inside when the root is released finds itself out of it.
    send(view, roots::ADDRESS);
    let strays = strays_by(|| {
        roots::set(other, false);
        assert!(comes(|| FOUND.load(Ordering::SeqCst) != 0));
    });
    assert_eq!((come_back(), strays), (GENERAL_PROTECTION, 1));
    assert_eq!(Visit::short(view, roots::ADDRESS).go(), Err(INVALID_OPCODE));
}

/// All pairs of frames, which are more than there can be views.
fn pairs() -> impl Iterator<Item = (u64, u64)> {
    let roots = || (0..roots::COUNT).map(roots::root);
    roots().flat_map(move |own| roots().map(move |target| (own, target)))
}

fn recycling() {
    (0..roots::COUNT).for_each(|number| roots::set(roots::root(number), true));
    let views = u64::from(calls::features().views - GATE_VIEW - 1);
    let all = (roots::COUNT * roots::COUNT) as u64;
    assert!(all > views);
    let recycled = growth(
        |counters| counters.views_recycled,
        || pairs().for_each(|(own, target)| assert!(bind(own, target) > GATE_VIEW)),
    );
    assert_eq!(recycled, all - views);
    let other = roots::root(roots::COUNT - 1);
    let view = bind(roots::own(), other);
    assert_eq!(Visit::short(view, roots::ADDRESS).go(), Ok(WORDS[1]));
    roots::set(roots::own(), false);
    assert_eq!(Visit::short(view, roots::ADDRESS).go(), Err(INVALID_OPCODE));
    (0..roots::COUNT).for_each(|number| roots::set(roots::root(number), false));
}
