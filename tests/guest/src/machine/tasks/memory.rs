//! What task switches read and write: descriptors, TSSs, tables.
#![expect(unsafe_code, reason = "memory that the CPU uses")]

use core::cell::UnsafeCell;

use super::code;

/// Selectors.
pub const CODE: u16 = 0x08;
pub const DATA: u16 = 0x10;
pub const CODE_64: u16 = 0x18;
pub const MAIN: u16 = 0x20;
pub const SECOND: u16 = 0x28;
pub const HANDLER: u16 = 0x30;
pub const SMALL: u16 = 0x38;
pub const PLAIN: u16 = 0x40;
pub const GATE: u16 = 0x48;
pub const ABSENT: u16 = 0x50;
pub const LOCAL: u16 = 0x58;
pub const SMALL_CODE: u16 = 0x60;
pub const SMALL_STACK: u16 = 0x68;
pub const SHORT: u16 = 0x70;

/// The vector of a task gate that a program asks for.
pub const VECTOR: u8 = 0x20;

/// Where in a TSS something is, in words of 4 bytes.
const CR3: usize = 7;
const EIP: usize = 8;
const EFLAGS: usize = 9;
const ESP: usize = 14;
const ES: usize = 18;
const FS: usize = 22;
const LDT: usize = 24;

/// Memory that the CPU and 32-bit code use.
#[repr(C, align(4096))]
pub struct Memory<const WORDS: usize>(UnsafeCell<[u32; WORDS]>);

// SAFETY: one CPU's.
unsafe impl<const WORDS: usize> Sync for Memory<WORDS> {}

impl<const WORDS: usize> Memory<WORDS> {
    const fn new() -> Self {
        Self(UnsafeCell::new([0; WORDS]))
    }

    /// All of it.
    pub fn words(&self) -> [u32; WORDS] {
        // SAFETY: nothing else is under way.
        unsafe { self.0.get().read_volatile() }
    }

    fn set(&self, at: usize, word: u32) {
        assert!(at < WORDS);
        // SAFETY: as above.
        unsafe { self.0.get().cast::<u32>().add(at).write_volatile(word) };
    }

    fn set_wide(&self, at: usize, word: u64) {
        self.set(2 * at, word as u32);
        self.set(2 * at + 1, (word >> 32) as u32);
    }

    fn clear(&self) {
        // SAFETY: as above.
        unsafe { self.0.get().write_volatile([0; WORDS]) };
    }

    /// Where it is, below 4 GiB.
    pub fn at(&self) -> u32 {
        self.0.get().addr() as u32
    }
}

pub static GDT: Memory<32> = Memory::new();
pub static IDT: Memory<66> = Memory::new();
static LDT_WORDS: Memory<4> = Memory::new();
/// Of the main task, the second, the handler, the one of 16 bits, and the handler of exceptions without code.
pub static TSS: [Memory<27>; 5] = [const { Memory::new() }; 5];
static STACKS: [Memory<1024>; 5] = [const { Memory::new() }; 5];
/// How many records there are, and the records.
pub static LOG: Memory<2048> = Memory::new();

static ROOTS: [Memory<1024>; 2] = [const { Memory::new() }; 2];
static PAGES: Memory<1024> = Memory::new();
static POINTERS: [Memory<8>; 2] = [const { Memory::new() }; 2];
static DIRECTORIES: Memory<4096> = Memory::new();

/// Tables, of which all map everything at its own address.
#[derive(Clone, Copy)]
pub enum Root {
    /// By pages of 4 MiB.
    Bits32,
    /// The same, but this program by pages of 4 KiB.
    Small,
    /// By pages of 2 MiB.
    Pae,
    /// The same, from other pointers.
    OtherPae,
}

/// What goes to CR3.
pub fn tables(root: Root) -> u64 {
    u64::from(match root {
        Root::Bits32 => ROOTS[0].at(),
        Root::Small => ROOTS[1].at(),
        Root::Pae => POINTERS[0].at(),
        Root::OtherPae => POINTERS[1].at(),
    })
}

/// Everything as in the beginning.
pub fn prepare(roots: [Root; 2]) {
    fill_tables();
    descriptors();
    let [first, second] = roots.map(|root| tables(root) as u32);
    LOG.clear();
    let [main, other, handler, small, plain] = &TSS;
    for (number, (tss, entry, root)) in [
        (main, 0, first),
        (other, code::second(), second),
        (handler, code::handler(), first),
        (small, 0, 0),
        (plain, code::plain(), second),
    ]
    .into_iter()
    .enumerate()
    {
        wide(tss, entry, root, top(number));
    }
    other.set(LDT, u32::from(LOCAL));
    other.set(FS, 0xc);
    narrow(small);
}

/// What the task of 16 bits has left on its stack.
pub fn left_by_small() -> [u32; 6] {
    let words = STACKS[3].words();
    core::array::from_fn(|i| words[0xff0 / 4 - 6 + i])
}

