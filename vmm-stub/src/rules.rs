//! The rules in force, and the nested tables without which the typed ones would not hold.

use core::sync::atomic::Ordering;

use loadphys_abi::Status;
use loadphys_abi::discovery::RuleSet;
use loadphys_rules::typed::Walk;
use loadphys_rules::{Entries, TableAt, Tables, Typed};
use spin::Mutex;

use crate::nested::ept::{self, READ};
use crate::nested::layout::ALL_RIGHTS;
use crate::stale::Stale;
use crate::tree::Tree;

/// What the stub asks before it touches memory for the guest.
#[derive(Debug)]
pub enum Rules {
    /// `tables`: each CPU asks for itself.
    Tables(Tables<'static>),
    /// `typed`: one CPU at a time, for a whole batch. Nobody waits for other CPUs while holding the lock.
    Typed(Mutex<Guarded<'static>>, RuleSet),
}

impl Rules {
    /// What discovery says.
    pub const fn name(&self) -> RuleSet {
        match self {
            Self::Tables(_) => RuleSet::Tables,
            Self::Typed(_, name) => *name,
        }
    }

    /// The rules under which there are views.
    ///
    /// # Errors
    /// [`Status::NotOffered`] under others.
    pub const fn tables(&self) -> Result<&Tables<'static>, Status> {
        match self {
            Self::Tables(tables) => Ok(tables),
            Self::Typed(..) => Err(Status::NotOffered),
        }
    }
}

/// Does the same under whichever rules there are, with these as `$rules`.
#[cfg(target_os = "none")]
macro_rules! with_rules {
    ($all:expr, $rules:ident => $what:expr) => {
        match $all {
            $crate::rules::Rules::Tables(tables) => {
                let $rules = tables;
                $what
            }
            $crate::rules::Rules::Typed(guarded, _) => {
                let mut guarded = guarded.lock();
                let $rules = guarded.typed_mut();
                $what
            }
        }
    };
}
#[cfg(target_os = "none")]
pub(crate) use with_rules;

/// The typed rules with the nested tables of the guest's only view, which map all memory by single frames from the start: so
/// a frame becomes read-only by one store, and no page changes its size while CPUs use it.
#[derive(Debug)]
pub struct Guarded<'a> {
    typed: Typed<'a>,
    view: Tree<'a>,
}

impl<'a> Guarded<'a> {
    /// Rules, and the view in which frames are what these say.
    pub const fn new(typed: Typed<'a>, view: Tree<'a>) -> Self {
        Self { typed, view }
    }

    /// The rules for entries; which frames are tables does not change by these.
    pub const fn typed_mut(&mut self) -> &mut Typed<'a> {
        &mut self.typed
    }

    /// A frame ceases to be memory. When no CPU remembers that it could be written to, [`Guarded::finish`] is due.
    ///
    /// # Errors
    /// As [`Typed::begin_register`].
    pub fn begin(&mut self, frame: u64, level: u64) -> Result<(TableAt, Stale), Status> {
        let table = self.typed.begin_register(frame, level)?;
        self.allow(table, READ);
        Ok((table, Stale::taken_away()))
    }

    /// It becomes a table, or memory again.
    ///
    /// # Errors
    /// As [`Typed::finish_register`].
    pub fn finish(&mut self, table: TableAt, memory: &impl Entries) -> Result<TableAt, Status> {
        let finished = self.typed.finish_register(table, memory);
        if finished.is_err() {
            self.allow(table, ALL_RIGHTS);
        }
        finished
    }

    /// A table becomes memory. A CPU that remembers that it could not be written to finds out when it tries.
    ///
    /// # Errors
    /// As [`Typed::release`].
    pub fn release(&mut self, frame: u64, memory: &impl Entries) -> Result<TableAt, Status> {
        let table = self.typed.release(frame, memory)?;
        self.allow(table, ALL_RIGHTS);
        Ok(table)
    }

    /// Whether an access that this view did not allow may be tried again, and in how many entries Accessed or Dirty were set
    /// for that. `rights` are those that it wanted; `walk` is there if it was the walker's.
    pub fn try_again(
        &self,
        address: u64,
        rights: u64,
        walk: Option<Walk>,
        memory: &impl Entries,
    ) -> Option<u64> {
        let page = self.view.entry(address, 1)?.load(Ordering::Acquire);
        if page & rights == rights {
            return Some(0);
        }
        self.typed.touch(walk?, memory).ok()
    }

    fn allow(&self, table: TableAt, rights: u64) {
        // All memory is mapped by single frames, so there is such an entry.
        if let Some(there) = self.view.entry(table.address(), 1) {
            let page = there.load(Ordering::Relaxed);
            there.store(ept::with_rights(page, rights), Ordering::Release);
        }
    }
}

#[cfg(test)]
mod tests;
