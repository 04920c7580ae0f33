//! What happens between writing and checking.

use alloc::vec::Vec;

use super::herd::Herd;
use crate::scene::Failure;

/// Pages of one program that are looked at for an eviction.
const LOOKED_AT: usize = 64;

/// Does one thing, chosen at random.
///
/// # Errors
/// If an audit finds something, or a range cannot be emptied.
pub fn act(herd: &mut Herd<'_>) -> Result<(), Failure> {
    match herd.random.below(12) {
        0..5 => evict_some(herd),
        5..7 => _ = herd.scene.kernel.make_room(),
        7 => return herd.fork(),
        8 => herd.exit(),
        9..11 => return herd.move_out(),
        _ => return herd.scene.audit(),
    }
    Ok(())
}

/// Evicts pages of one program, whoever shares them, as many at a time as comes.
fn evict_some(herd: &mut Herd<'_>) {
    let Some(number) = herd.one() else { return };
    let kernel = &mut herd.scene.kernel;
    let mut pages: Vec<_> = kernel.core().processes[number].space.pages().collect();
    herd.random.shuffle(&mut pages);
    pages.truncate(LOOKED_AT);
    let frames = pages.into_iter().filter_map(|page| kernel.entry(number, page).frame());
    let frames: Vec<_> = frames.collect();
    let mut rest = frames.as_slice();
    while !rest.is_empty() {
        let (batch, others) = rest.split_at(1 + herd.random.below(rest.len()));
        herd.scene.kernel.evict(batch);
        rest = others;
    }
}
