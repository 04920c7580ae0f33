//! The ring-3 programs of the guest, all in one image without writable data.
#![no_std]
#![no_main]

mod enter;
mod faults;
mod follower;
mod kernel;
mod sharer;

use loadphys_apps::{Program, Start};

fn run(start: &Start) -> ! {
    match start.program {
        Program::Sharer => sharer::run(start),
        Program::ReadUnmapped => faults::read_unmapped(),
        Program::JumpNowhere => faults::jump_nowhere(),
        Program::WriteCode => faults::write_code(),
        Program::Privileged => faults::privileged(),
        Program::CallStub => faults::call_stub(),
        Program::SetAlignmentCheck => faults::set_alignment_check(),
        Program::UseVectors => faults::use_vectors(),
        Program::UseFloats => faults::use_floats(),
        Program::Follower => follower::run(start),
        Program::SwitchView => faults::switch_view(),
    }
    kernel::exit()
}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    kernel::exit()
}
