//! The links of all documents: each leads to a file that is there, and if it names a heading or an item, to that too.
//!
//! | link | what must be there |
//! |---|---|
//! | `path` | the file or folder |
//! | `path.md#anchor`, `#anchor` | a heading that GitHub gives this anchor |
//! | `path.rs#name` | an item, method or variant of this name, written out in the file (not made by a macro) |
//!
//! Where a link names a scheme (`https://...`) nobody looks.

mod check;
mod document;
mod rust;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use xtask::workspace;

#[test]
fn links_of_all_documents_lead_somewhere() {
    let root = workspace::root();
    let documents = documents(root);
    for known in ["README.md", "guest/kernel/TOUR.md", "vmm-stub/TOUR.md"] {
        assert!(documents.contains(&known.into()), "{known} is not among {documents:?}");
    }
    let wrong: Vec<_> = documents.iter().flat_map(|it| check::wrong_links(root, it)).collect();
    assert!(wrong.is_empty(), "links that lead nowhere:\n{}", wrong.join("\n"));
}

/// Markdown files that git knows; where there is no git, all but those in hidden folders and among build products.
fn documents(root: &Path) -> Vec<PathBuf> {
    let arguments = ["ls-files", "-z", "--", "*.md"];
    let listed = Command::new("git").current_dir(root).args(arguments).output();
    let Some(listed) = listed.ok().filter(|listed| listed.status.success()) else {
        return in_folder(root, Path::new(""));
    };
    let names = String::from_utf8(listed.stdout).expect("names of files are UTF-8");
    names.split_terminator('\0').map(PathBuf::from).collect()
}

fn in_folder(root: &Path, folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(root.join(folder)).expect("a folder can be read") {
        let name = entry.expect("a folder can be read").file_name();
        let path = folder.join(&name);
        let hidden = name.as_encoded_bytes().starts_with(b".") || name == "target";
        if root.join(&path).is_dir() && !hidden {
            found.extend(in_folder(root, &path));
        } else if path.extension().is_some_and(|it| it == "md") {
            found.push(path);
        }
    }
    found
}

#[test]
fn without_git_the_same_documents_are_found() {
    let root = workspace::root();
    let found = in_folder(root, Path::new(""));
    let missing: Vec<_> = documents(root).into_iter().filter(|it| !found.contains(it)).collect();
    assert!(missing.is_empty(), "{missing:?}");
}
