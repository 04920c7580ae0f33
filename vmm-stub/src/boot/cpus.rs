//! VT-x is switched on and the guest entered on the boot CPU; the others ([`super::others`]) go the same way as far as they
//! can.
#![expect(unsafe_code, reason = "switches VT-x on and enters the guest")]

use core::convert::Infallible;
use core::mem::MaybeUninit;
use core::sync::atomic::{AtomicU32, Ordering};

use loadphys_abi::FRAME_BYTES;
use loadphys_abi::discovery::{ABI_VERSION, Features, RuleSet};
use raw_cpuid::cpuid;
use spin::{Mutex, Once};
use x86::vmx::vmcs::{control, guest as guest_fields};

use super::firmware::Firmware;
use super::guest::Guest;
use super::memory::Memory;
use super::others;
use super::problem::Problem;
use super::rules;
use crate::counts::Counts;
use crate::cpu::{Cpu, Shared, VPID};
use crate::descriptors::Descriptors;
use crate::ept::entry;
use crate::flush::Caches;
use crate::local_apic::LocalApic;
use crate::madt::MOST_CPUS;
use crate::pool::Pool;
use crate::rules::Rules;
use crate::say::{self, say};
use crate::stale::{Member, Team};
use crate::views::Views;
use crate::vmx::capability::Capabilities;
use crate::vmx::controls::Controls;
use crate::vmx::cr0::NE;
use crate::vmx::enter::{self, Registers};
use crate::vmx::vmcs::Vmcs;
use crate::vmx::{events, guest_state, host_state, msrs, support};

static SHARED: Once<Shared> = Once::new();

/// What [`Shared`] refers to, for as many CPUs as there can be.
static MEMBERS: [Member; MOST_CPUS] = [const { Member::idle() }; MOST_CPUS];
static APICS: [AtomicU32; MOST_CPUS] = [const { AtomicU32::new(0) }; MOST_CPUS];

/// CR4.VMXE.
const VMXE: u64 = 1 << 13;

/// What VMFUNC may do (section "VM-Function Controls").
const EPTP_SWITCHING: u64 = 1 << 0;

/// What the boot has found and set up.
pub struct Boot {
    /// The stub's memory.
    pub memory: Memory,
    /// What the boot CPU's VT-x offers.
    pub capabilities: Capabilities,
    /// What was chosen of it.
    pub controls: Controls,
    /// What the boot CPU is.
    pub machine: support::Cpu,
    /// The CPUs that there are.
    pub firmware: Firmware,
    /// What the guest's calls are held against.
    pub rules: RuleSet,
}

/// Runs the guest. It comes back only with a problem.
pub fn run(
    mut boot: Boot,
    descriptors: &'static Descriptors,
    guest: &Guest,
) -> Result<Infallible, Problem> {
    let memory = &mut boot.memory;
    let bitmap = memory.pool.take::<u8>(FRAME_BYTES as usize).ok_or(NO_FRAME)?;
    msrs::fill(bitmap);
    let (capabilities, machine) = (boot.capabilities, boot.machine);
    let cpus = boot.firmware.cpus();
    let counts = &*memory.pool.take::<Counts>(cpus).ok_or(NO_FRAME)?;
    let rules = rules::make(memory, machine.width, &guest.memory, boot.rules);
    let shared = SHARED.call_once(|| shared(memory, boot.controls, machine, rules, counts));
    let common = Common { capabilities, machine, shared, bitmap: bitmap.as_ptr() as u64 };
    let on = Parts::take(&mut memory.pool)?.enter_vmx(&capabilities, descriptors, &common)?;
    let cpu = on.with_vmcs(0, common)?;
    guest_state::write(&mut cpu.vmcs, guest.entry);
    shared.team.begin(0, &mut Caches::of(cpu));
    let cpus = others::start(&mut boot.firmware, memory, guest, &common)?;
    tell(memory, shared, guest, cpus);
    let registers = Registers { rbx: guest.start_info, ..Registers::default() };
    // SAFETY: all fields are written, from what was built for this guest; the EPT maps nothing of the stub.
    let failure = unsafe { enter::run(&registers, cpu) };
    Err(Problem::Vmx("entering the guest", failure))
}

/// There is no room for what a CPU needs.
pub const NO_FRAME: Problem = Problem::NoPlace("the frames of VT-x");

/// What is the same for all CPUs.
#[derive(Clone, Copy)]
pub struct Common {
    /// What the boot CPU's VT-x offers.
    pub capabilities: Capabilities,
    /// What the boot CPU is.
    pub machine: support::Cpu,
    /// What all share for good.
    pub shared: &'static Shared,
    bitmap: u64,
}

/// What one CPU gets from the pool.
pub struct Parts {
    vmxon: &'static mut [u8],
    vmcs: &'static mut [u8],
    cpu: &'static mut MaybeUninit<Cpu>,
}

/// The parts of a CPU that is in VMX operation.
pub struct On {
    vmcs: &'static mut [u8],
    cpu: &'static mut MaybeUninit<Cpu>,
    descriptors: &'static Descriptors,
}

impl Parts {
    /// Takes them.
    pub fn take(pool: &mut Pool) -> Result<Self, Problem> {
        let mut frame = || pool.take::<u8>(FRAME_BYTES as usize).ok_or(NO_FRAME);
        let (vmxon, vmcs) = (frame()?, frame()?);
        let cpu = pool.take_one::<Cpu>().ok_or(NO_FRAME)?;
        Ok(Self { vmxon, vmcs, cpu })
    }

