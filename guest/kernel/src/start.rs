//! The order of boot. First half, under the boot tables: what the loader and ACPI say, what is
//! asked, the kernel's own map. Second half, on the kernel's own stack: CPU, heap, and the plan.
#![expect(unsafe_code, reason = "the steps that everything else relies on")]

use core::fmt;

use foreign_access::cpu::CallInstruction;
use loadphys_abi::discovery::RuleSet;
use loadphys_boot::handoff::{Handoff, Loader};
use loadphys_plan::command_line::{Exit, Plan, Rules};
use loadphys_plan::records::NO_RULES;
use spin::Mutex;
use x86_64::VirtAddr;
use x86_64::instructions::interrupts;
use x86_64::instructions::port::Port;

use crate::areas::Areas;
use crate::console::{self, log};
use crate::cpu::{self, CpuLocal, Features, LocalApic};
use crate::cpus::{Others, STACK_BYTES, Stacks};
use crate::early::{EarlyFrames, Image, KernelMap, Stack, leave};
use crate::firmware::Firmware;
use crate::interrupts::vector;
use crate::machine::hardware;
use crate::panic::die;
use crate::power::{self, Ending};
use crate::timer::Timer;
use crate::{gate, heap, interrupts as traps, other_context, physical_mode, plans};

/// What the first half hands to the second.
struct Prepared {
    handoff: Handoff,
    plan: Plan,
    features: Features,
    firmware: Firmware,
    areas: Areas,
    apic: LocalApic,
    /// Of the boot CPU.
    stacks: Stacks,
    /// On which work in another context is done.
    context_stack: Stack,
    /// What other CPUs need to start, if any are asked for.
    others: Option<Others>,
    heap: (VirtAddr, u64),
}

static PREPARED: Mutex<Option<Prepared>> = Mutex::new(None);

static mut BOOT_CPU: CpuLocal = CpuLocal::new(0);

/// Where [`loadphys_boot::entry!`] leads.
pub extern "C" fn main(loader: u32, info: u32) -> ! {
    console::initialise();
    // From here on a fault is reported. (NMI, double fault and machine check only once the task state is loaded.)
    traps::load();
    // SAFETY: these are the entry code's words, and nothing has been written yet.
    let handoff = unsafe { Handoff::read(loader, info) }.unwrap_or_else(|e| refuse(&e));
    // SAFETY: the identity map is in place.
    let firmware = unsafe { Firmware::read(handoff.rsdp) }.unwrap_or_else(|e| {
        log!("no ACPI tables ({e:?}): one CPU, no power-off");
        Firmware { cpus: 1, ..Firmware::default() }
    });
    power::prepare(Ending { exit: exit(&handoff.command_line), power_off: firmware.power_off });
    let plan = handoff.command_line.parse::<Plan>().unwrap_or_else(|e| refuse(&e));
    let features = Features::read();
    cpu::set_up_control_registers(&features).unwrap_or_else(|e| refuse(&e));
    let frames = EarlyFrames::new(&handoff, Image::physical_end());
    let (root, stack) =
        map(handoff, plan, features, firmware, frames).unwrap_or_else(|e| refuse(&e));
    // SAFETY: `map` has mapped the image and the stack; the rest waits in a static.
    unsafe { leave(root, stack.top, go_on) }
}

/// How to end, even if the rest of the command line is not understood.
fn exit(command_line: &str) -> Exit {
    let values =
        command_line.split_ascii_whitespace().filter_map(|word| word.strip_prefix("exit="));
    values.filter_map(|value| value.parse().ok()).next_back().unwrap_or(Exit::Acpi)
}

/// Ends the boot with a reason that whoever asked can mend.
fn refuse(reason: &dyn fmt::Display) -> ! {
    die(format_args!("{reason}"))
}

