//! The VMCS that runs the guest on this CPU.
#![expect(unsafe_code, reason = "writes to the VMCS")]

use x86::vmx::vmcs::{control, guest};

use crate::ending::fatal;
use crate::vmx::instructions::{self, Failure};

/// A field that can be written without danger to the stub: whatever the guest's state, EPT confines it, and a state
/// that cannot be entered is reported by the entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GuestField(u32);

macro_rules! guest_fields {
    ($($(#[$doc:meta])* $name:ident = $field:expr;)*) => {
        impl GuestField { $($(#[$doc])* pub const $name: Self = Self($field);)* }
    };
}

guest_fields! {
    /// RIP.
    RIP = guest::RIP;
    /// RSP.
    RSP = guest::RSP;
    /// RFLAGS.
    RFLAGS = guest::RFLAGS;
    /// CR0 as the CPU has it.
    CR0 = guest::CR0;
    /// CR0 as the guest reads the bits that the stub owns.
    CR0_SHADOW = control::CR0_READ_SHADOW;
    /// CR3.
    CR3 = guest::CR3;
    /// CR4 as the CPU has it.
    CR4 = guest::CR4;
    /// CR4 as the guest reads the bits that the stub owns.
    CR4_SHADOW = control::CR4_READ_SHADOW;
    /// DR7.
    DR7 = guest::DR7;
    /// IA32_EFER.
    EFER = guest::IA32_EFER_FULL;
    /// IA32_PAT.
    PAT = guest::IA32_PAT_FULL;
    /// IA32_DEBUGCTL.
    DEBUGCTL = guest::IA32_DEBUGCTL_FULL;
    /// IA32_SYSENTER_CS.
    SYSENTER_CS = guest::IA32_SYSENTER_CS;
    /// IA32_SYSENTER_ESP.
    SYSENTER_ESP = guest::IA32_SYSENTER_ESP;
    /// IA32_SYSENTER_EIP.
    SYSENTER_EIP = guest::IA32_SYSENTER_EIP;
    /// What blocks events.
    INTERRUPTIBILITY = guest::INTERRUPTIBILITY_STATE;
    /// Running, halted, ...
    ACTIVITY = guest::ACTIVITY_STATE;
    /// Debug exceptions that are due.
    PENDING_DEBUG = guest::PENDING_DBG_EXCEPTIONS;
    /// The first of four PDPTEs; the others follow at steps of two.
    PDPTE0 = guest::PDPTE0_FULL;
    /// Base of the GDT.
    GDTR_BASE = guest::GDTR_BASE;
    /// Limit of the GDT.
    GDTR_LIMIT = guest::GDTR_LIMIT;
    /// Base of the IDT.
    IDTR_BASE = guest::IDTR_BASE;
    /// Limit of the IDT.
    IDTR_LIMIT = guest::IDTR_LIMIT;
    /// Selector of ES. CS, SS, DS, FS, GS, LDTR, TR follow at steps of two, here and in the three below.
    ES_SELECTOR = guest::ES_SELECTOR;
    /// Limit of ES.
    ES_LIMIT = guest::ES_LIMIT;
    /// Access rights of ES.
    ES_RIGHTS = guest::ES_ACCESS_RIGHTS;
    /// Base of ES.
    ES_BASE = guest::ES_BASE;
    /// Base of CS.
    CS_BASE = guest::CS_BASE;
    /// Access rights of CS.
    CS_RIGHTS = guest::CS_ACCESS_RIGHTS;
    /// Access rights of SS; their DPL is the privilege level.
    SS_RIGHTS = guest::SS_ACCESS_RIGHTS;
    /// The event that the next entry delivers.
    EVENT = control::VMENTRY_INTERRUPTION_INFO_FIELD;
    /// Its error code.
    EVENT_ERROR = control::VMENTRY_EXCEPTION_ERR_CODE;
    /// How long the instruction is that makes it, if one does.
    EVENT_LENGTH = control::VMENTRY_INSTRUCTION_LEN;
    /// The entry controls: among them whether the guest is in IA-32e mode, as it must agree with its EFER.
    ENTRY_CONTROLS = control::VMENTRY_CONTROLS;
}

impl GuestField {
    /// The field `steps` places behind this one.
    pub const fn plus(self, steps: u32) -> Self {
        Self(self.0 + 2 * steps)
    }
}

/// Proof that this CPU has a current VMCS.
#[derive(Debug)]
pub struct Vmcs(());

impl Vmcs {
    /// Makes the VMCS in this frame current and empty.
    ///
    /// # Errors
    /// [`Failure`].
    ///
    /// # Safety
    /// The CPU is in VMX operation; the frame begins with the revision and is nobody else's, now and later.
    pub unsafe fn load(frame: u64) -> Result<Self, Failure> {
        // SAFETY: the caller's promise.
        unsafe {
            instructions::vmclear(frame)?;
            instructions::vmptrld(frame)?;
        }
        Ok(Self(()))
    }

    /// Reads any field. A field that cannot be read is a mistake in the stub, and its end.
    #[inline(always)]
    pub fn field(&self, field: u32) -> u64 {
        match instructions::read(field) {
            Ok(value) => value,
            Err(failure) => broken(field, failure),
        }
    }

    /// Reads a field of the guest's state.
    #[inline(always)]
    pub fn get(&self, field: GuestField) -> u64 {
        self.field(field.0)
    }

    /// Writes a field of the guest's state.
    #[inline(always)]
    pub fn set(&mut self, field: GuestField, value: u64) {
        // SAFETY: see `GuestField`.
        if let Err(failure) = unsafe { instructions::write(field.0, value) } {
            broken(field.0, failure)
        }
    }

    /// Whether the guest exits as soon as it can take an NMI.
    pub fn nmi_window(&mut self, on: bool) {
        const EXITING: u64 = 1 << 22;
        let controls = self.field(control::PRIMARY_PROCBASED_EXEC_CONTROLS) & !EXITING;
        let bit = if on { EXITING } else { 0 };
        // SAFETY: an exit more or less; the control was negotiated.
        unsafe { self.set_any(control::PRIMARY_PROCBASED_EXEC_CONTROLS, controls | bit) };
    }

    /// Writes any field.
    ///
    /// # Safety
    /// As [`instructions::write`].
    pub unsafe fn set_any(&mut self, field: u32, value: u64) {
        // SAFETY: the caller's promise.
        if let Err(failure) = unsafe { instructions::write(field, value) } {
            broken(field, failure)
        }
    }
}

#[cold]
#[inline(never)]
fn broken(field: u32, failure: Failure) -> ! {
    fatal!("VMCS field {field:#x} cannot be used: {failure}")
}
