//! A stray store by the handler of an interrupt that is sent before each step of the method: whatever the method has open just
//! then, the handler finds open.
#![expect(unsafe_code, reason = "has a handler store to tables")]

use core::cell::{Cell, RefCell};

use foreign_access::EntryName;
use foreign_access::cpu::Step;
use x86_64::VirtAddr;
use x86_64::instructions::interrupts::are_enabled;

use super::lookout::{Aim, Lookout, STRAY};
use super::targets::Targets;
use super::verdict::Verdict;
use crate::conformance::{NO_STRIKES, arrives};
use crate::cpu::LocalApic;
use crate::interrupts::{to_self, vector};
use crate::scene::Failure;

const VECTOR: u8 = vector::TO_SELF as u8;

/// To a table of a space that is not loaded, while the method edits it.
pub fn interrupted(targets: &mut Targets<'_>) -> Result<Verdict, Failure> {
    if !LocalApic::boot().can_strike() {
        return Ok(Verdict::untested(NO_STRIKES));
    }
    to_self::watch(false);
    let strikes = Strikes::new(targets.lookout, targets.foreign);
    let edited = targets.edit(targets.foreign, |step| strikes.before(step));
    let verdict = strikes.afterwards();
    edited?;
    verdict
}

struct Strikes<'l> {
    lookout: &'l Lookout,
    entry: EntryName,
    /// The address that the handler was given last and has not stored to yet.
    ordered: Cell<Option<(VirtAddr, Aim)>>,
    /// Interrupts that were sent while the method had interrupts off.
    held: Cell<u64>,
    sent: Cell<usize>,
    verdict: RefCell<Verdict>,
}

impl<'l> Strikes<'l> {
    fn new(lookout: &'l Lookout, entry: EntryName) -> Self {
        let (ordered, held, sent) = (Cell::new(None), Cell::new(0), Cell::new(0));
        let verdict = RefCell::new(Verdict::no_way());
        Self { lookout, entry, ordered, held, sent, verdict }
    }

    /// Sends an interrupt whose handler stores by an address that leads to the entry now, or led there when it was ordered.
    fn before(&self, _: Step) {
        let ways = self.lookout.ways(&self.entry);
        // Of several, one after the other.
        if let Some(way) = ways.iter().cycle().nth(self.sent.get()) {
            self.ordered.set(Some((*way, self.lookout.aim(self.entry.physical()))));
            // SAFETY: the address leads to the entry, or nowhere any more; what is there is put back.
            unsafe { to_self::order_store(*way, STRAY) };
        }
        let before = to_self::count();
        self.sent.set(self.sent.get() + 1);
        LocalApic::boot().interrupt_self(VECTOR);
        if !are_enabled() {
            self.held.set(self.held.get() + 1);
        } else if arrives(|| to_self::count() > before) {
            self.judge();
        }
    }

    /// What the handler has done goes into the verdict; that it came through is the last word.
    fn judge(&self) {
        let (Some((way, aim)), Some(stored)) = (self.ordered.take(), to_self::stored()) else {
            return;
        };
        let verdict = Verdict::of(self.lookout.judge(aim, stored), way);
        let mut so_far = self.verdict.borrow_mut();
        if so_far.stopped == Some(true) {
            *so_far = verdict;
        }
    }

    fn afterwards(self) -> Result<Verdict, Failure> {
        if self.sent.get() == 0 || !arrives(|| to_self::count() > 0) {
            return Err(Failure::new(format_args!("no interrupt came to the handler")));
        }
        self.judge();
        let (held, verdict) = (self.held.get() > 0, self.verdict.into_inner());
        Ok(if held { verdict.after("interrupts are held until afterwards") } else { verdict })
    }
}
