//! Options that several commands have, read by hand so that a mistake is one clear line.

use anyhow::Result;
use loadphys_plan::command_line::{List, MOST, MethodName, Mistake, NestedPage};

use crate::machines::Path;
use crate::outcome::bad_input;

/// Reads each word of a list separated by commas.
pub fn list<T: PartialEq>(text: &str, one: impl Fn(&str) -> Result<T>) -> Result<Vec<T>> {
    let mut values = Vec::new();
    for word in text.split(',') {
        let value = one(word.trim())?;
        if values.contains(&value) {
            return Err(bad_input(format!("'{word}' is given twice in '{text}'")));
        }
        values.push(value);
    }
    Ok(values)
}

/// Reads a list of methods; `None` is all of them.
pub fn methods(text: &str) -> Result<Option<Vec<MethodName>>> {
    let named = |word: &str| word.parse::<MethodName>().map_err(refused);
    match text {
        "all" => Ok(None),
        _ if text.split(',').any(|word| word == "all") => {
            Err(bad_input(format!("--methods {text}: all stands alone")))
        }
        names => list(names, named).map(Some),
    }
}

/// Reads a list of numbers from 1 to `most`, as many as the guest's command line can hold.
pub fn numbers(what: &str, text: &str, most: u32) -> Result<List<u32>> {
    let one = |word: &str| Ok(number(what, word, 1, most.into())? as u32);
    let values = list(text, one)?;
    let count = values.len();
    List::new(values).ok_or_else(|| {
        bad_input(format!("{what} has {count} numbers: {MOST} is the most that a list can hold"))
    })
}

/// Reads a number within bounds.
pub fn number(what: &str, text: &str, least: u64, most: u64) -> Result<u64> {
    let number = text.parse().ok().filter(|number| (least..=most).contains(number));
    number.ok_or_else(|| {
        bad_input(format!("{what} '{text}': a number from {least} to {most} is wanted"))
    })
}

/// Reads the memory of a machine for these paths, in MiB.
pub fn memory(text: &str, paths: &[Path]) -> Result<u32> {
    let mib = number("--memory", text, 1, MOST_MEMORY_MIB)? as u32;
    match paths.iter().find(|path| mib < path.least_memory_mib()) {
        None => Ok(mib),
        Some(path) => Err(bad_input(format!(
            "--memory {mib}: path {path} needs at least {} MiB",
            path.least_memory_mib()
        ))),
    }
}

/// Reads the largest pages of nested tables.
pub fn nested_page(text: Option<&str>) -> Result<NestedPage> {
    text.map_or(Ok(NestedPage::Auto), |text| text.parse().map_err(refused))
}

/// Refuses that where no path has nested tables.
pub fn nested_page_needs_stub(text: Option<&str>, paths: &[Path]) -> Result<()> {
    match text {
        Some(text) if !paths.iter().any(|path| path.has_stub()) => Err(bad_input(format!(
            "--nested-page {text} needs path vmx or svm: the stub has nested tables"
        ))),
        _ => Ok(()),
    }
}

/// A TiB, which no emulator here gives a machine.
const MOST_MEMORY_MIB: u64 = 1 << 20;

/// The guest's own refusal of a word, as a refusal of ours.
pub fn refused(mistake: Mistake) -> anyhow::Error {
    bad_input(mistake.to_string())
}

#[cfg(test)]
mod tests {
    use loadphys_plan::command_line::{MethodName, NestedPage};

    use super::{methods, nested_page, nested_page_needs_stub};
    use crate::machines::Path;

    #[test]
    fn nested_pages_have_a_size_and_a_stub() {
        assert_eq!(nested_page(Some("2m")).expect("a size"), NestedPage::TwoMib);
        let refused = nested_page(Some("4m")).expect_err("no size").to_string();
        assert_eq!(refused, "unknown nested-page '4m': there is auto 4k 2m 1g");
        assert!(nested_page_needs_stub(Some("2m"), &[Path::Bare, Path::Svm]).is_ok());
        let refused = nested_page_needs_stub(Some("2m"), &[Path::Bare]).expect_err("no stub");
        let wanted = "--nested-page 2m needs path vmx or svm: the stub has nested tables";
        assert_eq!(refused.to_string(), wanted);
        assert!(nested_page_needs_stub(None, &[Path::Bare]).is_ok());
    }

    #[test]
    fn all_methods_stand_alone() {
        assert_eq!(methods("all").expect("all"), None);
        let two = vec![MethodName::Alias, MethodName::Mirror];
        assert_eq!(methods("alias,mirror").expect("two"), Some(two));
        for refused in ["all,mirror", "mirror,all", "alias,nonsense", "alias,alias"] {
            assert!(methods(refused).is_err(), "{refused}");
        }
    }
}
