//! Control registers as the kernel wants them.
#![expect(unsafe_code, reason = "writes control registers and model-specific registers")]

use core::fmt;
use core::sync::atomic::{AtomicBool, Ordering};

use x86_64::registers::control::{Cr0, Cr0Flags, Cr4, Cr4Flags};
use x86_64::registers::model_specific::{Efer, EferFlags, Msr};

use super::features::Features;

/// IA32_SYSENTER_CS (SDM volume 4, table 2-2).
const SYSENTER_CS: u32 = 0x174;

/// Whether SMAP is on; the entries of interrupts look here.
pub static SMAP: AtomicBool = AtomicBool::new(false);

/// A feature that the kernel cannot do without is missing.
#[derive(Debug, Clone, Copy)]
pub struct Missing(pub &'static str);

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "this CPU lacks {}; the guest cannot run", self.0)
    }
}

/// Turns on no-execute and SYSCALL, and what protects the kernel where it is offered.
///
/// # Errors
/// [`Missing`] no-execute or SYSCALL, or five-level paging left on by the loader: the kernel's
/// tables have four levels.
pub fn set_up(features: &Features) -> Result<(), Missing> {
    if !features.no_execute {
        return Err(Missing("no-execute pages (CPUID 8000_0001h EDX bit 20)"));
    }
    if !features.syscall {
        return Err(Missing("SYSCALL (CPUID 8000_0001h EDX bit 11)"));
    }
    if Cr4::read().contains(Cr4Flags::L5_PAGING) {
        return Err(Missing("four-level paging: the loader left CR4.LA57 set"));
    }
    // SAFETY: both are offered.
    unsafe {
        Efer::update(|e| e.insert(EferFlags::NO_EXECUTE_ENABLE | EferFlags::SYSTEM_CALL_EXTENSIONS))
    };
    // SAFETY: the kernel writes no read-only page and uses no FPU.
    unsafe {
        Cr0::update(|cr0| {
            cr0.insert(
                Cr0Flags::WRITE_PROTECT | Cr0Flags::NUMERIC_ERROR | Cr0Flags::MONITOR_COPROCESSOR,
            );
            cr0.remove(Cr0Flags::EMULATE_COPROCESSOR);
        });
    }
    // SAFETY: only what CPUID offers; CR3 holds PCID 0, as setting PCIDE requires (SDM volume 3,
    // section 5.10.1 "Process-Context Identifiers").
    unsafe { Cr4::update(|cr4| cr4.insert(offered(features))) };
    SMAP.store(features.smap, Ordering::Relaxed);
    // SAFETY: with a null segment SYSENTER faults; whatever the firmware left there is no way in.
    unsafe { Msr::new(SYSENTER_CS).write(0) };
    Ok(())
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
