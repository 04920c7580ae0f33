//! Disks on a device that is as slow, faulty or silent as it is told to be.

use std::cell::RefCell;
use std::collections::{HashSet, VecDeque};
use std::rc::Rc;

use super::{Disk, Refused};
use crate::PAGE_BYTES;
use crate::device::{Clock, Device, Direction, Fault, Request, Token};
use crate::header::{Header, NoHeader, PageBytes};

const LIMIT: u64 = 50;

/// What has been asked of a device, and how it behaves.
#[derive(Debug, Default)]
struct Inner {
    /// Direction, first page, pages.
    begun: Vec<(Direction, u32, usize)>,
    under_way: VecDeque<(Token, Result<(), Fault>)>,
    /// How many requests were under way at most.
    busiest: usize,
    /// Pages that cannot be written or read.
    bad: HashSet<u32>,
    /// How many more requests fail whatever they are.
    failures: u32,
    /// It answers no more from this many requests on.
    silent_after: Option<usize>,
    /// After how often it is asked a request ends; 0 is at once.
    slowness: u32,
    polls: u32,
    stopped: bool,
    now: u64,
}

#[derive(Clone, Debug, Default)]
struct Fake(Rc<RefCell<Inner>>);

impl Device for Fake {
    type Page = ();

    fn pages(&self) -> u64 {
        100
    }

    fn most_pages(&self) -> usize {
        4
    }

    fn begin(&mut self, request: &Request<'_, ()>) -> Result<Option<Token>, Fault> {
        let mut inner = self.0.borrow_mut();
        assert!(!inner.stopped, "a dead device was asked");
        if inner.under_way.len() == 3 {
            return Ok(None);
        }
        let (first, count) = (request.first, request.pages.len());
        let bad = (first..first + count as u32).any(|page| inner.bad.contains(&page));
        let fails = bad || inner.failures > 0;
        inner.failures = inner.failures.saturating_sub(1);
        let token = Token(inner.begun.len() as u16);
        inner.begun.push((request.direction, first, count));
        inner.under_way.push_back((token, if fails { Err(Fault::Failed) } else { Ok(()) }));
        inner.busiest = inner.busiest.max(inner.under_way.len());
        Ok(Some(token))
    }

    fn poll(&mut self) -> Option<(Token, Result<(), Fault>)> {
        let mut inner = self.0.borrow_mut();
        inner.polls += 1;
        let silent = inner.silent_after.is_some_and(|after| inner.begun.len() > after);
        // The last that was begun ends first: nothing may rely on an order.
        if silent || inner.polls <= inner.slowness {
            return None;
        }
        inner.polls = 0;
        inner.under_way.pop_back()
    }

    fn stop(&mut self) {
        self.0.borrow_mut().stopped = true;
    }
}

impl Clock for Fake {
    fn milliseconds(&mut self) -> u64 {
        let mut inner = self.0.borrow_mut();
        inner.now += 1;
        inner.now
    }
}

fn header(pages: u32) -> PageBytes {
    Header::new("test", pages).expect("a header").encode()
}

fn open(fake: &Fake, page: PageBytes) -> Result<Disk<Fake, Fake>, Refused> {
    Disk::open(fake.clone(), fake.clone(), LIMIT, (), || page)
}

/// A disk of 90 pages that has just been opened, and its device.
fn disk() -> (Fake, Disk<Fake, Fake>) {
    let fake = Fake::default();
    fake.0.borrow_mut().slowness = 4;
    let disk = open(&fake, header(90)).expect("it carries the signature");
    assert_eq!(fake.0.borrow_mut().begun.split_off(0), [(Direction::In, 0, 1)]);
    (fake, disk)
}

fn write(disk: &mut Disk<Fake, Fake>, slots: &[u32]) -> Vec<Result<(), Fault>> {
    let (pages, mut outcomes) = (vec![(); slots.len()], vec![Ok(()); slots.len()]);
    let mut ran = 0;
    disk.write(slots, &pages, &mut outcomes, || ran += 1);
    assert_eq!(ran, 1);
    outcomes
}

