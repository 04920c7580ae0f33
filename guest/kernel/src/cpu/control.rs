//! Control registers as the kernel wants them.
#![expect(unsafe_code, reason = "writes control registers and model-specific registers")]

use core::fmt;
use core::sync::atomic::{AtomicBool, Ordering};

use foreign_access::cpu::{Paging, Unsupported};
use x86_64::registers::control::{Cr0, Cr0Flags, Cr4, Cr4Flags};
use x86_64::registers::model_specific::{Efer, EferFlags, Msr};

use super::features::Features;
use super::vectors;

/// IA32_SYSENTER_CS (SDM volume 4, table 2-2).
const SYSENTER_CS: u32 = 0x174;

/// Whether SMAP is on; the entries of interrupts look here.
pub static SMAP: AtomicBool = AtomicBool::new(false);

/// Why the kernel cannot run on this CPU.
#[derive(Debug, Clone, Copy)]
pub enum Unfit {
    /// A feature that it cannot do without.
    Missing(&'static str),
    /// The loader left something on that methods cannot be used with.
    Paging(Unsupported),
}

impl fmt::Display for Unfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing(what) => write!(f, "this CPU lacks {what}; the guest cannot run"),
            Self::Paging(what) => write!(f, "the loader left paging unfit for the guest: {what}"),
        }
    }
}

/// Turns on no-execute and SYSCALL, and what protects the kernel where it is offered.
///
/// # Errors
/// [`Unfit`]: no-execute or SYSCALL is missing, or paging is set up as methods cannot use it.
pub fn set_up(features: &Features) -> Result<(), Unfit> {
    if !features.no_execute {
        return Err(Unfit::Missing("no-execute pages (CPUID 8000_0001h EDX bit 20)"));
    }
    if !features.syscall {
        return Err(Unfit::Missing("SYSCALL (CPUID 8000_0001h EDX bit 11)"));
    }
    Paging::read().check().map_err(Unfit::Paging)?;
    // SAFETY: both are offered.
    unsafe {
        Efer::update(|e| e.insert(EferFlags::NO_EXECUTE_ENABLE | EferFlags::SYSTEM_CALL_EXTENSIONS))
    };
    // SAFETY: the kernel writes no read-only page and uses no floating point.
    unsafe {
        Cr0::update(|cr0| {
            cr0.insert(
                Cr0Flags::WRITE_PROTECT | Cr0Flags::NUMERIC_ERROR | Cr0Flags::MONITOR_COPROCESSOR,
            );
            cr0.remove(Cr0Flags::EMULATE_COPROCESSOR | Cr0Flags::TASK_SWITCHED);
            // Some firmware leaves caches off, as a reset does.
            cr0.remove(Cr0Flags::CACHE_DISABLE | Cr0Flags::NOT_WRITE_THROUGH);
            cr0.remove(Cr0Flags::ALIGNMENT_MASK);
        });
    }
    // SAFETY: only what CPUID offers; CR3 holds PCID 0, as setting PCIDE requires (SDM volume 3,
    // section 5.10.1 "Process-Context Identifiers").
    unsafe { Cr4::update(|cr4| cr4.insert(offered(features))) };
    vectors::set_up(features);
    SMAP.store(features.smap, Ordering::Relaxed);
    // SAFETY: with a null segment SYSENTER faults; whatever the firmware left there is no way in.
    unsafe { Msr::new(SYSENTER_CS).write(0) };
    Ok(())
}

/// Turns SMAP off for a while, or on again; does nothing where it is not offered.
pub fn set_smap(on: bool) {
    if SMAP.load(Ordering::Relaxed) {
        let flag = Cr4Flags::SUPERVISOR_MODE_ACCESS_PREVENTION;
        // SAFETY: it is offered; it forbids only what the kernel does not do by mistake.
        unsafe { Cr4::update(|cr4| cr4.set(flag, on)) };
    }
}

/// The registers that decide how a CPU runs.
#[derive(Clone, Copy, Debug)]
pub struct ControlRegisters([(&'static str, u64); 3]);

impl ControlRegisters {
    /// Of this CPU.
    pub fn read() -> Self {
        let efer = Efer::read_raw() & !EferFlags::LONG_MODE_ACTIVE.bits();
        Self([("CR0", Cr0::read_raw()), ("CR4", Cr4::read_raw()), ("EFER", efer)])
    }

    /// The first that differs: its name, its value here and there.
    pub fn difference(&self, other: &Self) -> Option<(&'static str, u64, u64)> {
        let mut pairs = self.0.iter().zip(&other.0);
        let differs = pairs.find(|((_, here), (_, there))| here != there);
        differs.map(|(&(name, here), &(_, there))| (name, here, there))
    }
}

fn offered(features: &Features) -> Cr4Flags {
    let wanted = [
        (features.smep, Cr4Flags::SUPERVISOR_MODE_EXECUTION_PROTECTION),
        (features.smap, Cr4Flags::SUPERVISOR_MODE_ACCESS_PREVENTION),
        (features.umip, Cr4Flags::USER_MODE_INSTRUCTION_PREVENTION),
        (features.pcid, Cr4Flags::PCID),
    ];
    wanted.into_iter().filter(|(offered, _)| *offered).map(|(_, flag)| flag).collect()
}
