//! memtest86+ tries memory with the stub and without, and finds no error on either.

use std::sync::LazyLock;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, ensure};
use xtask::boot::{Ending, Job, Report};
use xtask::foreign::Foreign;
use xtask::machines::Path;
use xtask::machines::choose::emulator;
use xtask::peers::memtest;

use super::{both, foreign};

/// It never ends. At test 6 it has come through addresses, patterns of 8 bits and random ones; Bochs, which takes long, comes
/// to test 3. Its count of errors stands behind that.
const fn until(path: Path) -> &'static [&'static str] {
    match path {
        Path::Vmx => &["#3  [", "Errors: 0 "],
        Path::Bare | Path::Svm => &["#6  [", "Errors: 0 "],
    }
}

/// The count of errors, which it says every two seconds.
const ERRORS: &str = "Errors: ";

const LIMIT: Duration = Duration::from_secs(120);

/// Fetched once, by whichever test is first.
static KERNEL: LazyLock<Result<Foreign, String>> =
    LazyLock::new(|| memtest::kernel().map_err(|error| format!("{error:#}")));

/// Boots it.
pub fn on(path: Path) -> Result<()> {
    let machine = emulator(path);
    let kernel = KERNEL.as_ref().map_err(|why| anyhow!("{why}"))?;
    let [alone, under] = both(|under| {
        let job = foreign(kernel.clone(), path, machine, under)?;
        Ok(Job { memory_mib: 128, until: until(path), time_limit: LIMIT, ..job })
    })?;
    found_no_error(&alone).context("without the stub")?;
    found_no_error(&under).context("under the stub")?;
    let entered = under.lines.iter().any(|line| line.starts_with("stub: guest entered at "));
    ensure!(entered, "the stub does not say that it entered it");
    Ok(())
}

fn found_no_error(report: &Report) -> Result<()> {
    let said = report.lines.last().map_or("", String::as_str);
    let counts: Vec<&str> =
        said.split(ERRORS).skip(1).filter_map(|text| text.split(' ').next()).collect();
    let wrong = counts.iter().find(|count| **count != "0");
    ensure!(wrong.is_none(), "it counts errors: {counts:?}");
    ensure!(report.ending == Ending::Reached, "{:?}: {}", report.ending, last(said));
    (!counts.is_empty()).then_some(()).ok_or_else(|| anyhow!("it counts nothing: {}", last(said)))
}

/// What it showed last, for people.
fn last(said: &str) -> String {
    let skipped = said.chars().count().saturating_sub(400);
    said.chars().skip(skipped).collect()
}
