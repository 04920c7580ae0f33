//! What a boot counted.

use anyhow::{Context, Result, ensure};
use loadphys_plan::records::counts;
use xtask::boot::Report;

pub fn count(report: &Report, name: &str) -> Result<u64> {
    report.count(name).with_context(|| format!("no count '{name}'"))
}

pub fn exactly(report: &Report, name: &str, wanted: u64) -> Result<()> {
    let found = count(report, name)?;
    ensure!(found == wanted, "{name}: {found}, not {wanted}");
    Ok(())
}

pub fn nothing_lost(report: &Report) -> Result<()> {
    ensure!(count(report, counts::VERIFIED)? > 0, "no page was verified");
    ensure!(count(report, counts::LOST)? == 0, "pages were lost");
    Ok(())
}
