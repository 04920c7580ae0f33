//! The CPUs that are not the boot CPU: started one after the other, switched on as the boot CPU was and brought into the guest,
//! where they wait for its SIPI.
//!
//! A CPU that cannot run the guest is kept without one. Under VT-x INIT and SIPI are blocked there, so the guest
//! cannot start it behind the stub's back. It is taken off ACPI's list.
#![expect(unsafe_code, reason = "lends stacks, and enters the guest")]

use core::hint::spin_loop;
use core::mem::MaybeUninit;
use core::sync::atomic::{AtomicU8, Ordering};

use loadphys_boot::trampoline;
use spin::Mutex;
use x86_64::instructions::hlt;
use x86_64::instructions::port::Port;

use super::cpus::{Common, NO_FRAME, Own};
use super::firmware::Firmware;
use super::guest::Guest;
use super::low_page::Page;
use super::memory::{self, Memory};
use crate::back_end::BackEnd;
use crate::cpu::Cpu;
use crate::descriptors::{self, Descriptors, Tops};
use crate::ending::fatal;
use crate::image::Stacks;
use crate::local_apic::LocalApic;
use crate::problem::Problem;
use crate::registers::Registers;
use crate::say::say;

/// The port of the diagnostics board.
const DIAGNOSTICS: u16 = 0x80;

/// Writes to the diagnostics port, each of which takes a microsecond or more: from INIT to SIPI, from SIPI to SIPI
/// (section 9.4.4.1 "Typical BSP Initialization Sequence": 10 ms, 200 us), and until a CPU is given up.
const AFTER_INIT: u32 = 10_000;
const AFTER_SIPI: u32 = 200;
const PATIENCE: u32 = 500_000;

/// Has a CPU arrived?
const WAITED_FOR: u8 = 0;
/// It waits for the guest to start it.
const READY: u8 = 1;
/// It is kept where the guest cannot start it.
const KEPT: u8 = 2;
/// It could not be switched on, and has said why.
const OUTSIDE: u8 = 3;

/// What a CPU is told when it is started.
struct Start<B: BackEnd> {
    id: u32,
    number: usize,
    root: u64,
    tops: Tops,
    own: Mutex<Option<(Own<B>, &'static mut MaybeUninit<Descriptors>)>>,
    common: Common<B>,
    outcome: AtomicU8,
}

/// Starts all CPUs but this one; says how many the guest has.
///
/// # Errors
/// [`Problem`]: no room, or a CPU that the guest could start outside of the stub.
pub fn start<B: BackEnd>(
    firmware: &mut Firmware,
    memory: &mut Memory,
    guest: &Guest,
    common: &Common<B>,
) -> Result<usize, Problem> {
    let Some(apic) = LocalApic::of_this_cpu() else { return Ok(1) };
    let others = firmware.others(apic.id());
    if others.is_empty() {
        return Ok(1);
    }
    let page = Page::borrow(&guest.memory)?;
    let mut cpus = 1;
    for id in others {
        let stacks = memory.take_stacks().ok_or(Problem::NoPlace("a CPU's stacks"))?;
        let start = Start::prepare(id, cpus, memory, stacks, common)?;
        match start_one(apic, start, stacks, page.vector()) {
            Some(READY) => cpus += 1,
            Some(KEPT) => firmware.hide(id)?,
            Some(_) => return Err(Problem::Outside(id)),
            None => {
                say!("CPU {id} does not answer: taken off the list of CPUs");
                firmware.hide(id)?;
            }
        }
    }
    page.give_back();
    Ok(cpus)
}

impl<B: BackEnd> Start<B> {
    fn prepare(
        id: u32,
        number: usize,
        memory: &mut Memory,
        stacks: &Stacks,
        common: &Common<B>,
    ) -> Result<&'static Self, Problem> {
        let own = Own::take(&mut memory.pool)?;
        let descriptors = memory.pool.take_one::<Descriptors>().ok_or(NO_FRAME)?;
        let place = memory.pool.take_one::<Self>().ok_or(NO_FRAME)?;
        Ok(place.write(Self {
            id,
            number,
            root: memory.root,
            tops: Tops { fault: stacks.fault.top(), nmi: stacks.nmi.top() },
            own: Mutex::new(Some((own, descriptors))),
            common: *common,
            outcome: AtomicU8::new(WAITED_FOR),
        }))
    }
}

/// Starts a CPU and waits until it has arrived and is done; `None` if it does not answer.
fn start_one<B: BackEnd>(
    apic: LocalApic,
    start: &'static Start<B>,
    stacks: &Stacks,
    vector: u8,
) -> Option<u8> {
    if !apic.reaches(start.id) {
        return None;
    }
    let top = stacks.run.top().cast::<u64>().cast_mut();
    // SAFETY: a stack from the pool, which lies below 4 GiB; nobody uses it yet.
    unsafe { trampoline::offer(top, arrived, start) };
    apic.init(start.id);
    wait(AFTER_INIT, || false);
    let _came = [AFTER_SIPI, PATIENCE].into_iter().any(|patience| {
        apic.start_up(start.id, vector);
        wait(patience, trampoline::is_taken)
    });
    if trampoline::take_back() {
        // Whatever it does, it shall wait when the page is given back.
        apic.init(start.id);
        return None;
    }
    loop {
        match start.outcome.load(Ordering::Acquire) {
            WAITED_FOR => spin_loop(),
            outcome => return Some(outcome),
        }
    }
}

/// Waits for something; says whether it came about.
fn wait(writes: u32, mut come: impl FnMut() -> bool) -> bool {
    (0..writes).any(|_| {
        // SAFETY: the port shows numbers on a board, if there is one.
        unsafe { Port::<u8>::new(DIAGNOSTICS).write(0) };
        // An emulator that runs its CPUs in turn goes on to the next one.
        spin_loop();
        come()
    })
}

/// Where the trampoline ends.
extern "C" fn arrived<B: BackEnd>(start: &'static Start<B>) -> ! {
    memory::switch_to(start.root);
    let id = start.id;
    match join(start) {
        Ok(cpu) => {
            B::unused(cpu);
            start.outcome.store(READY, Ordering::Release);
            // SAFETY: all is made, as on the boot CPU.
            let problem = unsafe { B::run(&Registers::default(), cpu) };
            fatal!("CPU {id}: {problem}")
        }
        Err((outcome, problem)) => {
            say!("CPU {id}: {problem}: the guest does not get it");
            start.outcome.store(outcome, Ordering::Release);
            loop {
                hlt();
            }
        }
    }
}

/// Becomes a CPU of the guest, like the boot CPU.
fn join<B: BackEnd>(start: &Start<B>) -> Result<&'static mut Cpu<B>, (u8, Problem)> {
    let own = start.own.lock().take();
    let (mut own, place) = own.ok_or((OUTSIDE, NO_FRAME))?;
    let descriptors = descriptors::load(place, start.tops);
    let on = B::check().and_then(|()| B::switch_on(&mut own.parts, &start.common.back_end));
    on.map_err(|why| (OUTSIDE, why))?;
    B::is_good(&start.common.back_end).map_err(|why| (KEPT, why))?;
    own.into_cpu(start.number, descriptors, &start.common).map_err(|why| (KEPT, why))
}
