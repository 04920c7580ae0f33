//! CPUs that take entries away while all use them, in many orders, and twins of the protocol that leave something out.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::sync::{Condvar, Mutex};

use super::{Machine, Member, Team};

const CPUS: usize = 3;
const ROUNDS: u64 = 12;
const SEEDS: u64 = 60;

/// What is left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Twin {
    None,
    /// INVEPT.
    Flush,
    /// Waiting for the others.
    Wait,
    /// The order: the generation begins before the entry is gone.
    Order,
    /// Catching up when a CPU begins to run.
    Begin,
}

/// Who may go on, chosen by a seed at each step.
struct Baton {
    state: Mutex<(usize, Vec<bool>, u64, u64)>,
    changed: Condvar,
}

impl Baton {
    fn new(seed: u64) -> Self {
        Self { state: Mutex::new((0, vec![true; CPUS], seed, 0)), changed: Condvar::new() }
    }

    /// Lets somebody go on, and comes back when it is this CPU's turn.
    fn pass(&self, me: usize) {
        let mut state = self.state.lock().unwrap();
        choose(&mut state);
        self.changed.notify_all();
        while state.0 != me {
            state = self.changed.wait(state).unwrap();
        }
    }

    fn leave(&self, me: usize) {
        let mut state = self.state.lock().unwrap();
        state.1[me] = false;
        choose(&mut state);
        self.changed.notify_all();
    }

    fn wait(&self, me: usize) {
        let state = self.state.lock().unwrap();
        drop(self.changed.wait_while(state, |state| state.0 != me).unwrap());
    }
}

fn choose((turn, there, random, steps): &mut (usize, Vec<bool>, u64, u64)) {
    *steps += 1;
    assert!(*steps < 1_000_000, "CPUs wait for each other");
    let there: Vec<_> = (0..CPUS).filter(|cpu| there[*cpu]).collect();
    if let Some(chosen) = there.get(next(random) as usize % there.len().max(1)) {
        *turn = *chosen;
    }
}

/// A linear congruential generator; the high bits count.
fn next(random: &mut u64) -> u64 {
    *random =
        random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    *random >> 33
}

/// Nested entries, one for each CPU, and what CPUs remember of them.
#[derive(Default)]
struct World {
    entries: [AtomicBool; CPUS],
    /// Nobody may use these.
    withdrawn: [AtomicBool; CPUS],
    remembered: [[AtomicBool; CPUS]; CPUS],
    nmis: [AtomicBool; CPUS],
    harm: AtomicU64,
}

struct OnCpu<'a> {
    me: usize,
    twin: Twin,
    begins: bool,
    random: u64,
    world: &'a World,
    baton: &'a Baton,
}

impl Machine for OnCpu<'_> {
    fn flush(&mut self) {
        let left_out = self.twin == Twin::Flush || self.twin == Twin::Begin && self.begins;
        if !left_out {
            self.world.remembered[self.me].iter().for_each(|entry| entry.store(false, SeqCst));
        }
    }

    fn kick(&mut self, cpu: usize) {
        self.world.nmis[cpu].store(true, SeqCst);
    }

    fn step(&self) {
        self.baton.pass(self.me);
    }
}

impl OnCpu<'_> {
    fn begin(&mut self, team: &Team<'_>) {
        self.begins = true;
        team.begin(self.me, self);
        self.begins = false;
    }

    /// In the guest, until an NMI comes or it exits for some other reason. Between the last look for an NMI and the guest
    /// there is no step: the stub's NMI handler goes back to the look.
    fn run(&mut self, team: &Team<'_>, steps: u64) {
        while self.nmi_comes() {
            self.world.nmis[self.me].store(false, SeqCst);
            assert!(team.was_asked(self.me), "nobody else sends NMIs");
            team.catch_up(self.me, self);
        }
        for _ in 0..steps {
            (0..CPUS).for_each(|entry| self.use_entry(entry));
            self.step();
            if self.nmi_comes() {
                break;
            }
        }
    }

    /// Whether an NMI has arrived: one that was sent is on its way for a while.
    fn nmi_comes(&mut self) -> bool {
        next(&mut self.random).is_multiple_of(2) && self.world.nmis[self.me].load(SeqCst)
    }

    fn use_entry(&self, entry: usize) {
        let World { entries, withdrawn, remembered, harm, .. } = self.world;
        let mine = &remembered[self.me][entry];
        mine.fetch_or(entries[entry].load(SeqCst), SeqCst);
        if mine.load(SeqCst) && withdrawn[entry].load(SeqCst) {
            harm.fetch_add(1, SeqCst);
        }
    }

    fn give(&self) {
        self.world.withdrawn[self.me].store(false, SeqCst);
        self.step();
        self.world.entries[self.me].store(true, SeqCst);
    }

    fn take(&mut self, team: &Team<'_>) {
        let early = (self.twin == Twin::Order).then(|| team.raise());
        self.step();
        self.world.entries[self.me].store(false, SeqCst);
        match (early, self.twin) {
            (Some(generation), _) => {
                team.ask(self.me, generation, self);
                team.wait(self.me, generation, self);
            }
            (_, Twin::Wait) => {
                let generation = team.raise();
                team.ask(self.me, generation, self);
            }
            _ => team.withdraw(self.me, self),
        }
        self.world.withdrawn[self.me].store(true, SeqCst);
    }

    fn work(&mut self, team: &Team<'_>) {
        self.baton.wait(self.me);
        self.begin(team);
        for _ in 0..ROUNDS {
            self.give();
            let steps = next(&mut self.random) % 4;
            self.run(team, steps);
            self.take(team);
            let steps = next(&mut self.random) % 4;
            self.run(team, steps);
            if next(&mut self.random).is_multiple_of(3) {
                // An INIT, and after some time a SIPI.
                team.end(self.me);
                self.step();
                self.begin(team);
            }
        }
        team.end(self.me);
        self.baton.leave(self.me);
    }
}

/// How often a CPU used what nobody might use any more.
fn harm(twin: Twin, seed: u64) -> u64 {
    let members: Vec<_> = (0..CPUS).map(|_| Member::idle()).collect();
    let (team, world, baton) = (Team::new(&members), World::default(), Baton::new(seed));
    std::thread::scope(|scope| {
        for me in 0..CPUS {
            let (team, world, baton) = (&team, &world, &baton);
            scope.spawn(move || {
                let random = seed ^ (me as u64) << 40;
                OnCpu { me, twin, begins: false, random, world, baton }.work(team);
            });
        }
    });
    world.harm.load(SeqCst)
}

#[test]
fn no_cpu_uses_what_was_withdrawn_and_none_waits_for_ever() {
    for seed in 0..SEEDS {
        assert_eq!(harm(Twin::None, seed), 0, "seed {seed}");
    }
}

#[test]
fn each_twin_is_caught() {
    for twin in [Twin::Flush, Twin::Wait, Twin::Order, Twin::Begin] {
        assert!((0..SEEDS).any(|seed| harm(twin, seed) > 0), "{twin:?}");
    }
}
