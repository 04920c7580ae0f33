//! The steps of `cargo xtask test`.

mod boots;
mod cargo;
mod step;

use anyhow::Result;

pub use cargo::loom;
pub use step::Tally;

/// Runs every step, also after one has failed.
pub fn run_all(tally: &mut Tally, quick: bool) -> Result<()> {
    let apps = crate::build::apps()?;
    for step in cargo::steps(&apps) {
        step.run(tally)?;
    }
    if quick {
        tally.skip("Miri, because of --quick");
    } else if crate::tools::miri()? {
        cargo::miri().run(tally)?;
    } else {
        tally.skip("Miri: there is no nightly toolchain with it, and rustup could not add one");
    }
    boots::step(tally)?.run(tally)
}
