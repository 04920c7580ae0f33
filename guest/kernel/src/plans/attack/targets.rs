//! What is attacked: a method in use, and two entries of tables that map nothing.

use alloc::vec::Vec;
use core::cell::RefCell;

use foreign_access::cpu::{Observed, Step};
use foreign_access::{Action, Entry, EntryName, Operation};
use loadphys_plan::command_line::MethodName;
use page_reclaim::tables;
use x86_64::VirtAddr;
use x86_64::structures::paging::PhysFrame;

use super::lookout::Lookout;
use crate::conformance::{FOREIGN, HOME, SPARE_PAGE, Trial};
use crate::kernel::Kernel;
use crate::layout::SLOT_BYTES;
use crate::scene::Failure;

/// Bytes of a page.
pub const PAGE: u64 = 4096;

/// Pages that no program has. One is mapped by an entry of a foreign space, the other by one of the loaded space, and nowhere
/// else are there tables for them: an address that a method has for one of the entries never leads to another.
const FOREIGN_PAGE: VirtAddr = SPARE_PAGE;
const OWN_PAGE: VirtAddr = VirtAddr::new_truncate(SPARE_PAGE.as_u64() + SLOT_BYTES);

/// A page of a space that is made to be ended.
pub const DOOMED_PAGE: VirtAddr = VirtAddr::new_truncate(SPARE_PAGE.as_u64() + 2 * SLOT_BYTES);

/// What is attacked.
pub struct Targets<'k> {
    /// The kernel, its programs, and the method.
    pub trial: Trial<'k>,
    /// Who looks on.
    pub lookout: &'k Lookout,
    /// An entry of a space that is not loaded, empty.
    pub foreign: EntryName,
    /// An entry of the loaded space, empty.
    pub own: EntryName,
}

impl<'k> Targets<'k> {
    /// With tables for both, and the first space loaded.
    ///
    /// # Errors
    /// If there is no memory for them.
    pub fn new(
        kernel: &'k mut Kernel,
        method: MethodName,
        lookout: &'k Lookout,
    ) -> Result<Self, Failure> {
        let mut trial = Trial::new(kernel, method)?;
        let (home, foreign) = (trial.root(HOME), trial.root(FOREIGN));
        let foreign = build(&mut trial, foreign, FOREIGN_PAGE)?;
        let own = build(&mut trial, home, OWN_PAGE)?;
        Ok(Self { trial, lookout, foreign, own })
    }

    /// Has the method edit an entry twice, which stays empty; somebody is told of each step.
    ///
    /// # Errors
    /// If the method stops.
    pub fn edit(&mut self, entry: EntryName, told: impl Fn(Step)) -> Result<(), Failure> {
        let edit = Operation::new(entry, Action::Exchange(Entry::EMPTY));
        let cpu = self.trial.cpu();
        let done = self.trial.apply_on(&Observed::by(told, cpu), &mut [edit, edit]);
        done.map_err(|why| Failure::new(format_args!("an empty entry cannot be edited: {why:?}")))
    }

    /// Every address that leads to an entry at any step of an edit, or right after it.
    ///
    /// # Errors
    /// As [`Self::edit`].
    pub fn ways_while_edited(&mut self, entry: EntryName) -> Result<Vec<VirtAddr>, Failure> {
        let (lookout, found) = (self.lookout, RefCell::new(Vec::new()));
        let look = || {
            let mut found = found.borrow_mut();
            for way in lookout.ways(&entry) {
                if !found.contains(&way) {
                    found.push(way);
                }
            }
        };
        self.edit(entry, |_| look())?;
        look();
        Ok(found.into_inner())
    }
}

/// The entry of level one of a page, in a table that is built for it.
///
/// # Errors
/// If there is no memory for the tables.
pub fn build(trial: &mut Trial<'_>, root: PhysFrame, page: VirtAddr) -> Result<EntryName, Failure> {
    let (mut core, machine, _) = trial.kernel.parts();
    let built = tables::find_or_build(&mut core.memory, machine, root, page);
    built.map_err(|why| Failure::new(format_args!("no tables: {why:?}")))
}
