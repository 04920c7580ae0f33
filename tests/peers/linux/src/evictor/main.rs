//! The first program of a Linux: it gives it a RAM disk to swap to, has it evict pages that one or several processes
//! share, faults them in again, checks every word, and writes what that took as records on the console.
//!
//! What to do stands on the kernel's command line after a pair of dashes, in the words of the guest.
#![no_std]
#![no_main]

mod clock;
mod evict;
mod region;
mod row;
mod setup;
mod sharers;

use loadphys_peer_linux::failure::Failure;
use loadphys_peer_linux::{report, system};
use loadphys_plan::command_line::Plan;

loadphys_peer_linux::entry!(run);

/// Does all that was asked, says how that went, and turns the machine off.
fn run() -> ! {
    let outcome = setup::system().and_then(|plan| measure(&plan));
    report::end(outcome.err());
    system::power_off()
}

fn measure(plan: &Plan) -> Result<(), Failure> {
    report::machine()?;
    let most = plan.sharers.iter().copied().max().unwrap_or(1);
    setup::swap(plan.pages, most)?;
    for &sharers in plan.sharers.iter() {
        for &batch in plan.batch.iter() {
            report::record(&row::measure(plan, sharers, batch)?);
        }
    }
    Ok(())
}

#[panic_handler]
fn panic(info: &core::panic::PanicInfo<'_>) -> ! {
    report::end(Some(Failure::new(format_args!("{info}"))));
    system::power_off()
}
