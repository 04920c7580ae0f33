//! A kernel that is entered by multiboot 1 ("Multiboot Specification", version 0.6.96), and says what it was handed: a test holds
//! that against what it should have been. It has no entry of another kind that the stub would take instead.
#![no_std]
#![no_main]

#[cfg(target_os = "none")]
mod handed;
#[cfg(target_os = "none")]
mod header;

#[cfg(target_os = "none")]
mod machine {
    use loadphys_test_guests::{ending, say};

    use crate::handed::Handed;

    loadphys_boot::entry!(start);

    /// Section 3.2: what EAX holds at the entry.
    const LOADED: u32 = 0x2bad_b002;

    extern "C" fn start(magic: u32, info: u32) -> ! {
        say!("handed: magic {magic:#x}");
        assert_eq!(magic, LOADED, "this is not multiboot 1");
        Handed::at(info).say();
        ending::end(true)
    }
}
