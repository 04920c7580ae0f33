//! A guest that starts all CPUs under the stub, and tries what they can do to each other and to it.
#![no_std]
#![no_main]

#[cfg(target_os = "none")]
mod gate;
#[cfg(target_os = "none")]
mod roots;
#[cfg(target_os = "none")]
mod trials;
#[cfg(target_os = "none")]
mod views;

#[cfg(target_os = "none")]
mod machine {
    use loadphys_test_guests::{ending, say, traps};

    use crate::{trials, views};

    loadphys_boot::entry!(start);

    extern "C" fn start(_: u32, _: u32) -> ! {
        traps::load();
        let views = views::ALL.into_iter();
        for (name, trial) in trials::ALL.into_iter().chain(views).chain([trials::LAST]) {
            trial();
            say!("passed: {name}");
        }
        ending::end(true)
    }
}
