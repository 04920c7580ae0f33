//! How this CPU forgets nested translations, and makes others look whether they must.

use core::sync::atomic::Ordering;

use crate::cpu::{Cpu, Shared};
use crate::ending::fatal;
use crate::local_apic::LocalApic;
use crate::stale::{Machine, Stale};
use crate::vmx::controls::Invept;
use crate::vmx::vmcs::Vmcs;
use crate::vmx::{instructions, view};

/// The caches of this CPU, and the way to the others.
pub struct Caches<'a> {
    shared: &'static Shared,
    vmcs: &'a mut Vmcs,
}

impl<'a> Caches<'a> {
    /// Those of the CPU that this is.
    pub const fn of(cpu: &'a mut Cpu) -> Self {
        Self { shared: cpu.shared, vmcs: &mut cpu.vmcs }
    }
}

impl Machine for Caches<'_> {
    fn flush(&mut self) {
        let Shared { controls, ept_pointer, views, .. } = self.shared;
        match views {
            Some(views) => {
                views.invepts(controls.invept).for_each(|pointer| invept(controls.invept, pointer));
                view::leave_what_is_gone(self.vmcs, views);
            }
            None => invept(controls.invept, *ept_pointer),
        }
    }

    fn kick(&mut self, cpu: usize) {
        // The guest cannot switch it off (`vmx::apic_base`).
        if let (Some(apic), Some(id)) = (LocalApic::of_this_cpu(), self.shared.apics.get(cpu)) {
            apic.nmi(id.load(Ordering::Relaxed));
        }
    }
}

fn invept(kind: Invept, pointer: u64) {
    if let Err(failure) = instructions::invept(kind, pointer) {
        fatal!("INVEPT failed: {failure}");
    }
}

/// No CPU uses what was taken away when this comes back.
pub fn forget(_: Stale, cpu: &mut Cpu) {
    cpu.shared.team.withdraw(cpu.number, &mut Caches::of(cpu));
}