    /// Brings this CPU, which offers this, into VMX operation. (Section "Format of the VMCS Region": the revision comes
    /// first, in a VMXON region too.)
    pub fn enter_vmx(
        self,
        own: &Capabilities,
        descriptors: &'static Descriptors,
        common: &Common,
    ) -> Result<On, Problem> {
        let Self { vmxon, vmcs, cpu } = self;
        for frame in [&mut *vmxon, &mut *vmcs] {
            frame[..4].copy_from_slice(&own.revision().to_le_bytes());
        }
        // SAFETY: `support::check` was passed by this CPU before; the frame is from the pool.
        let on = unsafe { support::vmxon(vmxon.as_ptr() as u64, own, common.machine) };
        on.map_err(|failure| Problem::Vmx("VMXON", failure))?;
        Ok(On { vmcs, cpu, descriptors })
    }
}

impl On {
    /// Gives this CPU a VMCS with all that is not the guest's state.
    pub fn with_vmcs(self, number: usize, common: Common) -> Result<&'static mut Cpu, Problem> {
        // SAFETY: this CPU is in VMX operation; the frame is from the pool.
        let vmcs = unsafe { Vmcs::load(self.vmcs.as_ptr() as u64) };
        let mut vmcs = vmcs.map_err(|failure| Problem::Vmx("VMPTRLD", failure))?;
        write_controls(&mut vmcs, common.shared, common.bitmap);
        host_state::write(&mut vmcs, self.descriptors);
        let apic = LocalApic::of_this_cpu().map_or(0, LocalApic::id);
        common.shared.apics[number].store(apic, Ordering::Relaxed);
        Ok(self.cpu.write(Cpu::new(number, vmcs, self.descriptors, common.shared)))
    }
}

fn shared(
    memory: &mut Memory,
    controls: Controls,
    machine: support::Cpu,
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
        controls,
        ept_pointer: entry::pointer(memory.usual.root()),
        views: memory.views.take(),
        xcr0: if machine.xsave { xcr0 } else { 0 },
    }
}

/// Writes all that is neither the guest's state nor the stub's.
fn write_controls(vmcs: &mut Vmcs, shared: &Shared, bitmap: u64) {
    let controls = &shared.controls;
    let fields = [
        (control::PINBASED_EXEC_CONTROLS, u64::from(controls.pin)),
        (control::PRIMARY_PROCBASED_EXEC_CONTROLS, u64::from(controls.primary)),
        (control::SECONDARY_PROCBASED_EXEC_CONTROLS, u64::from(controls.secondary)),
        (control::VMEXIT_CONTROLS, u64::from(controls.exit)),
        (control::VMENTRY_CONTROLS, u64::from(controls.entry)),
        (control::MSR_BITMAPS_ADDR_FULL, bitmap),
        (control::EPTP_FULL, shared.ept_pointer),
        (control::CR0_GUEST_HOST_MASK, NE),
        (control::CR4_GUEST_HOST_MASK, VMXE),
        (control::EXCEPTION_BITMAP, if controls.views { events::EXITING } else { 0 }),
        (control::PAGE_FAULT_ERR_CODE_MASK, 0),
        (control::PAGE_FAULT_ERR_CODE_MATCH, 0),
        (control::CR3_TARGET_COUNT, 0),
        (control::VMEXIT_MSR_STORE_COUNT, 0),
        (control::VMEXIT_MSR_LOAD_COUNT, 0),
        (control::VMENTRY_MSR_LOAD_COUNT, 0),
        (guest_fields::LINK_PTR_FULL, u64::MAX),
    ];
    let vpid = controls.vpid.then_some((control::VPID, u64::from(VPID)));
    let xss = controls.xsaves.then_some((control::XSS_EXITING_BITMAP_FULL, 0));
    let list = shared.views.as_ref().map(Views::list_address);
    // Without views VMFUNC does nothing at all.
    let functions = list.map_or(0, |_| EPTP_SWITCHING);
    let functions = controls.views.then_some((control::VM_FUNCTION_CONTROLS_FULL, functions));
    let list = list.map(|list| (control::EPTP_LIST_ADDR_FULL, list));
    let optional = [vpid, xss, functions, list];
    for (field, value) in fields.into_iter().chain(optional.into_iter().flatten()) {
        // SAFETY: the controls were negotiated, the bitmap and the nested tables are complete and stay.
        unsafe { vmcs.set_any(field, value) };
    }
}

/// What was set up, in a few lines, before COM1 is the guest's too.
fn tell(memory: &Memory, shared: &Shared, guest: &Guest, cpus: usize) {
    let (start, end) = (memory.stub.start, memory.stub.end);
    say!("its memory is {start:#x}..{end:#x}, {} KiB", (end - start) >> 10);
    if let Some(base) = shared.features.alias_base() {
        say!("alias at {base:#x}");
    }
    if shared.features.views > 1 {
        say!("{} views for VMFUNC", shared.features.views);
    }
    if cpus > 1 {
        say!("{cpus} CPUs, each in VT-x");
    }
    say!("guest entered at {:#x}", guest.entry);
    say::share_with_guest();
}
