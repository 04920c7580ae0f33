//! The TLB, asked by what it does: if the walker sets Accessed again in an entry in which it was cleared, nothing was
//! cached of it any more. (So does Xen's test framework XTF find what is stale.)
//!
//! Each check begins with its control: without a flush Accessed stays clear. Where it does not, the machine or the method
//! forgets by itself (without PCIDs each load of a root does, and so does turning paging off), a missing flush would not
//! show, and the oracle is *blind*: that is recorded, and the check says less than it seems to. Several pages are asked, since
//! one may lose its place in the TLB to something that the check itself does.

use alloc::vec;
use alloc::vec::Vec;

use foreign_access::{Action, Entry, EntryName, Operation};
use x86_64::VirtAddr;
use x86_64::structures::paging::PageTableFlags;

use super::Outcome;
use super::trial::{FOREIGN, HOME, Trial};
use crate::scene::Failure;
use crate::tlb::MOST_PAGES;

/// Of the loaded space: page by page, and so many edits that the kernel flushes all of it.
pub fn loaded(trial: &mut Trial<'_>) -> Result<Outcome, Failure> {
    if let Some(untested) = preset(trial) {
        return Ok(untested);
    }
    for page in trial.shared_pages() {
        let leaf = trial.leaf(trial.root(HOME), page)?;
        for edits in [1, MOST_PAGES + 1] {
            touch(trial, page)?;
            unmark(trial, &leaf, edits)?;
            touch(trial, page)?;
            trial.found.oracle_sees |= !is_marked(trial, &leaf);
            let operations = unmark(trial, &leaf, edits)?;
            trial.flush(&operations);
            touch(trial, page)?;
            must_be_marked(trial, &leaf, edits)?;
        }
    }
    Ok(Outcome::Passed)
}

/// Of a foreign space that was loaded before and is loaded again: the kernel notes the edit, and forgets when it loads the
/// space.
pub fn foreign(trial: &mut Trial<'_>) -> Result<Outcome, Failure> {
    if let Some(untested) = preset(trial) {
        return Ok(untested);
    }
    for page in trial.shared_pages() {
        let leaf = trial.leaf(trial.root(FOREIGN), page)?;
        visit(trial, page)?;
        unmark(trial, &leaf, 1)?;
        visit(trial, page)?;
        trial.found.oracle_sees_foreign |= !is_marked(trial, &leaf);
        let operations = unmark(trial, &leaf, 1)?;
        trial.flush(&operations);
        visit(trial, page)?;
        must_be_marked(trial, &leaf, 1)?;
    }
    Ok(Outcome::Passed)
}

/// Where Accessed is always set it tells nothing.
fn preset(trial: &Trial<'_>) -> Option<Outcome> {
    use page_reclaim::Machine as Deeds;
    let always = !trial.kernel.machine.notes_use();
    always.then_some(Outcome::Untested("the stub's rules want Accessed always set"))
}

/// Loads the foreign space, looks at the page there, and comes back.
fn visit(trial: &mut Trial<'_>, page: VirtAddr) -> Result<(), Failure> {
    trial.load(FOREIGN);
    let touched = touch(trial, page);
    trial.load(HOME);
    touched
}

/// Looks at a page.
pub fn touch(trial: &Trial<'_>, page: VirtAddr) -> Result<(), Failure> {
    if trial.touch(page) {
        return Ok(());
    }
    Err(Failure::new(format_args!("the page at {:#x} is not mapped", page.as_u64())))
}

/// Clears Accessed by the method, in a batch of so many edits of the same entry.
fn unmark(
    trial: &mut Trial<'_>,
    leaf: &EntryName,
    edits: usize,
) -> Result<Vec<Operation>, Failure> {
    let clean = Entry(trial.look(leaf).0 & !PageTableFlags::ACCESSED.bits());
    let mut operations = vec![Operation::new(*leaf, Action::Exchange(clean)); edits];
    trial.batch(&mut operations)?;
    Ok(operations)
}

fn must_be_marked(trial: &mut Trial<'_>, leaf: &EntryName, edits: usize) -> Result<(), Failure> {
    if is_marked(trial, leaf) {
        return Ok(());
    }
    Err(Failure::new(format_args!(
        "after the flush of {edits} edits the TLB still answers for page {:#x}",
        leaf.page().as_u64()
    )))
}

fn is_marked(trial: &mut Trial<'_>, leaf: &EntryName) -> bool {
    trial.look(leaf).flags().contains(PageTableFlags::ACCESSED)
}
