//! Who looks on: at memory, by a window that no method and nobody else has, and at what the stub counts.
#![expect(unsafe_code, reason = "opens a window on any frame, stores where that may fault")]

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::cell::RefCell;

use foreign_access::cpu::Hardware;
use foreign_access::{Cpu, EntryName};
use x86_64::structures::paging::PhysFrame;
use x86_64::{PhysAddr, VirtAddr};

use super::verdict::{Stored, Verdict};
use super::ways;
use crate::interrupts::try_store;
use crate::methods::{ONLOOKER_WINDOW, alias_base};
use crate::scene::Scene;
use crate::stub;
use crate::window::Window;

/// Basic exit reason of an EPT violation (SDM volume 3, appendix C "VMX Basic Exit Reasons"); nested page faults of SVM are
/// counted there too.
const EPT_VIOLATION: usize = 48;

/// What a stray store leaves: in an entry, bits that the walker ignores of one that is not present.
pub const STRAY: u64 = 0b11 << 9;

/// The lookout.
pub struct Lookout {
    cpu: Hardware,
    window: RefCell<Window>,
    /// Where the alias begins, guest-physical.
    alias: Option<u64>,
    has_stub: bool,
}

/// What is known of a place before something is stored there.
#[derive(Clone, Copy, Debug)]
pub struct Aim {
    physical: u64,
    word: u64,
    violations: u64,
}

impl Lookout {
    /// The plan has one.
    pub fn new(scene: &Scene) -> Self {
        let machine = &scene.kernel.machine;
        let windows = machine.reach().windows.expect("windows are made at boot");
        // SAFETY: the window is kept for this, and the plan makes one lookout.
        let window = RefCell::new(unsafe { Window::new(windows, ONLOOKER_WINDOW) });
        let (alias, has_stub) = (alias_base(&scene.features), scene.features.stub.is_some());
        Self { cpu: *machine.cpu(), window, alias, has_stub }
    }

    /// Every address that leads to an entry with the root that is loaded now, in the alias too.
    pub fn ways(&self, entry: &EntryName) -> Vec<VirtAddr> {
        let physical = entry.physical();
        let in_alias = self.alias.map(|base| base + physical);
        let wanted: Vec<u64> = [physical].into_iter().chain(in_alias).collect();
        ways::ways(self.cpu.root(), &wanted, |table| self.copy(table))
    }

    /// Stores at the addresses, one after the other, until it comes to the place. No call of the stub comes before the first: a CPU
    /// may forget translations at each, and what it has kept of them may be all that the attack has. So whoever calls this has
    /// asked [`Self::violations`] before.
    pub fn strike_by(&self, ways: &[VirtAddr], physical: u64, violations: u64) -> Verdict {
        let (mut verdict, mut violations) = (Verdict::no_way(), violations);
        for way in ways {
            let aim = Aim { physical, word: self.word(physical), violations };
            verdict = Verdict::of(self.strike_at(*way, aim), *way);
            if verdict.stopped == Some(false) {
                break;
            }
            violations = self.violations();
        }
        verdict
    }

    /// Stores at an address and looks whether that came to the place.
    pub fn strike(&self, way: VirtAddr, physical: u64) -> Stored {
        self.strike_at(way, self.aim(physical))
    }

    fn strike_at(&self, way: VirtAddr, aim: Aim) -> Stored {
        // SAFETY: the address leads there, or is one that did; what is there is put back.
        let stored = unsafe { try_store(way, STRAY) };
        self.judge(aim, stored)
    }

    /// Stores at an address that leads to what cannot be looked at: whatever can be loaded there is stored again, so that
    /// nothing changes.
    pub fn strike_unseen(&self, way: VirtAddr, found: Option<u64>) -> Stored {
        let before = self.violations();
        // SAFETY: what was there already, or where nothing can be loaded.
        match unsafe { try_store(way, found.unwrap_or(STRAY)) } {
            Ok(()) => Stored::Landed,
            Err(vector) => Stored::Faulted { vector, by_stub: self.violations() > before },
        }
    }

    /// Looks at a place before something is stored there.
    pub fn aim(&self, physical: u64) -> Aim {
        Aim { physical, word: self.word(physical), violations: self.violations() }
    }

    /// What became of a store there; what was there is put back.
    pub fn judge(&self, aim: Aim, stored: Result<(), u64>) -> Stored {
        let by_stub = self.violations() > aim.violations;
        let landed = self.word(aim.physical) != aim.word;
        if landed {
            self.put(aim.physical, aim.word);
        }
        match stored {
            _ if landed => Stored::Landed,
            Ok(()) => Stored::Elsewhere,
            Err(vector) => Stored::Faulted { vector, by_stub },
        }
    }

    /// What memory holds there.
    pub fn word(&self, physical: u64) -> u64 {
        self.show(physical, |words, at| words[at])
    }

    /// Changes memory that is an attack's to change.
    pub fn put(&self, physical: u64, word: u64) {
        self.show(physical, |words, at| words[at] = word);
    }

    fn show<R>(&self, physical: u64, look: impl FnOnce(&mut [u64; 512], usize) -> R) -> R {
        let frame = PhysFrame::containing_address(PhysAddr::new(physical));
        let at = (physical % 4096 / 8) as usize;
        // SAFETY: only what an attack has stored is changed, back to what it was, and code of a program that attacks.
        unsafe { self.window.borrow_mut().show(&self.cpu, frame, |words| look(words, at)) }
    }

    fn copy(&self, table: PhysFrame) -> Box<[u64; 512]> {
        self.show(table.start_address().as_u64(), |words, _| Box::new(*words))
    }

    /// Accesses that the nested tables did not allow, so far; it costs a call of the stub, if there is one.
    pub fn violations(&self) -> u64 {
        if !self.has_stub {
            return 0;
        }
        stub::counters(&self.cpu).by_reason[EPT_VIOLATION]
    }
}
