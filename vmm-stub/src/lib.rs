//! The stub: a thin hypervisor that gives one guest the machine and offers it a checked load and store on
//! physical memory.
//!
//! What decides is pure and runs on a host too: which controls to choose ([`vmx::controls`]), what the nested
//! tables map ([`nested::layout`]), what the guest reads by CPUID ([`cpuid`]). CPUs recorded in files try it
//! (`fixtures`, on hosts only). What acts is built for the machine only, beginning with `boot`. What is done for the
//! guest is written once, over what VT-x ([`vmx`]) and SVM ([`svm`]) each do in their own way: the traits
//! `back_end::BackEnd` and `vcpu::Vcpu`.
//!
//! # From the loader to the guest
//! 1. The loader (GRUB by multiboot2, QEMU by PVH) leaves the stub at 96 MiB and the guest's kernel as first
//!    module, anywhere: one for PVH, for multiboot 1, or Linux ([`guest`]).
//! 2. The stub takes one range: its image and, behind it, a pool for all whose size depends on the machine. It
//!    switches to tables of its own, builds the nested tables ([`nested`]), loads the guest, moves further modules
//!    out of the way, and writes what the guest's format asks for, with its own range reserved.
//! 3. It switches VT-x or SVM on, starts the CPUs that ACPI lists, each of which waits for the guest's SIPI in the guest
//!    (`vmx::start_up`) or in the stub (`svm::start_up`), and enters the guest at its 32-bit entry. From then on it runs only at exits, which are those that
//!    are unavoidable, and the guest's calls.
//!
//! # What the guest cannot do
//! It cannot read, write or execute the stub's range: that is not mapped, whoever asks, and an attempt is a line
//! on COM1 and a #GP. It cannot reach memory by a call except entries of tables it registered and plain memory of its
//! own ([`loadphys_rules`]). In views that it enters by VMFUNC it can execute one frame that nobody can write to, the gate, and
//! nothing else ([`views`]). VT-x, SVM, processor trace and the debug store are hidden from it.
//!
//! SVM has no views, and no typed rules: a walk of the guest's tables counts as writing to them, so they cannot be read-only
//! (but with 'read-only guest page tables', which the stub does not use).
//!
//! No emulator at hand runs its redirection of INIT, its x2APIC mode, and XSETBV of ring 3.
//!
//! Under the rules `typed` and `typed-preset` it cannot write to a table but by calls, which check what is stored: frames that
//! are tables are read-only, and all memory is mapped by pages of 4 KiB so that this takes one store ([`rules`]). There are no views
//! besides the usual one then. What the walker cannot write to it cannot set Accessed and Dirty in; the stub does, unless the
//! guest has.
//!
//! # What it still can do
//! - Devices write to memory as their drivers tell them, the stub's included: no IOMMU is set up.
//! - A CPU that ACPI does not list, or that did not answer the stub, is not under the stub; should the guest make it run,
//!   then outside of the stub. Under SVM an INIT of a device's that reaches the stub itself ends the machine; on
//!   CPUs without VM_CR.R_INIT, as QEMU's, it resets a CPU out of the stub.
//! - The chipset's own registers say where memory is; those that are MSRs are kept from the guest, those in PCI configuration
//!   space are not.
//! - With several CPUs the stub interrupts them by NMIs when a table is released ([`stale`]). An NMI of the guest's that
//!   reaches a CPU in the same moment becomes one with the stub's, and is lost.
//! - Under VT-x memory types are those of the MTRRs when the stub started; a guest that changes MTRRs later changes nothing,
//!   though it reads what it has written.
//! - Where nested tables have no pages of 1 GiB, addresses above memory and above 512 GiB lead nowhere: an access is a #GP.
//! - Side channels are not closed.
//!
//! # The command line
//! It is the guest's. The stub takes words of it, with the types of [`loadphys_plan`]: `exit=`, so that both end the machine in the
//! same way; `rules=`; and `nested-page=`, which limits the pages of the nested tables.
#![cfg_attr(not(test), no_std)]

pub mod apic_base;
pub mod command_line;
pub mod counts;
pub mod cpuid;
pub mod event;
pub mod exit_slots;
pub mod guest;
pub mod guest_walk;
pub mod icr;
pub mod madt;
pub mod misc_enable;
pub mod mtrr;
pub mod needs;
pub mod nested;
pub mod order;
pub mod paging;
pub mod pci;
pub mod places;
pub mod reset;
pub mod rules;
pub mod stale;
pub mod store;
pub mod svm;
pub mod tree;
pub mod views;
pub mod vmx;
pub mod xcr0;

#[cfg(not(target_os = "none"))]
pub mod fixtures;

#[cfg(target_os = "none")]
mod apic_page;
#[cfg(target_os = "none")]
mod back_end;
#[cfg(target_os = "none")]
pub mod boot;
#[cfg(target_os = "none")]
mod calls;
#[cfg(target_os = "none")]
mod cpu;
#[cfg(target_os = "none")]
mod descriptors;
#[cfg(target_os = "none")]
mod emulate;
#[cfg(target_os = "none")]
pub mod ending;
#[cfg(target_os = "none")]
mod exceptions;
#[cfg(target_os = "none")]
mod flush;
#[cfg(target_os = "none")]
mod image;
#[cfg(target_os = "none")]
mod local_apic;
#[cfg(target_os = "none")]
mod machine;
#[cfg(target_os = "none")]
mod physical;
#[cfg(target_os = "none")]
mod pool;
#[cfg(target_os = "none")]
mod problem;
#[cfg(target_os = "none")]
mod registers;
#[cfg(target_os = "none")]
mod report;
#[cfg(target_os = "none")]
mod say;
#[cfg(target_os = "none")]
mod vcpu;
