//! The flushes that are written in the sources.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Where flushes are looked for.
const FOLDERS: [&str; 2] = ["guest/access/src", "guest/reclaim/src"];

/// CPUs do what they are asked for; they ask for nothing.
const CPUS: &str = "guest/access/src/cpu/";

/// What asks for a flush.
const CALLS: [&str; 12] = [
    ".invlpg(",
    ".flush_loaded(",
    "local.load(",
    ".through_view(view, below",
    ".set_root_register(",
    "fresh.make(",
    "self.go(",
    ").detach()",
    ".flush()",
    "Flushed::by(",
    "Flushed::by_letting_go(",
    "Flushed::by_unlinking(",
];

/// Whether the flushes of a file are looked for.
pub fn are_read(file: &str) -> bool {
    FOLDERS.iter().any(|folder| file.starts_with(folder))
}

/// Every line that asks for a flush, as `file:line`.
///
/// # Errors
/// A file could not be read.
pub fn flushes() -> Result<BTreeSet<String>, String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().ok_or("the crate lies nowhere")?;
    let mut all = BTreeSet::new();
    for file in FOLDERS.iter().flat_map(|folder| files_below(&root.join(folder))) {
        let text = fs::read_to_string(&file).map_err(|e| format!("{}: {e}", file.display()))?;
        let name = file.strip_prefix(root).unwrap_or(&file).display().to_string();
        if !name.starts_with(CPUS) {
            all.extend(lines_that_flush(&text).map(|line| format!("{name}:{line}")));
        }
    }
    if all.is_empty() { Err("no flush was found in the sources".into()) } else { Ok(all) }
}

fn files_below(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let below = |path: PathBuf| match path.is_dir() {
        true => files_below(&path),
        false => vec![path],
    };
    entries.flat_map(|entry| below(entry.path())).collect()
}

/// The numbers of the lines that ask for a flush of their own: what stands in a function that is
/// `#[track_caller]` is asked for by who calls that.
fn lines_that_flush(text: &str) -> impl Iterator<Item = usize> {
    let code = text.split("#[cfg(test)]").next().unwrap_or(text);
    let (mut attributes, mut hands_on) = (String::new(), false);
    (1..).zip(code.lines().map(str::trim)).filter_map(move |(number, line)| {
        if line.starts_with("#[") {
            attributes += line;
        } else if line.contains("fn ") && !line.starts_with("//") {
            hands_on = attributes.contains("track_caller");
            attributes.clear();
        }
        let flushes = !line.starts_with("//") && CALLS.iter().any(|call| line.contains(call));
        (flushes && !hands_on).then_some(number)
    })
}
