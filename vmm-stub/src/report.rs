//! Lines about a guest that went wrong.

use crate::counts;
use crate::cpu::Cpu;
use crate::ending::{self, fatal};
use crate::say::say;
use crate::vcpu::Vcpu;

/// The guest triple-faulted: on bare metal the machine would reset.
pub fn triple_fault<V: Vcpu>(cpu: &Cpu<V>) -> ! {
    let counters = counts::total(cpu.shared.counts);
    let (exits, calls) = (counters.exits, counters.by_call.iter().sum::<u64>());
    fatal!("triple fault of the guest: {} exits={exits} calls={calls}", cpu.vcpu.state())
}

/// An INIT reached the boot CPU: on bare metal its firmware would begin again, so the machine does.
pub fn reset<V: Vcpu>(cpu: &Cpu<V>) -> ! {
    ending::reset(format_args!("the guest asked for a reset by INIT: {}", cpu.vcpu.state()))
}

/// An exit that the stub did not ask for or cannot answer; `detail` is what the CPU says besides the reason.
pub fn unexpected<V: Vcpu>(cpu: &Cpu<V>, reason: u64, detail: u64, what: &str) -> ! {
    let state = cpu.vcpu.state();
    fatal!("{what} (exit reason {reason:#x}, qualification {detail:#x}): {state}")
}

/// What the guest tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    Read,
    Write,
    Execute,
}

/// The guest touched what is not there for it.
pub fn stray_access<V: Vcpu>(cpu: &mut Cpu<V>, access: Access, address: u64) {
    if cpu.reports_left == 0 {
        return;
    }
    cpu.reports_left -= 1;
    let rip = cpu.vcpu.rip();
    let what = match access {
        Access::Execute => "execute",
        Access::Write => "write",
        Access::Read => "read",
    };
    let last = if cpu.reports_left == 0 { " (no more such lines)" } else { "" };
    say!("the guest may not {what} guest-physical {address:#x}: #GP at rip={rip:#x}{last}");
}
