//! The guard before the page of the local APIC ([`crate::apic_page`]), and when it ends.
//!
//! To a CPU that waits for its SIPI an INIT is blocked (section "Guest Non-Register State"), and kernels send one all the same.
//! Bochs 2.7 remembers it, and forgets it never: the SIPI's exit is followed by one for the INIT at every entry. So no INIT is
//! let go to a CPU that waits. As soon as all CPUs have been started the page is the guest's, and nothing of this exits any more.

use core::sync::atomic::Ordering;

use loadphys_abi::FRAME_BYTES;
use x86::vmx::vmcs::ro;

use crate::cpu::Shared;
use crate::nested::ept::WRITE;
use crate::registers::Registers;
use crate::say::say;
use crate::vcpu::Vcpu;
use crate::views::answers::is_walk;
use crate::vmx::{Cpu, events, msrs, view};
use crate::{apic_page, icr};

/// The access that was stopped may be a store to the page; says whether it is done, or can be tried again.
pub fn on_store(registers: &mut Registers, cpu: &mut Cpu) -> bool {
    let vmcs = &cpu.vcpu.vmcs;
    let (qualification, address) =
        (vmcs.field(ro::EXIT_QUALIFICATION), vmcs.field(ro::GUEST_PHYSICAL_ADDR_FULL));
    // Bit 1: it was a write.
    let stores = qualification & 0b110 == 0b010 && !is_walk(qualification);
    let offset = cpu.shared.apic_page.and_then(|page| address.checked_sub(page));
    let Some(offset) = offset.filter(|offset| *offset < FRAME_BYTES) else { return false };
    if !stores || events::in_delivery(vmcs) || !view::is_usual(cpu) {
        return false;
    }
    if is_open(cpu.shared) || apic_page::store(registers, cpu, offset) {
        return true;
    }
    let rip = cpu.vcpu.rip();
    say!("the local APIC is not guarded any more: the store at rip={rip:#x} is not understood");
    open(cpu.shared);
    true
}

/// Begins.
pub fn close(shared: &Shared) {
    if shared.apic_page.is_some() {
        msrs::write_exits(icr::MSR, true);
    }
}

/// Ends if all CPUs have been started.
pub fn open_when_all_run(shared: &Shared) {
    if !is_open(shared) && !shared.orders.iter().any(|order| order.waits()) {
        open(shared);
    }
}

/// A CPU that remembers the page as read-only finds out when it stores.
fn open(shared: &Shared) {
    msrs::write_exits(icr::MSR, false);
    if let Some(entry) = shared.apic_page.and_then(|page| shared.usual.entry(page, 1)) {
        entry.fetch_or(WRITE, Ordering::SeqCst);
    }
}

fn is_open(shared: &Shared) -> bool {
    let entry = shared.apic_page.and_then(|page| shared.usual.entry(page, 1));
    entry.is_none_or(|entry| entry.load(Ordering::SeqCst) & WRITE != 0)
}
