//! How this CPU forgets nested translations, and makes others look whether they must.

use core::sync::atomic::Ordering;

use crate::cpu::{Cpu, Shared};
use crate::local_apic::LocalApic;
use crate::stale::{Machine, Stale};
use crate::vcpu::Vcpu;

/// The caches of this CPU, and the way to the others.
pub struct Caches<'a, V> {
    shared: &'static Shared,
    vcpu: &'a mut V,
}

impl<'a, V> Caches<'a, V> {
    /// Those of the CPU that this is.
    pub const fn of(cpu: &'a mut Cpu<V>) -> Self {
        Self { shared: cpu.shared, vcpu: &mut cpu.vcpu }
    }
}

impl<V: Vcpu> Machine for Caches<'_, V> {
    fn flush(&mut self) {
        self.vcpu.forget(self.shared);
    }

    fn kick(&mut self, cpu: usize) {
        // The guest cannot switch it off ([`crate::apic_base`]).
        if let (Some(apic), Some(id)) = (LocalApic::of_this_cpu(), self.shared.apics.get(cpu)) {
            apic.nmi(id.load(Ordering::Relaxed));
        }
    }
}

/// No CPU uses what was taken away when this comes back.
pub fn forget<V: Vcpu>(_: Stale, cpu: &mut Cpu<V>) {
    cpu.shared.team.withdraw(cpu.number, &mut Caches::of(cpu));
}
