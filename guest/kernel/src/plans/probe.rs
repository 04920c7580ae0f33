//! A short look at whether this machine can run what the others need: every method that it has
//! evicts a page and brings it back, checked.
#![expect(unsafe_code, reason = "works on a frame of its own without paging")]

use loadphys_abi::batch::{Action, Item};
use loadphys_apps::calls::Command;
use loadphys_plan::command_line::MethodName;
use loadphys_plan::records::counts;

use super::{Failure, Scene};
use x86_64::instructions::interrupts::without_interrupts;

use crate::console::log;
use crate::interrupts::nmis;
use crate::measure::report;
use crate::{methods, physical_mode, stub};

/// Programs of the scene.
const SHARERS: u32 = 2;

/// Runs every method once.
pub fn run(scene: &mut Scene) -> Result<(), Failure> {
    let mut checks = 0;
    for name in methods::asked(&scene.plan, &scene.features) {
        match scene.choose(name) {
            Err(why) => log!("{name}: {why}"),
            Ok(()) => {
                once(scene)?;
                checks += 1;
                if name == MethodName::PagingOff {
                    nmi_without_paging(scene)?;
                    checks += 1;
                }
            }
        }
    }
    report::count(counts::CHECKS, checks);
    scene.conclude()
}

/// An NMI strikes while paging is off: it is counted, and the work goes on.
fn nmi_without_paging(scene: &mut Scene) -> Result<(), Failure> {
    let Some(icr) = scene.kernel.nmi_to_self() else {
        log!("the local APIC is not in memory: no NMI is sent while paging is off");
        return Ok(());
    };
    let items = stub::items();
    let frame = scene.kernel.memory.frames.take_for_kernel();
    let frame = frame.ok_or_else(|| Failure::new(format_args!("no frame is free")))?;
    let entry = frame.start_address().as_u64();
    items.fill(Item { entry, action: Action::Exchange.number(), found: 0, value: entry });
    let before = nmis();
    // SAFETY: the frame is the kernel's own; the items lie in the image.
    let done = without_interrupts(|| unsafe { physical_mode::work(items, icr) });
    let seen = (done, nmis() - before, items[1].found);
    scene.kernel.memory.frames.give_back(frame).expect("it was taken for the kernel");
    match seen == (items.len(), 1, entry) {
        true => Ok(()),
        false => Err(Failure::new(format_args!("NMI without paging: done, NMIs, found: {seen:?}"))),
    }
}

fn once(scene: &mut Scene) -> Result<(), Failure> {
    scene.start_sharers(SHARERS)?;
    scene.tell(Command::Write, 1);
    scene.check();
    let frames = scene.shared_frames();
    let evicted = scene.kernel.evict(&frames);
    scene.tell(Command::Verify, 1);
    scene.audit()?;
    scene.clear()?;
    if evicted.evicted as usize == frames.len() {
        return Ok(());
    }
    Err(Failure::new(format_args!("{evicted:?} of {} pages", frames.len())))
}
