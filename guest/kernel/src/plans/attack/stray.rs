//! A stray store of the kernel, to any address that leads to a table.

use foreign_access::EntryName;
use x86_64::instructions::tlb;

use super::targets::Targets;
use super::verdict::Verdict;
use crate::scene::Failure;

/// To a table of a space that is not loaded, right after the method was used: what it lends may still be lent. If it matters,
/// once more when the method has let go, as it does before another space is loaded.
pub fn foreign(targets: &mut Targets<'_>) -> Result<Verdict, Failure> {
    let entry = targets.foreign;
    let lent = after_use(targets, entry)?;
    targets.trial.kernel.machine.detach();
    Ok(lent.and("once the method has let go", &strike(targets, entry)))
}

/// To a table of the loaded space.
pub fn own(targets: &mut Targets<'_>) -> Result<Verdict, Failure> {
    let entry = targets.own;
    after_use(targets, entry)
}

fn after_use(targets: &mut Targets<'_>, entry: EntryName) -> Result<Verdict, Failure> {
    targets.edit(entry, |_| ())?;
    Ok(strike(targets, entry))
}

fn strike(targets: &Targets<'_>, entry: EntryName) -> Verdict {
    let ways = targets.lookout.ways(&entry);
    // What the tables say, and not what was cached before they did: that may lead to another table.
    ways.iter().for_each(|way| tlb::flush(*way));
    targets.lookout.strike_by(&ways, entry.physical(), targets.lookout.violations())
}
