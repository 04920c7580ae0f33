//! Tables of this guest's own that lead to the stub's memory: as a page of each size, and as a table of each level.
#![expect(unsafe_code, reason = "entries of this guest's tables")]

use crate::addresses::machine;
use crate::canaries::Page;
use crate::descriptors::Mode;
use crate::execute::{GENERAL_PROTECTION, PAGE_FAULT};
use crate::local::Local;
use crate::tally;

/// A table of each of the levels 3 to 1 for each CPU, below its own slot of the root.
static TABLES: [[Page; 3]; crate::local::CPUS] =
    [const { [const { Page::zero() }; 3] }; crate::local::CPUS];

/// Slots of the root that nothing else uses: 8, and 9 for the other CPU.
const SLOT: u64 = 8;

const PRESENT_WRITABLE: u64 = 0b11;
const LARGE: u64 = 1 << 7;

unsafe extern "C" {
    /// Of the entry code.
    static mut boot_root: [u64; 512];
}

fn set(table: u64, index: u64, entry: u64) {
    // SAFETY: a table of this CPU's, or its own slot of the root.
    unsafe { ((table + 8 * index) as *mut u64).write_volatile(entry) };
}

impl Local {
    /// One access through tables that lie from some level on.
    pub fn lie(&mut self) {
        let tables = TABLES[self.number as usize].each_ref().map(Page::address);
        let root = (&raw const boot_root).addr() as u64;
        let chain = [root, tables[0], tables[1], tables[2]];
        let slot = SLOT + self.number;
        let target = self.stubs() & !0xfff;
        let page = slot << 39 | target & 0x1f_f000;
        let lying = self.random.below(4);
        for (at, level) in (0..lying).zip([4_u32, 3, 2]) {
            let next = chain[at as usize + 1] | PRESENT_WRITABLE;
            set(chain[at as usize], index(page, level), next);
        }
        let level = 4 - lying as u32;
        set(chain[lying as usize], index(page, level), self.lying_entry(target, level));
        x86_64::instructions::tlb::flush_all();
        let registers = self.registers(page);
        let code =
            self.random.of([&[0x48, 0x8b, 0x06], &[0x48, 0x89, 0x06], &[0xff_u8, 0xe6, 0x90]]);
        let outcome = self.execute(code, registers, Mode::Kernel);
        let stopped = outcome.vector == GENERAL_PROTECTION && !outcome.done;
        assert!(stopped, "through level {level} to {target:#x}: {outcome:x?}");
        set(root, slot, 0);
        x86_64::instructions::tlb::flush_all();
        tally::LIES.add();
    }

    /// One load by tables that the stub has checked, which it has to mark as used for the walker.
    pub fn walk_tables(&mut self) {
        let Some(table) = self.playground.first_checked().filter(|_| machine().typed) else {
            return;
        };
        let root = (&raw const boot_root).addr() as u64;
        let slot = SLOT + self.number;
        let near = self.random.below(8) << 30 | self.random.below(8) << 21;
        let far = self.random.below(1 << 39);
        let page = slot << 39 | self.random.of([near, near, far]) & !7;
        set(root, slot, table | PRESENT_WRITABLE);
        x86_64::instructions::tlb::flush_all();
        let registers = self.registers(page);
        let outcome = self.execute(&[0x48, 0x8b, 0x06], registers, Mode::Kernel);
        let clean = outcome.done || [GENERAL_PROTECTION, PAGE_FAULT].contains(&outcome.vector);
        assert!(clean, "a load by the table at {table:#x}: {outcome:x?}");
        set(root, slot, 0);
        x86_64::instructions::tlb::flush_all();
        tally::WALKS.add();
    }

    /// An entry that leads into the stub's memory: to a page, large or not, or to what would be a table.
    fn lying_entry(&mut self, target: u64, level: u32) -> u64 {
        if level == 2 && self.random.one_in(2) {
            return target & !0x1f_ffff | PRESENT_WRITABLE | LARGE;
        }
        target | PRESENT_WRITABLE
    }
}

const fn index(page: u64, level: u32) -> u64 {
    page >> (3 + 9 * level) & 511
}
