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
    use loadphys_test_guests::{calls, ending, say, traps};

    use crate::{trials, views};

    loadphys_boot::entry!(start);

    extern "C" fn start(_: u32, _: u32) -> ! {
        traps::load();
        let features = calls::features();
        trials::ALL.into_iter().for_each(pass);
        match features.gate && features.root_views {
            true => views::ALL.into_iter().for_each(pass),
            false => say!("not tried: views, which this stub does not offer"),
        }
        pass(trials::LAST);
        if calls::is_amds() {
            pass(trials::AGAIN);
        }
        ending::end(true)
    }

    fn pass((name, trial): (&str, fn())) {
        trial();
        say!("passed: {name}");
    }
}
