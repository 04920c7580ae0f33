//! The guest: a kernel in one image with its programs, for measuring what it costs to edit the
//! page tables of spaces that are not loaded.
//!
//! Boot runs top down in [`start`]; a [`plans`] module is chosen by the command line and ends the boot.
#![no_std]
#![no_main]

extern crate alloc;

mod areas;
mod checks;
mod conformance;
mod console;
mod copy;
mod cpu;
mod cpus;
mod early;
mod firmware;
mod gate;
mod heap;
mod interrupts;
mod kernel;
mod kernel_half;
mod layout;
mod machine;
mod measure;
mod methods;
mod other_context;
mod panic;
mod pci;
mod physical_mode;
mod plans;
mod power;
mod random;
mod roots;
mod scene;
mod start;
mod stub;
mod swap;
mod timer;
mod tlb;
mod user;
mod window;

loadphys_boot::entry!(start::main);
