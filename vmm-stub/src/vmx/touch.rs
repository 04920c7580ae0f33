//! Frames that are read-only for the guest because they are tables, and accesses to them that are not the guest's fault: the
//! walker's, which wants to set Accessed or Dirty, and those of a CPU that remembers a frame as read-only when it is so no more.

use loadphys_rules::Level;
use loadphys_rules::typed::Walk;
use x86::vmx::vmcs::ro;

use crate::physical::Guest;
use crate::rules::Rules;
use crate::views::answers::is_walk;
use crate::vmx::vmcs::{GuestField, Vmcs};
use crate::vmx::{Cpu, events};

/// Sees to it that the access that was stopped goes well when it is tried again, which the next entry does; says whether
/// that is so.
pub fn settles(cpu: &mut Cpu) -> bool {
    let Rules::Typed(guarded, _) = &cpu.shared.rules else { return false };
    let qualification = cpu.vcpu.vmcs.field(ro::EXIT_QUALIFICATION);
    let address = cpu.vcpu.vmcs.field(ro::GUEST_PHYSICAL_ADDR_FULL);
    // Bits 2:0: what was wanted, in the order of an entry's rights.
    let rights = qualification & 0b111;
    let walk = is_walk(qualification).then(|| walk(&cpu.vcpu.vmcs)).flatten();
    let set = guarded.lock().try_again(address, rights, walk, &Guest);
    if let Some(set) = set {
        cpu.counts.flags_set.add(set);
        events::try_again(&mut cpu.vcpu.vmcs, qualification);
    }
    set.is_some()
}

/// The walk that came to a halt; `None` outside of IA-32e mode, where no checked table serves.
fn walk(vmcs: &Vmcs) -> Option<Walk> {
    const WRITE_PROTECT: u64 = 1 << 16;
    const FIVE_LEVELS: u64 = 1 << 12;
    const LMA: u64 = 1 << 10;
    let five = vmcs.get(GuestField::CR4) & FIVE_LEVELS != 0;
    let level = Level::new(if five { 5 } else { 4 }).ok()?;
    let long = vmcs.get(GuestField::EFER) & LMA != 0;
    long.then(|| Walk {
        root: vmcs.get(GuestField::CR3),
        level,
        address: vmcs.field(ro::GUEST_LINEAR_ADDR),
        writes_anywhere: vmcs.get(GuestField::CR0) & WRITE_PROTECT == 0,
    })
}
