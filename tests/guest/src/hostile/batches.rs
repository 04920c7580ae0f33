//! Batches of any items, and batches whose items another CPU changes while they are checked.
#![expect(unsafe_code, reason = "arrays that the stub and another CPU touch too")]

use core::sync::atomic::{AtomicU64, Ordering};

use loadphys_abi::batch::{Action, Item};
use loadphys_abi::{Call, Kept, Status};
use loadphys_test_guests::team::{self, Post};

use crate::canaries::HOSTILE_CANARIES;
use crate::descriptors::Mode;
use crate::local::Local;
use crate::{run, tally};

/// Items of a batch at random; longer ones are no better.
const MOST: u64 = 48;

impl Local {
    /// One batch, its array where it may be.
    pub fn batch_of_anything(&mut self) {
        let count = self.random.below(MOST);
        let start = self.playground.arrays() + 8 * self.random.below(512);
        let items: [Item; MOST as usize] = core::array::from_fn(|_| self.item());
        let items = &items[..count as usize];
        place(start).zip(items).for_each(|(at, item)| store(at, *item));
        let (status, done) = self.call(Call::Batch.number(), [start, count, 0], Mode::Kernel);
        tally::BATCHES.add();
        self.judge_batch(start, items, status, done);
    }

    fn item(&mut self) -> Item {
        let known = 1 + self.random.below(Action::ALL.len() as u64);
        let rarely = self.random.one_in(8);
        let entry = if rarely { self.anywhere() } else { self.entry() };
        let action = if self.random.one_in(64) { self.random.any() } else { known };
        Item { entry, action, found: self.leading(), value: self.leading() }
    }

    /// An entry of a table, if there is one.
    fn entry(&mut self) -> u64 {
        let offset = 8 * self.random.below(512);
        let first = self.playground.first_checked();
        first.map_or_else(|| self.own(), |frame| frame + offset)
    }

    /// What was done is what could be, from the first item on; what was not done is as it was.
    fn judge_batch(&self, start: u64, items: &[Item], status: Status, done: u64) {
        let may = |item: &&Item| {
            self.playground.is_entry(item.entry) && Action::from_number(item.action).is_some()
        };
        let most = items.iter().take_while(may).count();
        let done = done as usize;
        assert!(done <= most, "{done} items were done, and {most} could be: {status:?}");
        assert_eq!(status == Status::Done, done == items.len(), "{done} items: {status:?}");
        let untouched = done + usize::from(status == Status::Differs);
        for (at, item) in place(start).zip(items).skip(untouched) {
            assert_eq!(load(at), *item, "an item that was not done");
        }
    }
}

/// Where the items of an array are.
fn place(start: u64) -> impl Iterator<Item = *mut Item> {
    (start..).step_by(size_of::<Item>()).map(|at| at as *mut Item)
}

fn store(at: *mut Item, item: Item) {
    // SAFETY: it is in the arrays of this CPU, which nothing in Rust borrows.
    unsafe { at.write_volatile(item) };
}

fn load(at: *mut Item) -> Item {
    // SAFETY: as in `store`.
    unsafe { at.read_volatile() }
}

/// An array that one CPU changes while another one has it done.
static SHARED: [AtomicU64; 4 * SHARED_ITEMS] = [const { AtomicU64::new(0) }; 4 * SHARED_ITEMS];
const SHARED_ITEMS: usize = 64;

/// Entries between which the items change: that of a table, and some that must not be touched.
static ENTRIES: [AtomicU64; 4] = [const { AtomicU64::new(0) }; 4];

/// What the other CPU does: changes one item, back and forth.
fn flip(_: &Post) {
    static STEP: AtomicU64 = AtomicU64::new(0);
    for _ in 0..16 {
        let step = STEP.fetch_add(1, Ordering::Relaxed) as usize;
        let entry = ENTRIES[step / SHARED_ITEMS % ENTRIES.len()].load(Ordering::Relaxed);
        let item = step * 7 % SHARED_ITEMS;
        SHARED[4 * item].store(entry, Ordering::Relaxed);
        SHARED[4 * item + 1].store(Action::Exchange.number(), Ordering::Relaxed);
        SHARED[4 * item + 3].store(POISON, Ordering::Relaxed);
    }
}

/// What must never be found in a frame that is no table. Every table may hold it: it is not present and names no memory.
const POISON: u64 = 0x000f_ffff_0bad_0bac;

impl Local {
    /// Batches of which the other CPU changes the items.
    pub fn race(&mut self, times: u64) {
        let (table, plain) = (self.playground.frame(0), self.playground.frame(1));
        self.release_all();
        for word in (table..table + 0x1000).step_by(8) {
            // SAFETY: a word of this guest's memory, which is no table now.
            unsafe { (word as *mut u64).write_volatile(0) };
        }
        let register = [table, 1, Kept::Calls.number()];
        let (status, _) = self.call(Call::RegisterTable.number(), register, Mode::Kernel);
        assert_eq!(status, Status::Done, "frame {table:#x} becomes a table");
        self.playground.note(table, true);
        let entries = [table + 8, plain, HOSTILE_CANARIES[0].address(), self.stubs()];
        ENTRIES.iter().zip(entries).for_each(|(at, entry)| at.store(entry, Ordering::Relaxed));
        team::give(run::OTHER, Some(flip));
        let array = [SHARED.as_ptr() as u64, SHARED_ITEMS as u64, 0];
        for _ in 0..times {
            let (status, done) = self.call(Call::Batch.number(), array, Mode::Kernel);
            tally::RACES.add();
            let whole = done == SHARED_ITEMS as u64;
            assert_eq!(status == Status::Done, whole, "{done} items: {status:?}");
        }
        team::give(run::OTHER, None);
        let word = plain as *const u64;
        // SAFETY: a word of this guest's memory.
        let found = unsafe { word.read_volatile() };
        assert_ne!(found, POISON, "an item was changed after it was checked");
        self.release_all();
    }
}
