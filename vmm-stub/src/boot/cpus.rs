//! What runs guests is switched on and the guest entered on the boot CPU; the others ([`super::others`]) go the same way as
//! far as they can.
#![expect(unsafe_code, reason = "enters the guest")]

use core::convert::Infallible;
use core::mem::MaybeUninit;
use core::sync::atomic::{AtomicU32, Ordering};

use heapless::Vec;
use loadphys_abi::discovery::{ABI_VERSION, Features, RuleSet};
use raw_cpuid::cpuid;
use spin::{Mutex, Once};

use super::firmware::Firmware;
use super::guest::Guest;
use super::memory::Memory;
use super::others;
use super::rules;
use crate::back_end::BackEnd;
use crate::counts::Counts;
use crate::cpu::{Cpu, NOBODY, Shared};
use crate::cpuid::Bit;
use crate::descriptors::Descriptors;
use crate::flush::Caches;
use crate::local_apic::LocalApic;
use crate::machine::Machine;
use crate::madt::MOST_CPUS;
use crate::order::Order;
use crate::pool::Pool;
use crate::problem::Problem;
use crate::registers::Registers;
use crate::rules::Rules;
use crate::say::{self, say};
use crate::stale::{Member, Team};
use crate::tree::page_bytes;
use crate::views::Views;

static SHARED: Once<Shared> = Once::new();

/// What [`Shared`] refers to, for as many CPUs as there can be.
static MEMBERS: [Member; MOST_CPUS] = [const { Member::idle() }; MOST_CPUS];
static ORDERS: [Order; MOST_CPUS] = [const { Order::waiting() }; MOST_CPUS];
static APICS: [AtomicU32; MOST_CPUS] = [const { AtomicU32::new(NOBODY) }; MOST_CPUS];

/// What the boot has found and set up.
pub struct Boot<B: BackEnd> {
    /// The stub's memory.
    pub memory: Memory,
    /// How the guest is run.
    pub chosen: B::Chosen,
    /// What the boot CPU is.
    pub machine: Machine,
    /// The CPUs that there are.
    pub firmware: Firmware,
    /// What the guest's calls are held against.
    pub rules: RuleSet,
}

/// Runs the guest. It comes back only with a problem.
pub fn run<B: BackEnd>(
    mut boot: Boot<B>,
    descriptors: &'static Descriptors,
    guest: &Guest,
) -> Result<Infallible, Problem> {
    let memory = &mut boot.memory;
    let machine = boot.machine;
    let cpus = boot.firmware.cpus();
    let hidden = B::abilities(&boot.chosen).hidden;
    let common = B::share(boot.chosen, machine, &mut memory.pool).ok_or(NO_FRAME)?;
    let counts = &*memory.pool.take::<Counts>(cpus).ok_or(NO_FRAME)?;
    let rules = rules::make(memory, machine.width, &guest.memory, boot.rules);
    let shared = SHARED.call_once(|| shared(memory, hidden, machine, rules, counts));
    let common = Common::<B> { back_end: common, shared };
    let mut own = Own::<B>::take(&mut memory.pool)?;
    B::switch_on(&mut own.parts, &common.back_end)?;
    let cpu = own.into_cpu(0, descriptors, &common)?;
    cpu.vcpu.begin(guest.start.eip);
    shared.orders[0].run();
    shared.team.begin(0, &mut Caches::of(cpu));
    let cpus = others::start(&mut boot.firmware, memory, guest, &common)?;
    // Nobody waits to see those started that did not come.
    shared.orders[cpus..].iter().for_each(Order::run);
    tell::<B>(memory, shared, guest, cpus);
    let [rax, rbx, rsi] = [guest.start.eax, guest.start.ebx, guest.start.esi].map(u64::from);
    let registers = Registers { rax, rbx, rsi, ..Registers::default() };
    // SAFETY: all was made for this guest; the nested tables map nothing of the stub.
    Err(unsafe { B::run(&registers, cpu) })
}

