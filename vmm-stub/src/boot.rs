//! From the loader to the guest.
#![expect(unsafe_code, reason = "switches stacks and reads what the loader left")]

mod cpus;
mod devices;
mod firmware;
mod guest;
mod low_page;
mod memory;
mod others;
mod rules;

use core::arch::naked_asm;
use core::convert::Infallible;

use loadphys_abi::discovery::RuleSet;
use loadphys_boot::handoff::Handoff;

use crate::back_end::{Abilities, BackEnd};
use crate::cpu::Cpu;
use crate::descriptors::Descriptors;
use crate::ending::{self, fatal};
use crate::image::{self, STACK};
use crate::local_apic::LocalApic;
use crate::nested::sizes::{Sizes, sizes};
use crate::problem::Problem;
use crate::say::{self, say};
use crate::svm::vcpu::Svm;
use crate::vmx::vcpu::Vmx;
use crate::{command_line, descriptors, machine, svm, vmx};
use cpus::Boot;
use firmware::Firmware;
use memory::Wanted;

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
    match () {
        () if vmx::support::is_offered() => boot_by::<Vmx>(&handoff, line),
        () if svm::support::is_offered() => boot_by::<Svm>(&handoff, line),
        () => Err(Problem::NoGuests(machine::vendor())),
    }
}

fn boot_by<B: BackEnd>(handoff: &Handoff, line: &str) -> Result<Infallible, Problem> {
    let rules = command_line::rules(line);
    B::check()?;
    let machine = machine::ask();
    // SAFETY: the entry code's tables are still in use, and nothing of the loader's has been touched.
    let firmware = unsafe { Firmware::read(handoff.rsdp) }?;
    let chosen = B::choose(firmware.cpus())?;
    let file = guest::find(handoff, image::image().all.start)?;
    let abilities = B::abilities(&chosen);
    let sizes = sizes(command_line::nested_page(line), abilities.gib_pages);
    let sizes = sizes.ok_or(Problem::NoGibPages)?;
    let wanted = wanted::<B>(rules, sizes, &abilities, firmware.cpus())?;
    let mut memory = memory::set_up(handoff, &file, machine, wanted)?;
    let place = memory.pool.take_one::<Descriptors>().ok_or(cpus::NO_FRAME)?;
    let descriptors = descriptors::load(place, descriptors::boot_tops());
    let guest = guest::load(handoff, file, &mut memory, line)?;
    cpus::run(Boot::<B> { memory, chosen, machine, firmware, rules }, descriptors, &guest)
}

/// With typed rules every edit is a call, and views to edit tables in would be of no use.
fn wanted<B: BackEnd>(
    rules: RuleSet,
    sizes: Sizes,
    abilities: &Abilities,
    cpus: usize,
) -> Result<Wanted, Problem> {
    let typed = rules != RuleSet::Tables;
    let Abilities { views, no_typed, .. } = *abilities;
    let Sizes { gib_pages, smallest } = sizes;
    match no_typed.filter(|_| typed) {
        Some(why) => return Err(Problem::NoRules(why)),
        None if typed && views => say!("typed rules: no gate, no views of other roots"),
        None => {}
    }
    Ok(Wanted {
        format: B::FORMAT,
        frames: B::SHARED_FRAMES + B::CPU_FRAMES * cpus,
        cpu_bytes: size_of::<Cpu<B>>(),
        apic_page: apic_page::<B>(cpus),
        gib_pages,
        smallest: smallest || typed,
        views: views && !typed,
        typed,
        cpus,
    })
}

/// The page of the local APIC's registers, if it has to be guarded.
fn apic_page<B: BackEnd>(cpus: usize) -> Option<u64> {
    match LocalApic::of_this_cpu() {
        Some(LocalApic::Memory(page)) if B::GUARDS_APIC && cpus > 1 => Some(page),
        _ => None,
    }
}
