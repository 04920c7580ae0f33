//! Edit the page tables of a space that is not loaded.
//!
//! A kernel names entries ([`EntryName`]), says what to do with each ([`Operation`]), and hands a
//! batch of them to a [`Method`]. How the method reaches the entries (a recursive slot lent to a
//! foreign root, a hypercall, an alias of physical memory) is its own affair; what comes back is
//! the same for all. [`walk`] finds entries, through any method; [`ForeignSpace`] maps, unmaps, translates and
//! cleans up with the traits of the `x86_64` crate, over any method. Neither `std` nor `alloc` is needed.
//!
//! Editing and flushing are separate: no method flushes the TLB entries of the pages whose entries
//! it edits. The caller does so once for a whole batch.
//!
//! # Example
//! A page of some space goes to swap: its entry is found, and exchanged for one that is not present.
//! ```
//! use foreign_access::cpu::Hosted;
//! use foreign_access::methods::DirectMap;
//! use foreign_access::{Action, Entry, Method, Operation, walk};
//! use x86_64::structures::paging::page_table::{PageTable, PageTableFlags, PageTableLevel};
//! use x86_64::structures::paging::PhysFrame;
//! use x86_64::{PhysAddr, VirtAddr};
//!
//! let frame = |number: u64| PhysFrame::containing_address(PhysAddr::new(number << 12));
//! let flags = PageTableFlags::PRESENT | PageTableFlags::WRITABLE;
//! let page = VirtAddr::new(0x40_0000);
//! // The space: its tables lie in the first four frames, the root first; the page is in frame 9.
//! let mut tables: Vec<_> = (0..4).map(|_| PageTable::new()).collect();
//! for (table, level, next) in [(0, 4, 1), (1, 3, 2), (2, 2, 3), (3, 1, 9)] {
//!     let index = page.as_u64() >> (3 + 9 * level) & 511;
//!     tables[table][index as usize].set_frame(frame(next), flags);
//! }
//!
//! let cpu = Hosted::new(frame(0));
//! // SAFETY: physical address 0 is where the tables begin; they stay where they are.
//! let mut method = unsafe { DirectMap::new(VirtAddr::from_ptr(tables.as_mut_ptr())) };
//! // SAFETY: names come from a walk of tables that stay, and nobody uses the space.
//! let mut apply = |batch: &mut [Operation]| unsafe { method.apply(&cpu, batch) };
//!
//! let (name, _) = walk::find(&mut apply, frame(0), page, PageTableLevel::One).unwrap();
//! let slot_7_of_swap = Entry(7 << 1);
//! let mut batch = [Operation::new(name, Action::Exchange(slot_7_of_swap))];
//! apply(&mut batch).unwrap();
//! assert_eq!(batch[0].found, Entry::new(frame(9), flags), "so the page is in frame 9");
//! // Next, every CPU forgets the page. Only then is the frame free.
//! ```
//!
//! # Machines
//! - Four levels of tables. With five (CR4.LA57) every method is refused, by name: [`cpu::Paging`].
//! - AMD's translation cache extension (EFER.TCE) takes from INVLPG what some methods rely on; these are refused.
//! - On some Intel CPUs of the 12th to 14th generation INVLPG leaves global translations where PCIDs are on. Nobody asks the
//!   CPU whether it is one of them: the kernel must see to it, as [`cpu::Paging`] says.
//! - The stub is called by VMCALL or VMMCALL, as the CPU's vendor has it: [`cpu::CallInstruction`].
//! - Bits 51:12 of an entry are taken for an address. A kernel that marks encrypted memory there (the C-bit of SME and
//!   SEV, the shared bit of TDX, key identifiers of TME) cannot use this crate.
//!
//! Where documentation here names the SDM, it is Intel's, and the APM is AMD's. Sections are given by number and title;
//! numbers move from revision to revision (here paging is chapter 5 of SDM volume 3), titles stay.
#![no_std]

pub mod cpu;
pub mod entry;
mod fresh;
mod lend;
pub mod methods;
mod operation;
pub mod space;
pub mod walk;

pub use cpu::Cpu;
pub use entry::Entry;
pub use operation::{Action, EntryName, Method, Operation, Refusal, Stopped};
pub use space::ForeignSpace;

/// The examples of the README compile too.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
