//! Requests that are under way.

use core::hint::spin_loop;
use core::ops::Range;

use heapless::Vec;

use super::Disk;
use crate::device::{Clock, Device, Direction, Fault, Request, Token};

/// The most requests that are under way at once.
const MOST_REQUESTS: usize = 16;

/// How often the device is asked before the clock is: reading that can take longer than asking.
pub(super) const ASKS_A_LOOK: u32 = 256;

/// A request that is under way, for the pages in this range of the work's.
struct Flying {
    token: Token,
    range: Range<usize>,
    since: u64,
}

/// Requests that are under way.
type Flight = Vec<Flying, MOST_REQUESTS>;

/// Pages that are to be written or read, and how that went.
pub(super) struct Work<'a, P> {
    pub(super) direction: Direction,
    pub(super) slots: &'a [u32],
    pub(super) pages: &'a [P],
    pub(super) outcomes: &'a mut [Result<(), Fault>],
    /// Pages that one request may have.
    pub(super) most: usize,
}

impl<D: Device, C: Clock> Disk<D, C> {
    /// Does the work and says of each page how that went.
    pub(super) fn fly(&mut self, work: Work<'_, D::Page>, meanwhile: impl FnOnce()) {
        let (mut work, mut flight, mut next) = (work, Flight::new(), 0);
        next = self.launch(&mut work, &mut flight, next);
        meanwhile();
        while !flight.is_empty() {
            self.land_one(&mut work, &mut flight);
            next = self.launch(&mut work, &mut flight, next);
        }
    }

    /// Begins as many requests as the device takes, for the pages from `next` on. What is left is told; none is, if
    /// none is under way.
    fn launch(&mut self, work: &mut Work<'_, D::Page>, flight: &mut Flight, next: usize) -> usize {
        let mut next = next;
        while next < work.slots.len() && !flight.is_full() {
            let range = next..next + self.neighbours(work, next);
            match self.begin(work, range.clone()) {
                Ok(None) if !flight.is_empty() => return next,
                Ok(None) => work.outcomes[range.clone()].fill(Err(Fault::Failed)),
                Err(fault) => work.outcomes[range.clone()].fill(Err(fault)),
                Ok(Some(token)) => {
                    let since = self.clock.milliseconds();
                    let flying = Flying { token, range: range.clone(), since };
                    assert!(flight.push(flying).is_ok(), "there was room");
                }
            }
            next = range.end;
        }
        next
    }

    fn begin(
        &mut self,
        work: &Work<'_, D::Page>,
        range: Range<usize>,
    ) -> Result<Option<Token>, Fault> {
        let (direction, first) = (work.direction, work.slots[range.start]);
        self.allows(direction, first)?;
        self.device.begin(&Request { direction, first, pages: &work.pages[range] })
    }

    /// How many pages from this one on can go in one request, or be refused with it.
    fn neighbours(&self, work: &Work<'_, D::Page>, from: usize) -> usize {
        let allowed = |slot| self.allows(work.direction, slot).is_ok();
        let follows = |pair: &&[u32]| {
            pair[0].checked_add(1) == Some(pair[1]) && allowed(pair[0]) && allowed(pair[1])
        };
        1 + work.slots[from..].windows(2).take(work.most - 1).take_while(follows).count()
    }

    /// Waits until a request has ended. If one takes too long, the device is stopped, and all have.
    fn land_one(&mut self, work: &mut Work<'_, D::Page>, flight: &mut Flight) {
        loop {
            for _ in 0..ASKS_A_LOOK {
                let ended = self.device.poll();
                let known = ended.and_then(|(token, outcome)| {
                    Some((flight.iter().position(|flying| flying.token == token)?, outcome))
                });
                if let Some((at, outcome)) = known {
                    return work.outcomes[flight.swap_remove(at).range].fill(outcome);
                }
                spin_loop();
            }
            if self.is_overdue(flight) {
                self.device.stop();
                self.dead = true;
                for flying in core::mem::take(flight) {
                    work.outcomes[flying.range].fill(Err(Fault::Stuck));
                }
                return;
            }
        }
    }

    fn is_overdue(&mut self, flight: &Flight) -> bool {
        let now = self.clock.milliseconds();
        flight.iter().any(|flying| now.saturating_sub(flying.since) > self.limit)
    }
}
