//! Addresses to try: this guest's own, the stub's, what lies at their edges, what wraps, what is not there.

use core::ops::Range;

use loadphys_abi::discovery::RuleSet;
use loadphys_boot::handoff::Handoff;
use loadphys_test_guests::calls;
use spin::Once;

use crate::canaries::HOSTILE_CANARIES;
use crate::local::Local;
use crate::playground::FRAMES;

/// Where the stub's image begins.
const STUB: u64 = 96 << 20;

/// What this guest knows of the machine.
#[derive(Debug)]
pub struct Machine {
    /// The stub's memory.
    pub stub: Range<u64>,
    /// Where memory ends.
    pub top: u64,
    /// Where the alias begins.
    pub alias: u64,
    /// Whether the stub checks what entries lead to, and keeps tables read-only.
    pub typed: bool,
}

static MACHINE: Once<Machine> = Once::new();

/// Notes what the stub has handed over.
pub fn learn(handoff: &Handoff) {
    let reserved = handoff.memory.iter().find(|it| (it.start..it.end).contains(&STUB));
    let reserved = reserved.filter(|it| !it.usable).expect("the stub's range is reserved");
    let top = handoff.usable().map(|it| it.end).max().expect("some memory");
    let stub = STUB..reserved.end;
    let typed = calls::features().rules != RuleSet::Tables;
    MACHINE.call_once(|| Machine { stub, top, alias: calls::alias(), typed });
}

/// What this guest knows of the machine.
pub fn machine() -> &'static Machine {
    MACHINE.get().expect("it was handed over")
}

impl Local {
    /// An address in one of this CPU's frames that can be tables.
    pub fn own(&mut self) -> u64 {
        let frame = self.random.below(FRAMES as u64);
        self.playground.frame(frame) + 8 * self.random.below(512)
    }

    /// The first address of such a frame.
    pub fn own_frame(&mut self) -> u64 {
        self.own() & !0xfff
    }

    /// An address in the stub's memory.
    pub fn stubs(&mut self) -> u64 {
        let Range { start, end } = machine().stub;
        let last = [start, start + 8, start + 0xff8, end - 0x1000, end - 8];
        match self.random.below(3) {
            0 => self.random.of(last),
            _ => start + (self.random.below(end - start) & !7),
        }
    }

    /// An address at which no call may touch anything.
    pub fn forbidden(&mut self) -> u64 {
        let Machine { stub, top, alias, .. } = machine();
        match self.random.below(8) {
            0..3 => self.stubs(),
            3 => self.stubs() | 1 << (self.random.below(12) + 52),
            4 => alias + self.random.of([stub.start, self.playground.frame(0), *top]),
            5 => top + (self.random.below(1 << 32) & !7),
            6 => self.random.of([!7, !0xfff, !0xfff_ffff, 1 << 52, 1 << 63, 0xfee0_0300, 0xa_0000]),
            _ => self.random.any() | 1 << 50,
        }
    }

    /// What to store in an entry: one that leads to a frame by flags that are good or nearly so, or anything.
    pub fn leading(&mut self) -> u64 {
        let (own, stubs, forbidden) = (self.own_frame(), self.stubs(), self.forbidden());
        let frame = self.random.of([own, own, own, stubs, forbidden]) & 0x000f_ffff_ffff_f000;
        let flags = self.random.of([0, 1, 3, 7, 0x21, 0x27, 0x61, 0x67, 0xe3, 1 << 63 | 0x63]);
        let any = self.random.any();
        self.random.of([frame | flags, frame | flags, frame | flags, any])
    }

    /// Any address at all; of this guest's memory only frames that can be tables, and canaries.
    pub fn anywhere(&mut self) -> u64 {
        match self.random.below(8) {
            0..4 => self.own(),
            4 => self.own() + self.random.below(8),
            5 => HOSTILE_CANARIES[0].address() + 8 * self.random.below(512),
            _ => self.forbidden(),
        }
    }
}
