//! What it costs on this CPU to forget a page, and to forget everything.
#![expect(unsafe_code, reason = "flushes, and reads pages of the image")]

use core::arch::asm;

use page_reclaim::shootdown::Costs;
use x86_64::VirtAddr;
use x86_64::instructions::tlb;
use x86_64::structures::paging::Page;

use super::clock;
use crate::early::Image;

/// Pages of the image that are read, as the working set that a flush costs.
const PAGES: usize = 64;

/// How often each thing is measured; the least counts.
const TIMES: u32 = 8;

/// Turns of the loop that tells what a tick is.
const TURNS: u64 = 10_000;

/// Ticks that reading the clock may cost more or less than it is known to.
const NOISE: u64 = 8;

/// What flushes cost; nothing where a tick is an instruction, since a miss costs none there.
pub fn costs() -> Option<Costs> {
    let warm = least(|| touch_all(|_| ()));
    let one_by_one = least(|| touch_all(flush));
    let everything = least(|| {
        tlb::flush_all();
        touch_all(|_| ());
    });
    let one_page = one_by_one.saturating_sub(warm) / PAGES as u64;
    let costs = Costs { one_page, everything: everything.saturating_sub(warm) };
    (!ticks_are_instructions()).then_some(costs)
}

/// Whether each instruction takes one tick: two loops of different length take just as many ticks as they have instructions.
fn ticks_are_instructions() -> bool {
    let two = least(|| {
        // SAFETY: it counts a register down.
        unsafe { asm!("2: dec {0}", "jnz 2b", inout(reg) TURNS => _, options(nomem, nostack)) };
    });
    let three = least(|| {
        // SAFETY: as above.
        unsafe {
            asm!("2: nop", "dec {0}", "jnz 2b", inout(reg) TURNS => _, options(nomem, nostack))
        };
    });
    two.abs_diff(2 * TURNS) <= NOISE && three.abs_diff(3 * TURNS) <= NOISE
}

/// The least ticks that something takes.
fn least(work: impl Fn()) -> u64 {
    let cost = clock::cost();
    let once = |_| {
        let began = clock::now();
        work();
        (clock::now() - began).saturating_sub(cost)
    };
    (0..TIMES).map(once).min().unwrap_or(0)
}

/// Reads a word of each page of the working set, after something was done to the page.
fn touch_all(before: impl Fn(VirtAddr)) {
    let pages =
        Image::parts().into_iter().flat_map(|part| Page::range(first(part.start), first(part.end)));
    for page in pages.take(PAGES) {
        before(page.start_address());
        // SAFETY: a page of the image, which stays mapped and can be read.
        unsafe { page.start_address().as_ptr::<u64>().read_volatile() };
    }
}

fn first(address: VirtAddr) -> Page {
    Page::containing_address(address)
}

fn flush(page: VirtAddr) {
    tlb::flush(page);
}
