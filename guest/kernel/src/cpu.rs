//! One CPU: what it can do, its descriptor tables and per-CPU data, its interrupt controller.

mod control;
mod descriptors;
mod features;
mod local;
mod local_apic;
mod trampoline;
mod vectors;

pub use control::{ControlRegisters, SMAP, set_smap, set_up as set_up_control_registers};
pub use descriptors::load as load_descriptors;
pub use descriptors::{DOUBLE_FAULT_STACK, MACHINE_CHECK_STACK, NMI_STACK, Selectors};
pub use features::Features;
pub use local::{CpuLocal, KERNEL_STACK_OFFSET, PRIVILEGE_STACK_OFFSET, USER_STACK_OFFSET};
pub use local_apic::LocalApic;
pub use trampoline::Trampoline;
pub use vectors::Vectors;