/// There is no room for what a CPU needs.
pub const NO_FRAME: Problem = Problem::NoPlace("the frames of CPUs");

/// What is the same for all CPUs.
pub struct Common<B: BackEnd> {
    /// What the back end shares.
    pub back_end: B::Common,
    /// What all share for good.
    pub shared: &'static Shared,
}

impl<B: BackEnd> Clone for Common<B> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<B: BackEnd> Copy for Common<B> {}

/// What one CPU gets from the pool.
pub struct Own<B: BackEnd> {
    /// What the back end needs.
    pub parts: B::Parts,
    cpu: &'static mut MaybeUninit<Cpu<B>>,
}

impl<B: BackEnd> Own<B> {
    /// Takes it.
    pub fn take(pool: &mut Pool) -> Result<Self, Problem> {
        let parts = B::take(pool).ok_or(NO_FRAME)?;
        let cpu = pool.take_one::<Cpu<B>>().ok_or(NO_FRAME)?;
        Ok(Self { parts, cpu })
    }

    /// Makes this CPU, which is switched on, one of the guest's.
    pub fn into_cpu(
        self,
        number: usize,
        descriptors: &'static Descriptors,
        common: &Common<B>,
    ) -> Result<&'static mut Cpu<B>, Problem> {
        let shared = common.shared;
        let vcpu = B::make(self.parts, &common.back_end, shared, descriptors)?;
        let apic = LocalApic::of_this_cpu().map_or(0, LocalApic::id);
        shared.apics[number].store(apic, Ordering::Relaxed);
        Ok(self.cpu.write(Cpu::new(number, vcpu, descriptors, shared)))
    }
}

fn shared(
    memory: &mut Memory,
    hidden: Vec<Bit, 4>,
    machine: Machine,
    rules: Rules,
    counts: &'static [Counts],
) -> Shared {
    let cpus = counts.len();
    let alias_shift = memory.alias.as_ref().map(|(_, window)| window.shift());
    let components = cpuid!(0xd, 0);
    let xcr0 = u64::from(components.edx) << 32 | u64::from(components.eax);
    Shared {
        alias: memory.alias.as_ref().map(|(alias, _)| Mutex::new(*alias)),
        team: Team::new(&MEMBERS[..cpus]),
        apics: &APICS[..cpus],
        apic_page: memory.apic_page,
        orders: &ORDERS[..cpus],
        counts,
        features: Features {
            version: ABI_VERSION,
            alias_shift,
            views: memory.views.as_ref().map_or(1, Views::count),
            rules: rules.name(),
            gate: memory.views.as_ref().is_some_and(|views| views.alias().is_some()),
            root_views: memory.views.as_ref().is_some_and(Views::has_roots),
        },
        rules,
        hidden,
        usual: memory.usual,
        views: memory.views.take(),
        xcr0: if machine.xsave { xcr0 } else { 0 },
    }
}

/// What was set up, in a few lines, before COM1 is the guest's too.
fn tell<B: BackEnd>(memory: &Memory, shared: &Shared, guest: &Guest, cpus: usize) {
    let (start, end) = (memory.stub.start, memory.stub.end);
    say!("its memory is {start:#x}..{end:#x}, {} KiB", (end - start) >> 10);
    say!("nested pages of up to {}", ["4 KiB", "2 MiB", "1 GiB"][largest(memory) - 1]);
    if let Some(base) = shared.features.alias_base() {
        say!("alias at {base:#x}");
    }
    if shared.features.views > 1 {
        say!("{} views for VMFUNC", shared.features.views);
    }
    if cpus > 1 {
        say!("{cpus} CPUs, each in {}", B::NAME);
    }
    say!("guest entered at {:#x}", guest.start.eip);
    say::share_with_guest();
}

/// The level of the largest page by which memory is mapped for the guest.
fn largest(memory: &Memory) -> usize {
    let places = (0..memory.top).step_by(page_bytes(2) as usize);
    places.map(|at| memory.usual.level_at(at).into()).max().unwrap_or(1)
}
