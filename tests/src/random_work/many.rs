//! Life after life, on several threads.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

use super::{Done, Finding, LIFE, Life};

/// What is to be done.
#[derive(Clone, Debug)]
pub struct Asked {
    /// Under which methods.
    pub methods: Vec<&'static str>,
    /// The seed of the first life; each further one has the next number.
    pub seed: u64,
    /// How many steps at least under each method.
    pub steps: u64,
    /// On how many threads.
    pub threads: usize,
}

impl Asked {
    /// How many lives that takes.
    pub fn lives(&self) -> u64 {
        self.steps.div_ceil(LIFE as u64)
    }
}

/// Leads as many lives as are asked for, each under every method; says after each life how many there were. Gives back what
/// was done under each method, in the same order.
///
/// # Errors
/// The first finding; nothing is begun after it.
pub fn many(asked: &Asked, heard: impl Fn(u64) + Sync) -> Result<Vec<Done>, Finding> {
    let (begun, ended) = (AtomicU64::new(0), AtomicU64::new(0));
    let all = Mutex::new(Ok(vec![Done::default(); asked.methods.len()]));
    thread::scope(|scope| {
        for _ in 0..asked.threads {
            scope.spawn(|| {
                while let Some(life) = next(asked, &begun) {
                    let led = lead(asked, &life);
                    if led.is_err() {
                        begun.store(asked.lives(), Ordering::Relaxed);
                    }
                    add(&mut all.lock().unwrap_or_else(PoisonError::into_inner), led);
                    heard(ended.fetch_add(1, Ordering::Relaxed) + 1);
                }
            });
        }
    });
    all.into_inner().unwrap_or_else(PoisonError::into_inner)
}

/// The next life, if there is one.
fn next(asked: &Asked, begun: &AtomicU64) -> Option<Life> {
    let more = |number| (number < asked.lives()).then_some(number + 1);
    let number = begun.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).ok()?;
    Some(Life::of(asked.seed.wrapping_add(number)))
}

fn lead(asked: &Asked, life: &Life) -> Result<Vec<Done>, Finding> {
    let plain = life.plain()?;
    asked.methods.iter().map(|method| life.under(method, &plain)).collect()
}

fn add(all: &mut Result<Vec<Done>, Finding>, led: Result<Vec<Done>, Finding>) {
    match (all, led) {
        (Ok(all), Ok(led)) => all.iter_mut().zip(led).for_each(|(all, done)| *all += done),
        (all @ Ok(_), Err(finding)) => *all = Err(finding),
        (Err(_), _) => {}
    }
}
