//! A guest that starts all CPUs under the stub, and tries what they can do to each other and to it.
#![no_std]
#![no_main]

#[cfg(target_os = "none")]
mod apic;
#[cfg(target_os = "none")]
mod calls;
#[cfg(target_os = "none")]
mod gate;
#[cfg(target_os = "none")]
mod ring3;
#[cfg(target_os = "none")]
mod roots;
#[cfg(target_os = "none")]
mod say;
#[cfg(target_os = "none")]
mod team;
#[cfg(target_os = "none")]
mod traps;
#[cfg(target_os = "none")]
mod trials;
#[cfg(target_os = "none")]
mod views;
#[cfg(target_os = "none")]
mod window;

#[cfg(target_os = "none")]
mod machine {
    use core::panic::PanicInfo;

    use loadphys_boot::power;

    use crate::say::say;
    use crate::{traps, trials, views};

    loadphys_boot::entry!(start);

    extern "C" fn start(_: u32, _: u32) -> ! {
        traps::load();
        let views = views::ALL.into_iter();
        for (name, trial) in trials::ALL.into_iter().chain(views).chain([trials::LAST]) {
            trial();
            say!("passed: {name}");
        }
        end(true)
    }

    #[panic_handler]
    fn panic(info: &PanicInfo<'_>) -> ! {
        say!("{info}");
        end(false)
    }

    /// The record that ends a run, as [`loadphys_plan`] has it.
    fn end(good: bool) -> ! {
        let reason = if good { "" } else { "the line above says why" };
        say!("{{\"record\":\"end\",\"ok\":{good},\"reason\":\"{reason}\"}}");
        power::bochs_shutdown();
        power::halt()
    }
}
