//! Devices are the machine's: what they say at their own addresses, below 4 GiB and above all memory.
#![expect(unsafe_code, reason = "device registers, ports, tables of this guest's")]

use core::cell::UnsafeCell;

use x86_64::instructions::port::Port;
use x86_64::instructions::tlb;

use crate::seen;
use crate::seen::Digest;

#[repr(C, align(4096))]
struct Table(UnsafeCell<[u64; 512]>);

// SAFETY: one CPU's.
unsafe impl Sync for Table {}

static POINTERS: Table = Table(UnsafeCell::new([0; 512]));
static DIRECTORY: Table = Table(UnsafeCell::new([0; 512]));

/// Where [`shown`] shows what lies far up: entry 1 of the root.
const WINDOW: u64 = 1 << 39;

/// Memory, if there is more than 4 GiB of it.
const ABOVE: u64 = 4 << 30;

/// Far above all memory, where no alias begins either, since that is a power of two.
const FAR: u64 = 3 << 36;

/// Looks.
pub fn look() {
    seen!("i/o apic {:x}", indirect(0xfec0_0000, 1));
    seen!("hpet {:x} {:x}", word(0xfed0_0000), word(0xfed0_0004));
    let text = 0xb_8000;
    seen!("vga text {}", [0x0741_0742, 0x0743_0744].map(|it| kept(text, it)).iter().all(|it| *it));
    let rom = (0xffff_fff0..0x1_0000_0000).step_by(4).map(|at| u64::from(word(at)));
    seen!("rom {:x}", Digest::NONE.with_all(rom).0);
    seen!("memory above 4 GiB {}", kept(shown(ABOVE), 0x1234_5678));
    seen!("above all memory {:x} {:x}", word(shown(FAR)), word(shown(FAR) + 0x1000));
    for function in 0..32 * 8 {
        device(function);
    }
}

fn word(at: u64) -> u32 {
    // SAFETY: a register of a device, or nothing; no read here changes anything.
    unsafe { (at as *const u32).read_volatile() }
}

fn kept(at: u64, value: u32) -> bool {
    // SAFETY: memory of the display.
    unsafe { (at as *mut u32).write_volatile(value) };
    word(at) == value
}

fn indirect(at: u64, index: u32) -> u32 {
    // SAFETY: chooses a register of the I/O APIC.
    unsafe { (at as *mut u32).write_volatile(index) };
    word(at + 0x10)
}

unsafe extern "C" {
    /// Of the entry code.
    static mut boot_root: [u64; 512];
}

/// Where 2 MiB of physical memory can be seen.
fn shown(physical: u64) -> u64 {
    const PRESENT_WRITABLE: u64 = 0b11;
    const UNCACHED: u64 = 1 << 4;
    const LARGE: u64 = 1 << 7;
    let (pointers, directory) = (POINTERS.0.get().cast::<u64>(), DIRECTORY.0.get().cast::<u64>());
    // SAFETY: tables of this guest's, and an entry of the root that nothing else uses.
    unsafe {
        directory.write_volatile(physical | PRESENT_WRITABLE | UNCACHED | LARGE);
        pointers.write_volatile(directory as u64 | PRESENT_WRITABLE);
        (&raw mut boot_root)
            .cast::<u64>()
            .add(1)
            .write_volatile(pointers as u64 | PRESENT_WRITABLE);
    }
    tlb::flush_all();
    WINDOW
}

/// Offsets in the configuration space.
const COMMAND: u32 = 4;
const FIRST_BASE: u32 = 0x10;
const HEADER: u32 = 0xc;

fn configuration(function: u32, register: u32) -> Port<u32> {
    let address = 1 << 31 | function << 8 | register;
    // SAFETY: chooses a register.
    unsafe { Port::<u32>::new(0xcf8).write(address) };
    Port::new(0xcfc)
}

fn read(function: u32, register: u32) -> u32 {
    // SAFETY: reading the configuration changes nothing.
    unsafe { configuration(function, register).read() }
}

fn write(function: u32, register: u32, value: u32) {
    // SAFETY: what is written is put back by who calls.
    unsafe { configuration(function, register).write(value) };
}

/// One function of a device on the first bus, and its registers at an address of 64 bits, far up.
fn device(function: u32) {
    let name = read(function, 0);
    if name == u32::MAX {
        return;
    }
    let class = read(function, 8);
    seen!("pci {:x}.{} {name:x} {class:x}", function / 8, function % 8);
    if read(function, HEADER) >> 16 & 0x7f != 0 {
        return;
    }
    let wide = |base: &u32| read(function, FIRST_BASE + 4 * base) & 0b111 == 0b100;
    (0..5).filter(wide).for_each(|base| move_up(function, FIRST_BASE + 4 * base));
}

fn move_up(function: u32, base: u32) {
    const MEMORY: u32 = 1 << 1;
    let [low, high, command] = [base, base + 4, COMMAND].map(|register| read(function, register));
    write(function, base, FAR as u32);
    write(function, base + 4, (FAR >> 32) as u32);
    write(function, COMMAND, command | MEMORY);
    let at = shown(FAR);
    let words = (at..at + 0x40).step_by(4).map(|at| u64::from(word(at)));
    let digest = Digest::NONE.with_all(words).0;
    seen!("pci base {base:x} far up {:x} {digest:x}", read(function, base + 4));
    for (register, value) in [(COMMAND, command), (base, low), (base + 4, high)] {
        write(function, register, value);
    }
}