/// Builds the kernel's own map with all that is needed for ever, and keeps it for later.
fn map(
    handoff: Handoff,
    plan: Plan,
    features: Features,
    firmware: Firmware,
    frames: EarlyFrames,
) -> Result<(x86_64::structures::paging::PhysFrame, Stack), crate::early::TooLittle> {
    let mut map = KernelMap::new(frames)?;
    let stacks = Stacks::map(&mut map)?;
    let context_stack = map.stack(STACK_BYTES)?;
    // SAFETY: the identity map is in place, and all that the loader left has been read.
    let others = unsafe { Others::prepare(&mut map, &handoff, plan.cpus, &firmware) }?;
    let heap_bytes = heap::bytes_for(&plan);
    let heap = (map.area(heap_bytes)?, heap_bytes);
    let apic = match LocalApic::memory() {
        Some(physical) => LocalApic::Memory(map.device(physical)?),
        None => LocalApic::Registers,
    };
    let areas = Areas::reserve(map, &handoff, &plan, &features)?;
    let (stack, root) = (stacks.run, areas.root);
    *PREPARED.lock() = Some(Prepared {
        handoff,
        plan,
        features,
        firmware,
        areas,
        apic,
        stacks,
        context_stack,
        others,
        heap,
    });
    Ok((root, stack))
}

/// The second half.
extern "C" fn go_on() -> ! {
    let prepared = PREPARED.lock().take().expect("the first half has prepared all");
    let Prepared { handoff, plan, mut features, firmware, areas, apic, .. } = prepared;
    let Prepared { stacks, context_stack, others, heap, .. } = prepared;
    let local = &raw mut BOOT_CPU;
    // SAFETY: this is the boot CPU, and this function runs once.
    cpu::load_descriptors(unsafe { &mut *local }, stacks.striking.map(|stack| stack.top));
    other_context::prepare(context_stack.top);
    physical_mode::prepare();
    gate::tell(&hardware(0), &mut features);
    let all = others.iter().flat_map(Others::stacks).chain([&stacks]);
    traps::keep_guards(all.flat_map(Stacks::guards).chain([context_stack.guard]));
    // SAFETY: the area was made for the heap.
    unsafe { heap::claim(heap.0, heap.1) };
    mask_old_interrupt_controllers();
    let timer = Timer::new(apic.start(vector::SPURIOUS as u8), firmware.pm_timer);
    interrupts::enable();
    // SAFETY: the map that the areas are in is loaded.
    let estate = unsafe { areas.raise(&handoff, &plan, firmware.pm_timer) };
    let estate = estate.unwrap_or_else(|e| refuse(&e));
    log!(
        "{} at {}, {} CPU(s), loaded by {}",
        features.brand,
        below(&features),
        firmware.cpus,
        loader(&handoff)
    );
    plans::run(estate, plan, features, firmware, others, timer, &handoff)
}

/// The two 8259s are still there on PCs, and send interrupts on vectors of exceptions until masked.
fn mask_old_interrupt_controllers() {
    for port in [0x21, 0xa1] {
        // SAFETY: the interrupt-mask registers of the two controllers.
        unsafe { Port::<u8>::new(port).write(0xff) };
    }
}

/// What runs below, as a path is named.
pub fn below(features: &Features) -> &'static str {
    match (features.stub, CallInstruction::read()) {
        (None, _) => "bare",
        (Some(_), CallInstruction::Vmcall) => "vmx",
        (Some(_), CallInstruction::Vmmcall) => "svm",
    }
}

/// What the stub checks, as rules are named.
pub fn rules(features: &Features) -> &'static str {
    let Some(stub) = features.stub else { return NO_RULES };
    match stub.rules {
        RuleSet::Tables => Rules::Tables.name(),
        RuleSet::Typed => Rules::Typed.name(),
        RuleSet::TypedPreset => Rules::TypedPreset.name(),
    }
}

/// The protocol by which the kernel was loaded.
pub fn loader(handoff: &Handoff) -> &'static str {
    match handoff.loader {
        Loader::Pvh => "pvh",
        Loader::Multiboot2 => "multiboot2",
    }
}
