//! How often the stub is entered while the guest calls nobody: while all CPUs halt but for the timer, then while programs
//! compute, take turns, and are evicted and brought back.

use alloc::sync::Arc;

use loadphys_abi::counters::{Counters, REASONS};
use loadphys_apps::calls::Command;
use loadphys_plan::command_line::{MethodName, Methods};
use loadphys_plan::records::{Activity, MOST_REASONS, Record};

use crate::firmware::PmTimer;
use crate::kernel::Rest;
use crate::measure::clock;
use crate::measure::elapsed::Elapsed;
use crate::measure::report::{self, name};
use crate::scene::{Failure, Scene};
use crate::start::below;
use crate::stub;

/// Each of the two lasts so much of a second for each round of the plan.
const PART_OF_A_SECOND: u32 = 16;

/// Basic exit reason of a call (SDM volume 3, appendix C "VMX Basic Exit Reasons").
const CALL: usize = 18;

/// Watches both.
pub fn run(scene: &mut Scene) -> Result<(), Failure> {
    let clock = scene.kernel.clock().ok_or_else(|| {
        Failure::new(format_args!("this machine has no power-management timer to tell time by"))
    })?;
    let method = method(&scene.plan.methods);
    scene.choose(method).map_err(|why| Failure::new(format_args!("{method}: {why}")))?;
    let counts = u64::from(PmTimer::HERTZ / PART_OF_A_SECOND) * u64::from(scene.plan.rounds);
    let rest = Arc::new(Rest::new(clock, counts));
    let idle = watch(scene, clock, |scene| scene.kernel.idle_together(&rest));
    tell(scene, "idle", method, rest.slices(), idle);
    scene.start_sharers(scene.kernel.cpus() as u32 + 1)?;
    scene.tell(Command::Write, 1);
    let busy = watch(scene, clock, |scene| work(scene, clock, counts));
    let preemptions = scene.kernel.tally().preemptions;
    tell(scene, "busy", method, preemptions, busy);
    scene.audit()?;
    scene.clear()?;
    scene.conclude()
}

/// One that makes no calls, unless another is named.
fn method(methods: &Methods) -> MethodName {
    match methods {
        Methods::Named(names) => names[0],
        Methods::Auto | Methods::All => MethodName::Recursive,
    }
}

/// Programs write and check their pages, all of which are evicted in between.
fn work(scene: &mut Scene, clock: PmTimer, counts: u64) {
    let mut elapsed = Elapsed::new(clock);
    for generation in 2.. {
        scene.tell(Command::Write, generation);
        let frames = scene.shared_frames();
        scene.kernel.evict(&frames);
        scene.tell(Command::Verify, generation);
        if elapsed.counts() >= counts {
            return;
        }
    }
}

/// What went by meanwhile.
struct Watched {
    ticks: u64,
    microseconds: u64,
    /// What the stub had counted before, and after.
    counters: Option<[Counters; 2]>,
}

fn watch(scene: &mut Scene, clock: PmTimer, work: impl FnOnce(&mut Scene)) -> Watched {
    let has_stub = scene.features.stub.is_some();
    let counters = |scene: &Scene| has_stub.then(|| stub::counters(scene.kernel.machine.cpu()));
    let before = counters(scene);
    let (mut elapsed, began) = (Elapsed::new(clock), clock::now());
    work(scene);
    let (ticks, microseconds) = (clock::now() - began, elapsed.in_units(1_000_000));
    let after = counters(scene);
    Watched { ticks, microseconds, counters: before.zip(after).map(<[_; 2]>::from) }
}

fn tell(
    scene: &Scene,
    activity: &str,
    method: MethodName,
    interrupts: u64,
    Watched { ticks, microseconds, counters }: Watched,
) {
    let exits = counters.map(exits);
    let reasons = exits.iter().flatten().enumerate().filter(|(_, count)| **count > 0);
    report::record(&Record::Activity(Activity {
        path: name(below(&scene.features)),
        activity: name(activity),
        method: name(method.name()),
        cpus: scene.kernel.cpus() as u32,
        ticks,
        microseconds,
        interrupts,
        evicted: scene.kernel.tally().evicted,
        exits: exits.map(|exits| exits.iter().sum()),
        by_reason: reasons
            .map(|(reason, count)| (reason as u64, *count))
            .take(MOST_REASONS)
            .collect(),
    }));
}

/// Exits from one reading of the counters to the next, by reason. The call that reads is among them, and is not the work's.
fn exits([before, after]: [Counters; 2]) -> [u64; REASONS] {
    let mut exits = after.by_reason;
    exits.iter_mut().zip(before.by_reason).for_each(|(exits, before)| *exits -= before);
    exits[CALL] -= 1;
    exits
}
