//! What a guest does all the time, none of which makes a stub run. Where there is one, its exits are counted.
#![expect(unsafe_code, reason = "instructions of ring 0, ports")]

use core::arch::asm;

use loadphys_test_guests::{calls, say, traps};
use raw_cpuid::cpuid;
use x86_64::instructions::port::Port;

use crate::attempt::{self, read_msr, write_msr};
use crate::interrupts::{self, halt, start_timer};
use crate::{breakpoints, seen};

/// How often each thing is done.
const TIMES: u64 = 20;

/// Ticks of the timer until its interrupt.
const SOON: u32 = 20_000;

/// Each by name; none of them exits.
const WORK: [(&str, fn()); 14] = [
    ("nothing", || ()),
    ("hlt", halts),
    ("mwait", waits),
    ("rdtsc", time_stamps),
    ("debug registers", breakpoints::touch),
    ("cr3", roots),
    ("invlpg", invlpg),
    ("cr0.ts", task_switched),
    ("cr4", features),
    ("memory types", memory_types),
    ("other msrs", msrs),
    ("ports", ports),
    ("exceptions", exceptions),
    ("local apic", apic),
];

/// Looks.
pub fn look() {
    time();
    let own = between(|| ());
    for (name, work) in WORK {
        let ticks = interrupts::ticks();
        let exits = between(work);
        seen!("{name}: {} timer interrupts", interrupts::ticks() - ticks);
        if let Some((exits, own)) = exits.zip(own) {
            say!("exits: {name}: {}", exits - own);
        }
    }
}

/// How many exits a stub counts meanwhile.
fn between(work: fn()) -> Option<u64> {
    let exits = || calls::stub_is_below().then(|| calls::counters().exits);
    // CPUID exits, so that there is one more each time.
    let before = exits();
    work();
    exits().zip(before).map(|(after, before)| after - before)
}

fn halts() {
    for _ in 0..TIMES {
        start_timer(SOON);
        halt();
    }
}

fn waits() {
    const MONITOR: u32 = 1 << 3;
    static WATCHED: u64 = 0;
    if cpuid_once(1)[2] & MONITOR == 0 {
        return;
    }
    for _ in 0..TIMES {
        start_timer(SOON);
        let before = interrupts::ticks();
        while interrupts::ticks() == before {
            assert!(attempt::monitor_and_wait((&raw const WATCHED).addr() as u64).is_done());
        }
    }
}

/// CPUID exits: it is asked before anything is counted.
fn cpuid_once(leaf: u32) -> [u32; 4] {
    static FOUND: spin::Once<[u32; 4]> = spin::Once::new();
    *FOUND.call_once(|| {
        let found = cpuid!(leaf);
        [found.eax, found.ebx, found.ecx, found.edx]
    })
}

/// The time stamp counter goes on, and is what the guest makes of it.
fn time() {
    const TSC: u64 = 0x10;
    const AUX: u64 = 0xc000_0103;
    const FAR: u64 = 1 << 40;
    cpuid_once(1);
    let first = read_tsc();
    let grows = read_tsc() > first;
    let before = write_msr(AUX, 77);
    seen!("tsc grows={grows} aux {before} {}", attempt::read_aux());
    let written = write_msr(TSC, FAR);
    let now = read_tsc();
    seen!("tsc written {written} near={}", (FAR..FAR + (1 << 24)).contains(&now));
}

fn read_tsc() -> u64 {
    // SAFETY: reads the time.
    unsafe { core::arch::x86_64::_rdtsc() }
}

fn time_stamps() {
    (0..TIMES).for_each(|_| {
        let _ = (read_tsc(), attempt::read_aux());
    });
}

fn roots() {
    for _ in 0..TIMES {
        // SAFETY: the same root again.
        unsafe { asm!("mov {0}, cr3", "mov cr3, {0}", out(reg) _) };
    }
}

fn invlpg() {
    for page in 0..TIMES {
        // SAFETY: forgets a translation.
        unsafe { asm!("invlpg [{}]", in(reg) page << 12) };
    }
}

fn task_switched() {
    for _ in 0..TIMES {
        // SAFETY: no code here uses what TS keeps from it.
        unsafe { asm!("mov {0}, cr0", "or {0}, 8", "mov cr0, {0}", "clts", out(reg) _) };
    }
}

fn features() {
    const GLOBAL: u64 = 1 << 7;
    for _ in 0..TIMES {
        // SAFETY: no page is global.
        unsafe { asm!("mov {0}, cr4", "xor {0}, {1}", "mov cr4, {0}", out(reg) _, const GLOBAL) };
    }
}

fn memory_types() {
    const PAT: u64 = 0x277;
    let now = read_msr(PAT).number();
    for _ in 0..TIMES {
        assert!(write_msr(PAT, now).is_done());
        assert!([0xfe, 0x2ff, 0x200, 0x201, 0x250].map(read_msr).iter().all(|it| it.is_done()));
    }
}

fn msrs() {
    for number in [0x174, 0x175, 0x176, 0xc000_0081, 0xc000_0082, 0xc000_0100, 0xc000_0102] {
        let now = read_msr(number).number();
        (0..TIMES).for_each(|_| assert!(write_msr(number, now).is_done()));
    }
}

fn ports() {
    const POST: u16 = 0x80;
    for _ in 0..TIMES {
        // SAFETY: a port that shows a number, if anything does, and the clock's index.
        unsafe {
            Port::<u8>::new(POST).write(0);
            let _ = Port::<u8>::new(0x71).read();
        }
    }
}

/// #PF, #UD and #GP.
fn exceptions() {
    const NOT_MAPPED: u64 = 1 << 40;
    const NOT_CANONICAL: u64 = 1 << 60;
    for _ in 0..TIMES {
        assert_eq!((traps::look(NOT_MAPPED), traps::look(NOT_CANONICAL)), (None, None));
        let _ = attempt::read_dr4();
    }
}

fn apic() {
    const PRIORITY: u64 = 0x80;
    for _ in 0..TIMES {
        let now = interrupts::read(PRIORITY);
        interrupts::write(PRIORITY, now);
    }
}
