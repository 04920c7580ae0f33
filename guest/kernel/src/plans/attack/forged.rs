//! A forged entry: the method is told to store one that maps for a program, writable, what no program may write. Then the
//! program's space is loaded and the mapping is stored through.

use foreign_access::{Action, Entry, Operation};
use loadphys_apps::places::PRIVATE;
use loadphys_boot::handoff::Handoff;
use x86_64::structures::paging::{PageTableFlags, PhysFrame};
use x86_64::{PhysAddr, VirtAddr};

use super::lookout::Lookout;
use super::targets::{PAGE, Targets};
use super::verdict::{Stored, Verdict};
use crate::conformance::{FOREIGN, HOME};
use crate::cpu::set_smap;
use crate::interrupts::probe;
use crate::scene::{Failure, Scene};

/// What an entry of level one says that maps data of a program. Accessed and Dirty are set, so that no rule about them stops it.
const DATA: PageTableFlags = PageTableFlags::PRESENT
    .union(PageTableFlags::WRITABLE)
    .union(PageTableFlags::USER_ACCESSIBLE)
    .union(PageTableFlags::ACCESSED)
    .union(PageTableFlags::DIRTY)
    .union(PageTableFlags::NO_EXECUTE);

/// Where the stub is linked (`vmm-stub/link.ld`), and so where it is.
const STUB: u64 = 96 << 20;

/// A table of another space.
pub fn table(targets: &mut Targets<'_>) -> Result<Verdict, Failure> {
    let table = targets.own.physical();
    forge(targets, table, |lookout, way| lookout.strike(way, table))
}

/// A page of another program.
pub fn foreign(targets: &mut Targets<'_>) -> Result<Verdict, Failure> {
    let root = targets.trial.root(HOME);
    let entry = targets.trial.leaf(root, VirtAddr::new(PRIVATE))?;
    let frame = targets.trial.look(&entry).frame();
    let frame = frame.ok_or_else(|| Failure::new(format_args!("a page is not mapped")))?;
    let page = frame.start_address().as_u64();
    forge(targets, page, |lookout, way| lookout.strike(way, page))
}

/// Memory of the stub.
pub fn stub(
    targets: &mut Targets<'_>,
    hidden: Result<PhysFrame, &'static str>,
) -> Result<Verdict, Failure> {
    let frame = match hidden {
        Ok(frame) => frame,
        Err(why) => return Ok(Verdict::untested(why)),
    };
    let page = frame.start_address().as_u64();
    forge(targets, page, |lookout, way| lookout.strike_unseen(way, probe(way, false)))
}

/// The first frame of the stub's.
///
/// # Errors
/// Why there is none.
pub fn hidden(scene: &Scene, handoff: &Handoff) -> Result<PhysFrame, &'static str> {
    if scene.features.stub.is_none() {
        return Err("no stub below");
    }
    let mut kept = handoff.memory.iter().filter(|region| !region.usable);
    match kept.any(|region| (region.start..region.end).contains(&STUB)) {
        true => Ok(PhysFrame::containing_address(PhysAddr::new(STUB))),
        false => Err("the stub is not where it is linked"),
    }
}

/// Has the method map this for the foreign program, loads its space, stores by the mapping, and takes all back.
fn forge(
    targets: &mut Targets<'_>,
    physical: u64,
    strike: impl FnOnce(&Lookout, VirtAddr) -> Stored,
) -> Result<Verdict, Failure> {
    let page = targets.foreign.page() + PAGE;
    let name = targets.foreign.of_page(page);
    let forged = Entry::new(PhysFrame::containing_address(PhysAddr::new(physical)), DATA);
    let cpu = targets.trial.cpu();
    let store = |entry| [Operation::new(name, Action::Exchange(entry))];
    if let Err(stopped) = targets.trial.apply_on(&cpu, &mut store(forged)) {
        return Ok(Verdict::refused(stopped.refusal));
    }
    targets.trial.load(FOREIGN);
    set_smap(false);
    let way = page + physical % PAGE;
    let stored = strike(targets.lookout, way);
    set_smap(true);
    let mut undo = store(Entry::EMPTY);
    let undone = targets.trial.apply_on(&cpu, &mut undo);
    targets.trial.flush(&undo);
    targets.trial.load(HOME);
    undone.map_err(|why| Failure::new(format_args!("a forged entry stays: {why:?}")))?;
    Ok(Verdict::of(stored, way))
}
