//! The kernel's own eviction by the method: right after it no space reaches the pages, whatever the TLB knew.

use alloc::vec::Vec;

use x86_64::structures::paging::PhysFrame;

use super::Outcome;
use super::oracle::touch;
use super::trial::{HOME, Trial};
use crate::scene::Failure;

/// Evicts pages that all spaces have looked at, and looks again.
pub fn eviction(trial: &mut Trial<'_>) -> Result<Outcome, Failure> {
    // The loaded space comes last, so that it stays loaded.
    for number in (0..trial.programs()).rev() {
        trial.load(number);
        trial.shared_pages().try_for_each(|page| touch(trial, page))?;
    }
    let victims = frames(trial)?;
    let evicted = trial.kernel.evict(&victims).evicted as usize;
    if evicted != victims.len() {
        return Err(Failure::new(format_args!("{evicted} of {} pages evicted", victims.len())));
    }
    for number in 0..trial.programs() {
        trial.load(number);
        if let Some(page) = trial.shared_pages().find(|page| trial.touch(*page)) {
            let page = page.as_u64();
            return Err(Failure::new(format_args!(
                "space {number} still reaches page {page:#x}, which was evicted"
            )));
        }
    }
    trial.load(HOME);
    Ok(Outcome::Passed)
}

/// The frames of the shared pages.
fn frames(trial: &mut Trial<'_>) -> Result<Vec<PhysFrame>, Failure> {
    let root = trial.root(HOME);
    let mut frames = Vec::new();
    for page in trial.shared_pages() {
        let leaf = trial.leaf(root, page)?;
        frames.extend(trial.look(&leaf).frame());
    }
    Ok(frames)
}
