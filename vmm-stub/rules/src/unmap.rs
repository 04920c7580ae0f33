//! One page of one space is unmapped: the rules walk, so that a guest needs one call and not five.

use loadphys_abi::{FRAME_BYTES, Status};

use crate::allowed::{EntryAt, WordAt};
use crate::entries::{Entries, Found};
use crate::level::Level;
use crate::twin::{Twin, is_broken};
use crate::words::{FRAME, LARGE, PRESENT, aligned, canonical, offset};

/// The lowest level that a root has.
const LOWEST_ROOT: u8 = 4;

/// How often an entry is tried to be emptied. The walker sets two bits of it, so it comes in between twice; who does more
/// often is the guest, and is told what was found last.
const TRIES: usize = 3;

/// What is to be unmapped, as the caller knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mapping {
    /// Physical address of the root.
    pub root: u64,
    /// Address of the 4 KiB page.
    pub page: u64,
    /// Physical address of the frame that the page is expected to be mapped to.
    pub frame: u64,
}

/// Rules by which one can walk.
pub(crate) trait Walkable {
    /// The level of the table at this physical address.
    fn level_at(&self, address: u64) -> Result<Level, Status>;

    /// Empties an entry of level 1 that holds exactly this, or says what it holds.
    fn empty(&mut self, at: EntryAt, expected: u64, memory: &impl Entries) -> Result<u64, u64>;
}

/// Empties the entry that maps the page.
pub(crate) fn unmap(
    rules: &mut impl Walkable,
    mapping: Mapping,
    memory: &impl Entries,
) -> Result<Found, Status> {
    let at = walk(rules, mapping, memory)?;
    let mut entry = memory.load(WordAt(at.0));
    for _ in 0..TRIES {
        if entry & PRESENT == 0 {
            return Err(Status::NotMapped);
        }
        if entry & FRAME != mapping.frame && !is_broken(Twin::ExpectationIsForgotten) {
            break;
        }
        match rules.empty(at, entry, memory) {
            Ok(entry) => return Ok(Found { entry, differs: false }),
            Err(other) => entry = other,
        }
    }
    Ok(Found { entry, differs: true })
}

fn level_of_root(rules: &impl Walkable, root: u64) -> Result<Level, Status> {
    match rules.level_at(root) {
        Err(_) if is_broken(Twin::DeadRootsAreWalked) => Level::new(LOWEST_ROOT.into()),
        level => level,
    }
}

/// The entry of level 1. What each entry above says is checked as if for the first time: that it is present, that it maps no
/// large page, and that it leads to a table of the next level.
fn walk(
    rules: &impl Walkable,
    Mapping { root, page, frame }: Mapping,
    memory: &impl Entries,
) -> Result<EntryAt, Status> {
    for address in [root, page, frame] {
        aligned(address, FRAME_BYTES)?;
    }
    let (mut table, mut level) = (root, level_of_root(rules, root)?);
    if level.number() < LOWEST_ROOT {
        return Err(Status::WrongLevel);
    }
    if !canonical(page, level) {
        return Err(Status::NotMapped);
    }
    while let Some(below) = level.below() {
        let entry = memory.load(WordAt(table + offset(page, level)));
        match entry & (PRESENT | LARGE) {
            PRESENT => table = entry & FRAME,
            bits if bits & PRESENT == 0 => return Err(Status::NotMapped),
            _ => return Err(Status::LargePage),
        }
        if rules.level_at(table) != Ok(below) {
            return Err(Status::WrongLevel);
        }
        level = below;
    }
    Ok(EntryAt(table + offset(page, level)))
}
