//! A kernel that is entered by multiboot 1 finds what it was handed: the magic number, its own line, a module, and a map of memory
//! in which the stub's own is reserved.

use std::fs;
use std::ops::Range;

use anyhow::{Context, Result, anyhow, ensure};
use xtask::boot::{self, Report};
use xtask::foreign::Foreign;
use xtask::machines::Path;
use xtask::machines::choose::emulator;
use xtask::workspace;

use super::foreign;
use crate::programs;

/// Its command line.
const LINE: &str = "root=none first second=2";

/// What begins its lines.
const HANDED: &str = "handed: ";

/// What begins the stub's line on its own memory.
const STUB: &str = "stub: its memory is ";

/// Boots it under the stub. Any file will do as its module.
pub fn on(path: Path) -> Result<()> {
    let module = workspace::root().join("LICENSE");
    let kernel = Foreign {
        image: programs::multiboot1()?,
        line: LINE.to_owned(),
        initrd: Some(module.clone()),
    };
    let report = boot::boot(&foreign(kernel, path, emulator(path), true)?, |_, _| ())?;
    let good = report.verdict().map_err(|reason| anyhow!(reason));
    let good = good.and_then(|()| found(&report, &fs::read(module)?));
    good.with_context(|| format!("last lines of the console:\n  {}", report.tail().join("\n  ")))
}

fn found(report: &Report, module: &[u8]) -> Result<()> {
    let says = told(report, HANDED);
    let (bytes, sum) = (module.len(), sum(module));
    for wanted in [
        "magic 0x2badb002".to_owned(),
        // Memory, a line, modules, a map, and the loader's name.
        "flags 0x24d".to_owned(),
        format!("line '{LINE}'"),
        "loader 'loadphys'".to_owned(),
        "1 modules".to_owned(),
        format!("module of {bytes} bytes, sum {sum:#x}, at a whole page, line ''"),
    ] {
        ensure!(says.contains(&wanted.as_str()), "it does not say '{wanted}' but {says:?}");
    }
    memory(report, &says)
}

/// The words of some memory's line.
struct Memory {
    range: Range<u64>,
    usable: bool,
}

/// The stub's memory is in the map, not to be used, and nothing that may be used lies in it; and what is said of memory in two
/// words fits the map.
fn memory(report: &Report, says: &[&str]) -> Result<()> {
    let map: Vec<Memory> = says.iter().filter_map(|line| entry(line)).collect();
    let stub = told(report, STUB).first().and_then(|line| range(line, ".."));
    let stub = stub.context("the stub does not say where it is")?;
    let reserved = map.iter().any(|it| !it.usable && it.range == stub);
    ensure!(reserved, "{stub:x?} of the stub is not reserved: {says:?}");
    let over = |it: &&Memory| it.range.start < stub.end && stub.start < it.range.end;
    ensure!(map.iter().filter(over).count() == 1, "something else is in {stub:x?}: {says:?}");
    let kib = |start| -> Result<u64> {
        let from = map.iter().find(|it| it.usable && it.range.start == start);
        from.map(|it| (it.range.end - start) >> 10).context("no memory there")
    };
    let wanted = format!("{} KiB below, {} KiB above", kib(0)?, kib(1 << 20)?);
    ensure!(says.contains(&wanted.as_str()), "it does not say '{wanted}' but {says:?}");
    Ok(())
}

fn entry(line: &str) -> Option<Memory> {
    let (places, kind) = line.strip_prefix("memory ")?.split_once(" kind ")?;
    Some(Memory { range: range(places, " ")?, usable: kind == "1" })
}

/// Two hexadecimal numbers, and perhaps more behind a comma.
fn range(text: &str, between: &str) -> Option<Range<u64>> {
    let number = |text: &str| u64::from_str_radix(text.strip_prefix("0x")?, 16).ok();
    let (start, end) = text.split(',').next()?.split_once(between)?;
    Some(number(start)?..number(end)?)
}

fn told<'a>(report: &'a Report, kind: &str) -> Vec<&'a str> {
    report.lines.iter().filter_map(|line| line.trim().strip_prefix(kind)).collect()
}

/// As the kernel makes it.
fn sum(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0, |sum: u32, byte| sum.rotate_left(5) ^ u32::from(*byte))
}