/// Below it is a stack; above it a word that is not touched.
fn top(number: usize) -> u32 {
    STACKS[number].at() + 0xff0
}

fn wide(tss: &Memory<27>, entry: u32, root: u32, stack: u32) {
    tss.clear();
    for (at, word) in [(CR3, root), (EIP, entry), (EFLAGS, 2), (ESP, stack)] {
        tss.set(at, word);
    }
    for (place, selector) in [DATA, CODE, DATA, DATA, DATA, 0].into_iter().enumerate() {
        tss.set(ES + place, u32::from(selector));
    }
    for register in [0, 1, 2, 3, 5, 6, 7] {
        tss.set(ESP - 4 + register, 0x1111_1111 * (register as u32 + 1));
    }
}

/// Halves: IP is 0, SP the top of its own stack segment.
fn narrow(tss: &Memory<27>) {
    tss.clear();
    let mut halves = [0_u16; 22];
    (halves[8], halves[9], halves[13]) = (2, 0x5555, 0xff0);
    halves[17..21].copy_from_slice(&[DATA, SMALL_CODE, SMALL_STACK, DATA]);
    for (at, pair) in halves.chunks(2).enumerate() {
        tss.set(at, u32::from(pair[0]) | u32::from(pair[1]) << 16);
    }
}

const fn based(descriptor: u64, base: u32) -> u64 {
    let base = base as u64;
    descriptor | (base & 0xff_ffff) << 16 | (base >> 24) << 56
}

const FLAT_CODE: u64 = 0x00cf_9a00_0000_ffff;
const FLAT_DATA: u64 = 0x00cf_9200_0000_ffff;
/// 32-bit code of 64 KiB; a stack of 16 bits.
const PARTIAL_CODE: u64 = 0x0040_9a00_0000_ffff;
const STACK_16: u64 = 0x0000_9200_0000_ffff;
const TASK: u64 = 0x0000_8900_0000_0067;
const TASK_16: u64 = 0x0000_8100_0000_002b;
const TASK_GATE: u64 = 0x0000_8500_0000_0000;

fn descriptors() {
    let [main, second, handler, small, plain] = TSS.each_ref().map(Memory::at);
    GDT.clear();
    for (selector, descriptor) in [
        (CODE, FLAT_CODE),
        (DATA, FLAT_DATA),
        (CODE_64, 0x00af_9a00_0000_ffff),
        (MAIN, based(TASK, main)),
        (SECOND, based(TASK, second)),
        (HANDLER, based(TASK, handler)),
        (SMALL, based(TASK_16, small)),
        (PLAIN, based(TASK, plain)),
        (GATE, TASK_GATE | u64::from(SECOND) << 16),
        (ABSENT, FLAT_DATA & !(1 << 47)),
        (LOCAL, based(0x0000_8200_0000_000f, LDT_WORDS.at())),
        (SMALL_CODE, based(PARTIAL_CODE, code::small())),
        (SMALL_STACK, based(STACK_16, STACKS[3].at())),
        (SHORT, based(TASK & !0xff | 0x50, second)),
    ] {
        GDT.set_wide(usize::from(selector) / 8, descriptor);
    }
    LDT_WORDS.set_wide(1, based(FLAT_DATA, 0x1000));
    gates();
}

/// Exceptions with an error code go to the handler, #UD to the one that expects none; #DB to code of the same task.
fn gates() {
    IDT.clear();
    let to = |selector: u16| TASK_GATE | u64::from(selector) << 16;
    for vector in [10, 11, 12, 13] {
        IDT.set_wide(vector, to(HANDLER));
    }
    IDT.set_wide(6, to(PLAIN));
    IDT.set_wide(usize::from(VECTOR), to(SECOND));
    let debug = u64::from(code::debug());
    IDT.set_wide(1, debug & 0xffff | u64::from(CODE) << 16 | 0x8e << 40 | (debug >> 16) << 48);
}

fn fill_tables() {
    const PAGE: u32 = 0b11;
    const LARGE: u32 = 1 << 7 | PAGE;
    for entry in 0..1024_u32 {
        ROOTS.iter().for_each(|root| root.set(entry as usize, entry << 22 | LARGE));
        PAGES.set(entry as usize, 1 << 22 | entry << 12 | PAGE);
    }
    // This program begins at 4 MiB.
    ROOTS[1].set(1, PAGES.at() | PAGE);
    for entry in 0..2048 {
        DIRECTORIES.set_wide(entry, (entry as u64) << 21 | u64::from(LARGE));
    }
    for pointers in &POINTERS {
        for entry in 0..4 {
            let directory = u64::from(DIRECTORIES.at()) + entry as u64 * 0x1000;
            pointers.set_wide(entry, directory | 1);
        }
    }
}
