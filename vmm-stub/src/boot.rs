//! From the loader to the guest.
#![expect(unsafe_code, reason = "switches stacks and reads what the loader left")]

mod cpus;
mod devices;
mod firmware;
mod guest;
mod low_page;
mod memory;
mod others;
mod problem;
mod rules;

use core::arch::naked_asm;
use core::convert::Infallible;

use loadphys_abi::discovery::RuleSet;
use loadphys_boot::handoff::Handoff;

use crate::descriptors::Descriptors;
use crate::ending::{self, fatal};
use crate::image::STACK;
use crate::say::{self, say};
use crate::vmx::capability::Capabilities;
use crate::vmx::controls::{self, Controls};
use crate::vmx::support;
use crate::{command_line, descriptors};
use cpus::Boot;
use firmware::Firmware;
use memory::Wanted;
use problem::Problem;

/// Where [`loadphys_boot::entry!`] goes: leaves the boot stack for one with a guard.
#[unsafe(naked)]
pub extern "C" fn start(loader: u32, info: u32) -> ! {
    naked_asm!(
        "lea rsp, [rip + {stack} + {bytes}]",
        "call {run}",
        "ud2",
        stack = sym STACK,
        bytes = const size_of_val(&STACK),
        run = sym run,
    )
}

extern "C" fn run(loader: u32, info: u32) -> ! {
    say::start();
    say!("loadphys {}", env!("CARGO_PKG_VERSION"));
    // SAFETY: these are the entry code's values, passed on by `start`; its identity map is in place and the
    // loader's structures are as they were.
    match boot(unsafe { Handoff::read(loader, info) }) {
        Ok(never) => match never {},
        Err(problem) => fatal!("{problem}"),
    }
}

fn boot(
    handoff: Result<Handoff, loadphys_boot::handoff::HandoffError>,
) -> Result<Infallible, Problem> {
    let handoff = handoff.map_err(Problem::Handoff)?;
    let line = command_line::guests(&handoff);
    if let Some(exit) = command_line::exit(&handoff.command_line).or(command_line::exit(line)) {
        ending::choose(exit);
    }
    let rules = command_line::rules(line);
    support::check().map_err(Problem::NoVmx)?;
    let cpu = support::cpu();
    let capabilities = Capabilities::read(support::msr);
    // SAFETY: the entry code's tables are still in use, and nothing of the loader's has been touched.
    let firmware = unsafe { Firmware::read(handoff.rsdp) }?;
    let controls = controls::negotiate(&capabilities, firmware.cpus() > 1);
    let controls = controls.map_err(Problem::Control)?;
    for absent in &controls.absent {
        say!("{absent}");
    }
    let file = guest::find(&handoff)?;
    let wanted = wanted(rules, &controls, firmware.cpus());
    let mut memory = memory::set_up(&handoff, &file, cpu, wanted)?;
    let place = memory.pool.take_one::<Descriptors>().ok_or(cpus::NO_FRAME)?;
    let descriptors = descriptors::load(place, descriptors::boot_tops());
    let guest = guest::load(&handoff, file, &mut memory, line)?;
    let boot = Boot { memory, capabilities, controls, machine: cpu, firmware, rules };
    cpus::run(boot, descriptors, &guest)
}

/// With typed rules every edit is a call, and views to edit tables in would be of no use.
fn wanted(rules: RuleSet, controls: &Controls, cpus: usize) -> Wanted {
    let typed = rules != RuleSet::Tables;
    if typed && controls.views {
        say!("typed rules: no gate, no views of other roots");
    }
    Wanted { gib_pages: controls.gib_pages, views: controls.views && !typed, typed, cpus }
}
