//! Links the guests at their fixed address; see `link.ld`.

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/link.ld");
const NO_NOTE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/no_note.ld");

fn main() {
    println!("cargo::rerun-if-changed={SCRIPT}");
    println!("cargo::rerun-if-changed={NO_NOTE}");
    if std::env::var("CARGO_CFG_TARGET_OS").as_deref() == Ok("none") {
        // What comes first is asked first.
        println!("cargo::rustc-link-arg-bin=loadphys-multiboot1=-T{NO_NOTE}");
        println!("cargo::rustc-link-arg-bins=-T{SCRIPT}");
        for argument in ["-no-pie", "-zmax-page-size=4096", "-znorelro"] {
            println!("cargo::rustc-link-arg-bins={argument}");
        }
    }
}
