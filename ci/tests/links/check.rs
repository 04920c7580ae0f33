//! Whether a link leads somewhere.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use crate::document::{self, Link};
use crate::rust;

/// The links of a document that lead nowhere: where each stands, and why.
pub fn wrong_links(root: &Path, document: &Path) -> Vec<String> {
    let text = match fs::read_to_string(root.join(document)) {
        Ok(text) => text,
        Err(why) => return vec![format!("{}: {why}", document.display())],
    };
    let wrong = |Link { line, target }| {
        let why = follow(root, document, &target).err()?;
        Some(format!("{}:{line}: {target}: {why}", document.display()))
    };
    document::links(&text).into_iter().filter_map(wrong).collect()
}

fn follow(root: &Path, document: &Path, target: &str) -> Result<(), String> {
    if target.contains("://") || target.starts_with("mailto:") {
        return Ok(());
    }
    let (path, name) =
        target.split_once('#').map_or((target, None), |(path, name)| (path, Some(name)));
    let file = find(root, document, path)?;
    let Some(name) = name else { return Ok(()) };
    if names(&file)?.contains(name) {
        return Ok(());
    }
    let nothing = if is(&file, "md") {
        "no heading has this anchor"
    } else {
        "the file defines no such item"
    };
    Err(nothing.into())
}

/// The file or folder, which lies in the repository. A link without a path is one to the document itself.
fn find(root: &Path, document: &Path, path: &str) -> Result<PathBuf, String> {
    let folder = document.parent().unwrap_or(document);
    let place = if path.is_empty() { document.into() } else { folder.join(path) };
    let file = root.join(place).canonicalize().map_err(|_| "there is no such file")?;
    let root = root.canonicalize().map_err(|why| why.to_string())?;
    if file.starts_with(root) { Ok(file) } else { Err("it lies outside of the repository".into()) }
}

/// What a link to this file may name.
fn names(file: &Path) -> Result<BTreeSet<String>, String> {
    let text = || fs::read_to_string(file).map_err(|why| why.to_string());
    match () {
        () if is(file, "md") => Ok(document::anchors(&text()?)),
        () if is(file, "rs") => rust::names(&text()?).map_err(|why| why.to_string()),
        () => Err("only documents and Rust files have something to name".into()),
    }
}

fn is(file: &Path, extension: &str) -> bool {
    file.extension().is_some_and(|it| it == extension)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::wrong_links;

    const DOCUMENT: &str = "\
# A title, with `code`
[a](#a-title-with-code) [b](../code/a.rs) [c](../code/a.rs#go) [d](../code) [e](https://x.org/#y)
[f](none.md)
text, and then [g](#other) and [h](b.md#third)
`[code](none.md)` [i](../code/a.rs#gone)
[j](../code#go) [k](../../outside.md) [l](b.md#second) [m](/code/a.rs)
";

    #[test]
    fn each_kind_of_wrong_link_is_found_on_its_line() {
        let outside = tempfile::tempdir().expect("there is room");
        let root = outside.path().join("repository");
        let write = |path: &Path, text| fs::write(path, text).expect("there is room");
        for folder in ["code", "text"] {
            fs::create_dir_all(root.join(folder)).expect("there is room");
        }
        write(&outside.path().join("outside.md"), "");
        write(&root.join("code/a.rs"), "fn go() { gone() }");
        write(&root.join("text/a.md"), DOCUMENT);
        write(&root.join("text/b.md"), "## second\n");
        let expected = [
            "3: none.md: there is no such file",
            "4: #other: no heading has this anchor",
            "4: b.md#third: no heading has this anchor",
            "5: ../code/a.rs#gone: the file defines no such item",
            "6: ../code#go: only documents and Rust files have something to name",
            "6: ../../outside.md: it lies outside of the repository",
            "6: /code/a.rs: there is no such file",
        ];
        let expected = expected.map(|wrong| format!("text/a.md:{wrong}"));
        assert_eq!(wrong_links(&root, Path::new("text/a.md")), expected);
    }
}
