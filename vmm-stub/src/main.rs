//! The stub's entry point; all else is in the library.
#![no_std]
#![no_main]

#[cfg(target_os = "none")]
mod machine {
    use core::panic::PanicInfo;

    loadphys_boot::entry!(loadphys_stub::boot::start);

    #[panic_handler]
    fn panic(info: &PanicInfo<'_>) -> ! {
        loadphys_stub::ending::panicked(info)
    }
}