#[test]
fn a_disk_without_the_signature_is_read_once_and_left_alone() {
    for (page, why) in [
        ([0; PAGE_BYTES], Refused::NoHeader(NoHeader::NoMagic)),
        (header(101), Refused::TooSmall { says: 101, has: 100 }),
    ] {
        let fake = Fake::default();
        assert_eq!(open(&fake, page).expect_err("refused"), why);
        assert_eq!(fake.0.borrow().begun, [(Direction::In, 0, 1)]);
        assert!(fake.0.borrow().stopped);
    }
    let fake = Fake::default();
    fake.0.borrow_mut().bad.insert(0);
    assert_eq!(open(&fake, header(9)).expect_err("refused"), Refused::Unreadable(Fault::Failed));
}

#[test]
fn neighbours_go_in_one_request() {
    let (fake, mut disk) = disk();
    let slots = [1, 2, 3, 4, 5, 6, 8, 9, 20, 22, 23];
    assert!(write(&mut disk, &slots).iter().all(Result::is_ok));
    let firsts = [(1, 4), (5, 2), (8, 2), (20, 1), (22, 2)];
    let wanted: Vec<_> = firsts.map(|(first, count)| (Direction::Out, first, count)).into();
    assert_eq!(fake.0.borrow().begun, wanted);
    assert_eq!(fake.0.borrow().busiest, 3);
}

#[test]
fn the_header_and_what_lies_beyond_are_never_written() {
    let (fake, mut disk) = disk();
    let beyond = Err(Fault::Beyond);
    assert_eq!(write(&mut disk, &[0, 1]), [beyond, Ok(())]);
    assert_eq!(write(&mut disk, &[88, 89, 90, 91]), [Ok(()), Ok(()), beyond, beyond]);
    assert_eq!(write(&mut disk, &[u32::MAX]), [beyond]);
    assert_eq!(disk.read(90, ()), beyond);
    let wanted = [(Direction::Out, 1, 1), (Direction::Out, 88, 2)];
    assert_eq!(fake.0.borrow().begun, wanted);
}

#[test]
fn a_bad_page_fails_alone() {
    let (fake, mut disk) = disk();
    fake.0.borrow_mut().bad.insert(12);
    let failed = Err(Fault::Failed);
    assert_eq!(write(&mut disk, &[10, 11, 12, 13]), [Ok(()), Ok(()), failed, Ok(())]);
    assert_eq!(fake.0.borrow().begun.len(), 1 + 4);
    assert_eq!(disk.read(12, ()), failed);
    assert_eq!(disk.read(13, ()), Ok(()));
}

#[test]
fn a_failure_that_does_not_come_again_is_none() {
    let (fake, mut disk) = disk();
    fake.0.borrow_mut().failures = 1;
    assert!(write(&mut disk, &[10, 11, 12]).iter().all(Result::is_ok));
    fake.0.borrow_mut().failures = 1;
    assert_eq!(disk.read(10, ()), Ok(()));
}

#[test]
fn a_silent_device_is_stopped_and_never_asked_again() {
    let (fake, mut disk) = disk();
    fake.0.borrow_mut().silent_after = Some(1);
    let stuck = Err(Fault::Stuck);
    assert_eq!(write(&mut disk, &[1, 3, 5, 7]), [stuck, stuck, stuck, Err(Fault::Dead)]);
    assert!(fake.0.borrow().stopped && disk.is_dead());
    assert!(fake.0.borrow().now > LIMIT, "not before its time is over");
    assert_eq!(write(&mut disk, &[9]), [Err(Fault::Dead)]);
    assert_eq!(disk.read(9, ()), Err(Fault::Dead));
    assert_eq!(fake.0.borrow().begun.len(), 3);
}

#[test]
fn a_slow_device_is_waited_for_as_long_as_the_limit_says() {
    let (fake, mut disk) = disk();
    let looks = |looks: u64| looks as u32 * super::flight::ASKS_A_LOOK;
    fake.0.borrow_mut().slowness = looks(LIMIT - 1);
    assert_eq!(disk.read(1, ()), Ok(()));
    fake.0.borrow_mut().slowness = looks(LIMIT + 2);
    assert_eq!(disk.read(1, ()), Err(Fault::Stuck));
}
