//! Links the kernel at its place and finds the programs that go into the image.

use std::env;

fn main() {
    println!("cargo:rerun-if-changed=link.ld");
    println!("cargo:rerun-if-env-changed=LOADPHYS_APPS");
    let apps = env::var("LOADPHYS_APPS").unwrap_or_else(|_| {
        panic!("LOADPHYS_APPS must name the built programs; `cargo xtask build` does this")
    });
    println!("cargo:rerun-if-changed={apps}");
    println!("cargo:rustc-env=LOADPHYS_APPS={apps}");
    let here = env::var("CARGO_MANIFEST_DIR").unwrap_or_default();
    for argument in [&format!("-T{here}/link.ld"), "-no-pie", "-zmax-page-size=4096", "-znorelro"] {
        println!("cargo:rustc-link-arg-bins={argument}");
    }
}
