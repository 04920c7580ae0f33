//! The typed rules in the model's stub: tables are read-only in the usual view, and the stub sets Accessed and Dirty for the walker.

use std::cell::{Cell, RefCell};
use std::ops::Range;

use loadphys_abi::{Call, Kept, Status};
use loadphys_rules::typed::{Frame, Walk};
use loadphys_rules::{Entries, EntryAt, Level, Mapping, TableAt, Typed, Wish, WordAt};
use x86_64::structures::paging::PhysFrame;
use x86_64::{PhysAddr, VirtAddr};

use super::memory::PhysicalMemory;
use super::views::Rights;
use super::{ALIAS_BASE, Model};

/// What the guest may do with a table.
const READ: Rights = Rights { read: true, write: false, fetch: false };

/// Bits of the CPU's physical addresses.
const WIDTH: u32 = 40;

/// The view that the guest is in: typed rules leave no others.
const USUAL: usize = 0;

/// What the stub keeps for the typed rules.
#[derive(Debug, Default)]
pub struct Guard {
    /// Empty under the other rules.
    frames: RefCell<Vec<Frame>>,
    preset: Cell<bool>,
    leaves_flags: Cell<bool>,
    flags_set: Cell<u64>,
}

impl Model<'_> {
    /// From now on the stub has the typed rules, and this memory is the guest's. With `preset`, the walker is to have nothing
    /// to set. Before anything is registered.
    pub fn check_entries(&self, memory: Range<u64>, preset: bool) {
        let guard = &self.stub.guard;
        *guard.frames.borrow_mut() = vec![Frame::default(); self.memory.frames()];
        guard.preset.set(preset);
        self.typed(|rules| rules.grant(memory));
    }

    /// From now on the stub takes the walker's attempts to set Accessed and Dirty for stray writes: a broken twin.
    pub fn let_stub_leave_flags(&self) {
        self.stub.guard.leaves_flags.set(true);
    }

    /// In how many entries the stub has set Accessed or Dirty.
    pub fn flags_set(&self) -> u64 {
        self.stub.guard.flags_set.get()
    }

    /// First step of registering a table: its type is taken, and it is read-only for those who do not remember otherwise.
    ///
    /// # Errors
    /// As the rules say.
    pub fn begin_register(&self, frame: u64, level: u64) -> Result<TableAt, Status> {
        let table = self.typed(|rules| rules.begin_register(frame, level))?;
        self.allow(table, READ);
        Ok(table)
    }

    /// Second step: no CPU remembers otherwise.
    pub fn flush_nested(&self) {
        (0..self.cpus()).for_each(|cpu| self.invept(cpu, USUAL));
    }

    /// Third step: what lies in it is looked at, and it is a table.
    ///
    /// # Errors
    /// As the rules say.
    pub fn finish_register(&self, table: TableAt) -> Result<TableAt, Status> {
        let finished = self.typed(|rules| rules.finish_register(table, &self.memory));
        if finished.is_err() {
            self.allow(table, Rights::ALL);
        }
        finished
    }

    pub(super) fn is_typed(&self) -> bool {
        !self.stub.guard.frames.borrow().is_empty()
    }

    /// A call under the typed rules.
    pub(super) fn called_typed(
        &self,
        call: Call,
        [first, second, third]: [u64; 3],
    ) -> Result<u64, (Status, u64)> {
        let refused = |status| (status, 0);
        if let Some(wish) = Wish::of_call(call, second, third) {
            return self.operate_typed(first, wish);
        }
        match call {
            Call::RegisterTable => {
                let kept = Kept::from_number(third).ok_or(refused(Status::NoSuchKeeping))?;
                self.register_typed(first, second, kept).map_err(refused)?;
            }
            Call::ReleaseTable => {
                let table = self.typed(|rules| rules.release(first, &self.memory));
                let table = table.map_err(refused)?;
                self.allow(table, Rights::ALL);
                self.hide_alias(table);
            }
            Call::Unmap => {
                let mapping = Mapping { root: first, page: second, frame: third };
                let found = self.typed(|rules| rules.unmap(mapping, &self.memory));
                let found = found.map_err(refused)?;
                return if found.differs {
                    Err((Status::Differs, found.entry))
                } else {
                    Ok(found.entry)
                };
            }
            _ => return Err(refused(Status::NotOffered)),
        }
        Ok(0)
    }

    /// A load or store under the typed rules.
    pub(super) fn operate_typed(&self, address: u64, wish: Wish) -> Result<u64, (Status, u64)> {
        let done = self.typed(|rules| rules.perform(address, wish, &self.memory));
        match done.map_err(|status| (status, 0))? {
            found if found.differs => Err((Status::Differs, found.entry)),
            found => Ok(found.entry),
        }
    }

    fn register_typed(&self, frame: u64, level: u64, kept: Kept) -> Result<(), Status> {
        match kept {
            Kept::Gate => return Err(Status::NotOffered),
            Kept::Open => return self.typed(|rules| rules.open(frame, level)).map(drop),
            Kept::Calls | Kept::Alias => {}
        }
        let table = self.begin_register(frame, level)?;
        self.flush_nested();
        let table = self.finish_register(table)?;
        if kept == Kept::Alias {
            self.set_nested(USUAL, place(ALIAS_BASE + frame), Some((place(table.address()), READ)));
        }
        Ok(())
    }

    /// The walker wants these bits set in a word of a table that it may not write to, and the stub sees to it; says whether they are
    /// set then.
    pub(super) fn sets_for_walker(
        &self,
        cpu: usize,
        address: VirtAddr,
        word: &Cell<u64>,
        bits: u64,
    ) -> bool {
        if !self.is_typed() || self.stub.guard.leaves_flags.get() {
            return false;
        }
        let level = Level::new(4).expect("roots have level 4");
        let root = self.root(cpu).start_address().as_u64();
        let walk = Walk { root, level, address: address.as_u64(), writes_anywhere: false };
        // One attempt for Accessed, one for Dirty: each is an exit.
        (0..2).any(|_| {
            let set = self.typed(|rules| rules.touch(walk, &self.memory));
            let flags = &self.stub.guard.flags_set;
            flags.set(flags.get() + set.unwrap_or(0));
            word.get() & bits == bits
        })
    }

    fn typed<R>(&self, work: impl FnOnce(&mut Typed<'_>) -> R) -> R {
        let guard = &self.stub.guard;
        work(&mut Typed::new(&mut guard.frames.borrow_mut(), WIDTH, guard.preset.get()))
    }

    fn allow(&self, table: TableAt, rights: Rights) {
        let frame = place(table.address());
        self.set_nested(USUAL, frame, Some((frame, rights)));
    }
}

fn place(address: u64) -> PhysFrame {
    PhysFrame::containing_address(PhysAddr::new(address))
}

impl Entries for PhysicalMemory {
    fn load(&self, at: WordAt) -> u64 {
        self.word(at.address()).map_or(0, Cell::get)
    }

    fn exchange(&self, at: EntryAt, new: u64) -> u64 {
        self.word(at.address()).map_or(0, |word| word.replace(new))
    }

    fn compare_exchange(&self, at: EntryAt, expected: u64, new: u64) -> Result<u64, u64> {
        let found = self.load(WordAt::from(at));
        if found == expected { Ok(self.exchange(at, new)) } else { Err(found) }
    }
}
