//! Links the guest at its fixed address; see `link.ld`.

fn main() {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/link.ld");
    println!("cargo::rerun-if-changed={script}");
    if std::env::var("CARGO_CFG_TARGET_OS").as_deref() == Ok("none") {
        println!("cargo::rustc-link-arg-bins=-T{script}");
        for argument in ["-no-pie", "-zmax-page-size=4096", "-znorelro"] {
            println!("cargo::rustc-link-arg-bins={argument}");
        }
    }
}
