//! How this CPU forgets nested translations, and makes others look whether they must.

use core::sync::atomic::Ordering;

use crate::cpu::{Cpu, Shared};
use crate::ending::fatal;
use crate::ept::alias::Stale;
use crate::local_apic::LocalApic;
use crate::stale::Machine;
use crate::vmx::instructions;

/// The caches of this CPU, and the way to the others.
pub struct Caches {
    /// What all CPUs share.
    pub shared: &'static Shared,
}

impl Machine for Caches {
    fn flush(&mut self) {
        let Shared { controls, ept_pointer, .. } = self.shared;
        if let Err(failure) = instructions::invept(controls.invept, *ept_pointer) {
            fatal!("INVEPT failed: {failure}");
        }
    }

    fn kick(&mut self, cpu: usize) {
        // The guest cannot switch it off (`vmx::apic_base`).
        if let (Some(apic), Some(id)) = (LocalApic::of_this_cpu(), self.shared.apics.get(cpu)) {
            apic.nmi(id.load(Ordering::Relaxed));
        }
    }
}

/// No CPU uses what was hidden when this comes back.
pub fn forget(_: Stale, cpu: &Cpu) {
    cpu.shared.team.withdraw(cpu.number, &mut Caches { shared: cpu.shared });
}
