//! Frames of one CPU: some that become tables and cease to be, arrays for what calls read and write, and canaries round them.
#![expect(unsafe_code, reason = "the tables that the entry code left, changed for one page")]

use crate::canaries::Page;
use crate::local::CPUS;

/// Frames that may become tables.
pub const FRAMES: usize = 8;

/// Pages of arrays: as long as the longest batch that there is, and one more.
pub const ARRAY_PAGES: usize = 5;

struct Ground {
    before: Page,
    frames: [Page; FRAMES],
    between: Page,
    arrays: [Page; ARRAY_PAGES],
    after: Page,
}

static GROUNDS: [Ground; CPUS] = [const {
    Ground {
        before: Page::zero(),
        frames: [const { Page::zero() }; FRAMES],
        between: Page::zero(),
        arrays: [const { Page::zero() }; ARRAY_PAGES],
        after: Page::zero(),
    }
}; CPUS];

/// What one CPU knows of its frames.
#[derive(Debug)]
pub struct Playground {
    number: usize,
    tables: [bool; FRAMES],
    open: [bool; FRAMES],
}

impl Playground {
    /// Nobody's yet.
    pub const fn new() -> Self {
        Self { number: 0, tables: [false; FRAMES], open: [false; FRAMES] }
    }

    /// Makes it that of a CPU.
    pub fn take(&mut self, number: usize) {
        self.number = number;
        let ground = self.ground();
        [&ground.before, &ground.between, &ground.after].into_iter().for_each(Page::fill);
    }

    fn ground(&self) -> &'static Ground {
        &GROUNDS[self.number]
    }

    /// Dies if a canary was changed.
    pub fn check(&self) {
        let ground = self.ground();
        [&ground.before, &ground.between, &ground.after].into_iter().for_each(Page::check);
    }

    /// The address of a frame.
    pub fn frame(&self, number: u64) -> u64 {
        self.ground().frames[number as usize].address()
    }

    /// Where the arrays begin.
    pub fn arrays(&self) -> u64 {
        self.ground().arrays[0].address()
    }

    /// Whether an address is in one of the arrays.
    pub fn is_in_arrays(&self, address: u64) -> bool {
        (self.arrays()..self.arrays() + ARRAY_PAGES as u64 * 0x1000).contains(&address)
    }

    /// The frame in which an address is.
    pub fn number_of(&self, address: u64) -> Option<usize> {
        let frames = &self.ground().frames;
        frames.iter().position(|frame| frame.address() == address & !0xfff)
    }

    /// Whether an address is that of an entry of a table.
    pub fn is_entry(&self, address: u64) -> bool {
        let table = self.number_of(address).is_some_and(|number| self.tables[number]);
        table && address.is_multiple_of(8)
    }

    /// Notes what has become of the frame at an address; one that is not of this playground is not noted.
    pub fn note(&mut self, frame: u64, table: bool) {
        if let Some(number) = self.number_of(frame) {
            self.tables[number] = table;
            self.open[number] &= table;
        }
    }

    /// Notes that the table at an address is one that this guest writes itself.
    pub fn note_open(&mut self, frame: u64) {
        if let Some(number) = self.number_of(frame) {
            self.open[number] = true;
        }
    }

    /// The first frame that is a table whose entries the stub checks.
    pub fn first_checked(&self) -> Option<u64> {
        let number = (0..FRAMES).find(|number| self.tables[*number] && !self.open[*number])?;
        Some(self.frame(number as u64))
    }

    /// The first frame that is a table now.
    pub fn first_table(&self) -> Option<u64> {
        let number = self.tables.iter().position(|table| *table)?;
        Some(self.frame(number as u64))
    }
}

/// Where code is executed: in reach of 32-bit code, in a large page that is the ring 3's.
const CODE: u64 = 16 << 20;

/// The page for code of a CPU.
pub const fn code(number: u64) -> u64 {
    CODE + number * 0x1000
}

unsafe extern "C" {
    /// Of the entry code.
    static mut boot_root: [u64; 512];
}

/// Lets ring 3 execute what is on these pages.
pub fn open_code() {
    const USER: u64 = 1 << 2;
    const LARGE: u64 = 1 << 7;
    const FRAME: u64 = 0x000f_ffff_ffff_f000;
    let mut table = (&raw mut boot_root).cast::<u64>();
    for level in [3_u64, 2, 1] {
        let index = (CODE >> (12 + 9 * level)) & 511;
        // SAFETY: the entry code built tables of three levels; this CPU runs alone.
        unsafe {
            let entry = table.wrapping_add(index as usize);
            entry.write_volatile(entry.read_volatile() | USER);
            assert_eq!(entry.read_volatile() & LARGE != 0, level == 1);
            table = (entry.read_volatile() & FRAME) as *mut u64;
        }
    }
    x86_64::instructions::tlb::flush_all();
}
