//! What was tried, and what came of it, on all CPUs.

use core::sync::atomic::{AtomicU64, Ordering};

use loadphys_abi::Status;
use loadphys_abi::counters::Counters;
use loadphys_test_guests::{calls, say};

/// A number of things.
pub struct Count(&'static str, AtomicU64);

impl Count {
    const fn new(name: &'static str) -> Self {
        Self(name, AtomicU64::new(0))
    }

    /// One more.
    pub fn add(&self) {
        self.more(1);
    }

    /// Some more.
    pub fn more(&self, number: u64) {
        self.1.fetch_add(number, Ordering::Relaxed);
    }

    /// One more, if it is so; gives back whether.
    pub fn when(&self, so: bool) -> bool {
        self.more(u64::from(so));
        so
    }

    fn tell(&self) {
        let Self(name, count) = self;
        let count = count.load(Ordering::Relaxed);
        say!("{{\"record\":\"count\",\"name\":\"{name}\",\"count\":{count}}}");
    }

    /// How many.
    pub fn get(&self) -> u64 {
        self.1.load(Ordering::Relaxed)
    }
}

macro_rules! counts {
    ($($(#[$doc:meta])* $name:ident $text:literal;)*) => {
        $($(#[$doc])* pub static $name: Count = Count::new($text);)*
        static ALL: &[&Count] = &[$(&$name,)*];
    };
}

counts! {
    /// VMCALLs.
    CALLS "calls";
    /// Those that were refused.
    CALLS_REFUSED "calls-refused";
    /// Calls from other modes than that of a kernel.
    CALLS_FROM_ELSEWHERE "calls-from-other-modes";
    /// Batches among the calls.
    BATCHES "batches";
    /// Batches of which another CPU changed the items meanwhile.
    RACES "batches-that-change";
    /// Loads, stores and jumps into the stub's memory.
    STRAYS "strays-stopped";
    /// The same by tables that lead there.
    LIES "lies-stopped";
    /// Stores to tables of its own, where the stub keeps them read-only.
    TABLES "stores-to-tables-stopped";
    /// Loads by such tables.
    WALKS "loads-by-checked-tables";
    /// Code of the gate's page that reaches for the stub in some view.
    GATE "gate-misuses-stopped";
    /// Instructions of VT-x, SMX and SVM.
    VIRTUAL "vmx-instructions-refused";
    /// Writes to MSRs that were refused.
    MSRS_REFUSED "msr-accesses-refused";
    /// And those that were not.
    MSRS_DONE "msr-accesses-done";
    /// Writes to control registers and XCR0 that were refused.
    CONTROLS_REFUSED "control-writes-refused";
    /// And those that were not.
    CONTROLS_DONE "control-writes-done";
    /// NMIs, INITs and SIPIs sent.
    SIGNALS "signals";
}

const STATUSES: usize = Status::ALL.len();
static BY_STATUS: [AtomicU64; STATUSES] = [const { AtomicU64::new(0) }; STATUSES];

/// Notes how a call ended.
pub fn status(status: Status) {
    CALLS.add();
    CALLS_REFUSED.when(!matches!(status, Status::Done | Status::Differs));
    BY_STATUS[status.number() as usize].fetch_add(1, Ordering::Relaxed);
}

/// Notes calls that all ended so.
pub fn statuses(status: Status, number: u64) {
    CALLS.more(number);
    CALLS_REFUSED.more(number);
    BY_STATUS[status.number() as usize].fetch_add(number, Ordering::Relaxed);
}

/// A record for each count of this guest, and for some of the stub.
pub fn tell() {
    ALL.iter().for_each(|count| count.tell());
    tell_of_stub(&calls::counters());
    for (status, count) in Status::ALL.iter().zip(&BY_STATUS) {
        let count = count.load(Ordering::Relaxed);
        say!("{{\"record\":\"count\",\"name\":\"status-{status:?}\",\"count\":{count}}}");
    }
}

/// What the stub has counted of what it refused.
fn tell_of_stub(counters: &Counters) {
    const EPT_VIOLATION: usize = 48;
    for (name, count) in [
        ("stub-exits", counters.exits),
        ("stub-refused-calls", counters.refused),
        ("stub-refused-accesses", counters.by_reason[EPT_VIOLATION]),
        ("stub-view-strays", counters.view_strays),
        ("stub-nmis-held", counters.nmis_held),
        ("stub-flags-set", counters.flags_set),
    ] {
        say!("{{\"record\":\"count\",\"name\":\"{name}\",\"count\":{count}}}");
    }
}
