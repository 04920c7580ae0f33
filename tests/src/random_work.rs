//! Long random work: life after life of a kernel, every other one compared with the plain reference.
//!
//! In these a clock chooses the victims, which are the same under every method then. In the others the two hands do, and
//! whom they choose depends on what each method leaves in the TLBs: programs check what they read, and the audit all the
//! rest.
//!
//! A seed decides all of a life: its steps, how much memory there is, whether programs intrude and whether spaces
//! have PCIDs. Lives follow one another by their seeds, so what goes wrong in one is found again by its seed alone.

use std::ops::AddAssign;
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::flushes::Flushing;
use crate::kernel::Choice;
use crate::model::Random;
use crate::scenario::{Outcome, Setup, Step, run};

mod many;
mod shorten;

pub use many::{Asked, many};
pub use shorten::shortened;

/// Steps of a life.
pub const LIFE: usize = 2000;

/// Distances at which tables are compared and at which everything is audited.
const REMEMBERED_EVERY: usize = 100;
const AUDITED_EVERY: usize = 1000;

/// What was done under a method.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Done {
    /// Steps.
    pub steps: u64,
    /// Pages evicted.
    pub evicted: u64,
    /// Page faults answered.
    pub faults: u64,
}

impl AddAssign for Done {
    fn add_assign(&mut self, other: Self) {
        self.steps += other.steps;
        self.evicted += other.evicted;
        self.faults += other.faults;
    }
}

/// One life.
#[derive(Clone, Debug)]
pub struct Life {
    /// What decides all of it.
    pub seed: u64,
    /// What happens.
    pub steps: Vec<Step>,
    /// Which flushes are done under a method: all, unless a test wants something to go wrong.
    pub flushing: Flushing,
}

/// Something that must not happen.
#[derive(Clone, Debug)]
pub struct Finding {
    /// Under which method.
    pub method: &'static str,
    /// In which life.
    pub seed: u64,
    /// What, in words of the code.
    pub what: String,
}

impl Life {
    /// The life that a seed decides.
    pub fn of(seed: u64) -> Self {
        Self { seed, steps: Step::sequence(seed, LIFE), flushing: Flushing::Done }
    }

    /// Whether victims are chosen by what was touched, as in every other life.
    const fn depends_on_accessed(&self) -> bool {
        self.seed.is_multiple_of(2)
    }

    /// Under which circumstances it is led.
    pub fn setup(&self, method: &'static str) -> Setup {
        let random = Random::new(!self.seed);
        let pcids = random.chance(1, 2);
        let intruder = random.chance(1, 2);
        let room = 4 + random.below(60);
        let flushing = if method == "plain" { Flushing::Done } else { self.flushing };
        let roomy = Setup { flushing, ..Setup::roomy(method, self.seed) };
        let (frames, slots) = match random.chance(1, 2) {
            true => (roomy.frames, roomy.slots),
            false => (40 + random.below(80), 8 + random.below(60)),
        };
        let (audited_every, remembered_every) = (AUDITED_EVERY, REMEMBERED_EVERY);
        let choice = if self.depends_on_accessed() { Choice::TwoHands } else { Choice::default() };
        let roomy = Setup { choice, audited_every, remembered_every, ..roomy };
        Setup { frames, slots, room, intruder, pcids, ..roomy }
    }

    /// How it goes with nothing between the kernel and its tables.
    ///
    /// # Errors
    /// Something went wrong all the same.
    pub fn plain(&self) -> Result<Outcome, Finding> {
        self.lead("plain")
    }

    /// How it goes under a method; it must go as the plain one, unless victims may be others.
    ///
    /// # Errors
    /// What went wrong, or differs.
    pub fn under(&self, method: &'static str, plain: &Outcome) -> Result<Done, Finding> {
        let found = self.lead(method)?;
        let difference = if self.depends_on_accessed() { None } else { difference(&found, plain) };
        match difference {
            Some(what) => Err(Finding { method, seed: self.seed, what }),
            None => Ok(Done {
                steps: self.steps.len() as u64,
                evicted: found.evicted.into(),
                faults: found.faults.into(),
            }),
        }
    }

    fn lead(&self, method: &'static str) -> Result<Outcome, Finding> {
        let wrong = |what| Finding { method, seed: self.seed, what };
        let led = catch_unwind(AssertUnwindSafe(|| run(&self.setup(method), &self.steps)));
        let mut found = led.map_err(|_| wrong("an assertion of the code".into()))?;
        found.forgive_missing_frames();
        match found.first_wrong() {
            Some(what) => Err(wrong(what)),
            None => Ok(found),
        }
    }
}

/// In what a life differs from the plain one.
fn difference(found: &Outcome, plain: &Outcome) -> Option<String> {
    let pairs = found.checkpoints.iter().zip(&plain.checkpoints);
    if let Some(at) = pairs.clone().position(|(found, plain)| found != plain) {
        return Some(format!("differs from plain at step {}", (at + 1) * REMEMBERED_EVERY));
    }
    let end = |outcome: &Outcome| (outcome.checkpoints.len(), outcome.evicted, outcome.faults);
    let differs = found.spaces != plain.spaces || end(found) != end(plain);
    differs.then(|| "differs from plain at the end".into())
}
