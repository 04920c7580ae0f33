//! What is tried, in order.
#![expect(unsafe_code, reason = "what the entry code passed on, and what is taken by one CPU")]

use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use loadphys_boot::handoff::Handoff;
use loadphys_test_guests::team::{self, Post};
use loadphys_test_guests::{apic, calls, ending, say, traps, window};

use crate::local::Local;
use crate::looks::look;
use crate::{addresses, before_long_mode, canaries, playground, tally};

/// The CPU besides the boot CPU.
pub const OTHER: u32 = 1;

static SEED: AtomicU64 = AtomicU64::new(1);

/// What is done at random on each CPU, unless the command line says otherwise.
const ACTS: u64 = 2000;

/// Begins here.
pub extern "C" fn start(loader: u32, info: u32) -> ! {
    // SAFETY: these are the entry code's values, and nothing has been written to what the stub handed over.
    let handoff = unsafe { Handoff::read(loader, info) }.expect("a good handoff");
    let word = |key| number(&handoff.command_line, key);
    let seed = word("seed=").unwrap_or(1);
    SEED.store(seed, Ordering::SeqCst);
    addresses::learn(&handoff);
    canaries::fill();
    playground::open_code();
    window::map();
    // SAFETY: the boot CPU's, once.
    let local = unsafe { Local::take(0, seed) };
    look();
    everything(local, word("acts=").unwrap_or(ACTS));
    tally::tell();
    ending::record(true);
    look();
    local.end()
}

/// The number behind a key on the command line.
fn number(line: &str, key: &str) -> Option<u64> {
    let mut words = line.split_ascii_whitespace();
    words.find_map(|word| word.strip_prefix(key)?.parse().ok())
}

fn everything(local: &mut Local, acts: u64) {
    let refused = calls::counters().refused;
    local.set_gate();
    before_long_mode::start_other(SEED.load(Ordering::SeqCst));
    team::give(OTHER, Some(act));
    for _ in 0..acts {
        local.act();
        if local.random.one_in(16) {
            local.signal();
        }
    }
    finish_other();
    local.race(acts / 8);
    local.release_all();
    finish(local, refused);
    local.storm(acts / 8);
    finish(local, refused);
    say!("{} NMIs came", traps::nmis());
}

/// All that must hold whenever no call is under way.
fn finish(local: &Local, refused: u64) {
    canaries::check();
    local.playground.check();
    let counted = calls::counters().refused - refused;
    assert_eq!(counted, tally::CALLS_REFUSED.get(), "calls that the stub counted as refused");
}

/// One round of the other CPU.
fn act(_: &Post) {
    static READY: AtomicBool = AtomicBool::new(false);
    static LOCAL: AtomicU64 = AtomicU64::new(0);
    if !READY.swap(true, Ordering::SeqCst) {
        // SAFETY: this CPU's, once.
        let local = unsafe { Local::take(OTHER as usize, SEED.load(Ordering::SeqCst)) };
        LOCAL.store((&raw mut *local).addr() as u64, Ordering::SeqCst);
    }
    // SAFETY: this CPU's, and it is borrowed nowhere else.
    let local = unsafe { &mut *(LOCAL.load(Ordering::SeqCst) as *mut Local) };
    match STOPS.load(Ordering::SeqCst) {
        true => {
            local.release_all();
            local.playground.check();
            STOPPED.store(true, Ordering::SeqCst);
            team::give(apic::id(), None);
        }
        false => local.act(),
    }
}

static STOPS: AtomicBool = AtomicBool::new(false);
static STOPPED: AtomicBool = AtomicBool::new(false);

fn finish_other() {
    STOPS.store(true, Ordering::SeqCst);
    assert!(team::comes(|| STOPPED.load(Ordering::SeqCst)), "the other CPU goes on and stops");
}

impl Local {
    /// Something at random.
    fn act(&mut self) {
        ending::stop_if_failed();
        match self.random.below(20) {
            18.. => self.misuse_gate(),
            16 => self.store_to_table(),
            17 => self.walk_tables(),
            0..6 => self.call_something(),
            6..8 => self.batch_of_anything(),
            8..10 => self.stray(),
            10..12 => self.lie(),
            12..14 => self.virtual_instruction(),
            _ => self.register(),
        }
    }
}
