//! Lines about a guest that went wrong.

use x86::vmx::vmcs::ro;
use x86_64::registers::control::Cr2;

use crate::counts;
use crate::cpu::Cpu;
use crate::ending::fatal;
use crate::say::say;
use crate::vmx::vmcs::{GuestField, Vmcs};

/// The guest's state in one line.
struct State<'a>(&'a Vmcs);

impl core::fmt::Display for State<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let fields = [
            ("rip", GuestField::RIP),
            ("rsp", GuestField::RSP),
            ("rflags", GuestField::RFLAGS),
            ("cr0", GuestField::CR0),
            ("cr3", GuestField::CR3),
            ("cr4", GuestField::CR4),
            ("efer", GuestField::EFER),
            ("idtr", GuestField::IDTR_BASE),
            ("gdtr", GuestField::GDTR_BASE),
        ];
        for (name, field) in fields {
            write!(f, "{name}={:#x} ", self.0.get(field))?;
        }
        // No exit changes CR2, and the stub has not faulted.
        write!(f, "cr2={:#x}", Cr2::read_raw())
    }
}

/// The guest triple-faulted: on bare metal the machine would reset.
pub fn triple_fault(cpu: &Cpu) -> ! {
    let counters = counts::total(cpu.shared.counts);
    let (exits, calls) = (counters.exits, counters.by_call.iter().sum::<u64>());
    fatal!("triple fault of the guest: {} exits={exits} calls={calls}", State(&cpu.vmcs))
}

/// An INIT reached the boot CPU: on bare metal the machine would start anew.
pub fn reset(cpu: &Cpu) -> ! {
    fatal!("the guest asked for a reset by INIT: {}", State(&cpu.vmcs))
}

/// An exit that the stub did not ask for or cannot answer.
pub fn unexpected(cpu: &Cpu, reason: u64, what: &str) -> ! {
    let qualification = cpu.vmcs.field(ro::EXIT_QUALIFICATION);
    let state = State(&cpu.vmcs);
    fatal!("{what} (exit reason {reason:#x}, qualification {qualification:#x}): {state}")
}

/// The guest touched what is not there for it.
pub fn stray_access(cpu: &mut Cpu) {
    if cpu.reports_left == 0 {
        return;
    }
    cpu.reports_left -= 1;
    let address = cpu.vmcs.field(ro::GUEST_PHYSICAL_ADDR_FULL);
    let rip = cpu.vmcs.get(GuestField::RIP);
    let what = match cpu.vmcs.field(ro::EXIT_QUALIFICATION) & 0b111 {
        q if q & 0b100 != 0 => "execute",
        q if q & 0b010 != 0 => "write",
        _ => "read",
    };
    let last = if cpu.reports_left == 0 { " (no more such lines)" } else { "" };
    say!("the guest may not {what} guest-physical {address:#x}: #GP at rip={rip:#x}{last}");
}
