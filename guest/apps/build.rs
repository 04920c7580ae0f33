//! Links the programs at their place, without writable data.

fn main() {
    let target = std::env::var("TARGET").unwrap_or_default();
    let here = std::env::var("CARGO_MANIFEST_DIR").unwrap_or_default();
    println!("cargo:rerun-if-changed=link.ld");
    if target == "x86_64-unknown-none" {
        for argument in
            [&format!("-T{here}/link.ld"), "-no-pie", "-zmax-page-size=4096", "-znorelro"]
        {
            println!("cargo:rustc-link-arg-bins={argument}");
        }
    }
}
