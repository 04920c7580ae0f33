//! Requests that cannot be met, refused before anything is built.

use anyhow::Result;

use loadphys_plan::command_line::{MethodName, Rules};

use crate::compare::{Asked, Request};
use crate::machines::Path;
use crate::outcome::bad_input;

/// Refuses a method that no path in question has.
pub fn impossible(request: &Request) -> Result<()> {
    match request.impossible() {
        None => Ok(()),
        Some(method) => {
            let paths: Vec<&str> = request.paths.iter().map(|path| path.name()).collect();
            let paths = paths.join(",");
            let why = request.paths.iter().rev().find_map(|path| path.lacks_method(method));
            let why = why.unwrap_or_default();
            let having = Path::ALL.iter().filter(|path| path.may_have(method));
            let having: Vec<&str> = having.map(|path| path.name()).collect();
            let having = having.join(" or ");
            Err(bad_input(format!("--methods {method} needs path {having}, not {paths}: {why}")))
        }
    }
}

/// Refuses rules where no stub is, and methods that the rules leave no views for.
pub fn rules_out_of_place(request: &Request) -> Result<()> {
    let strict: Vec<Rules> =
        request.rules.iter().copied().filter(|rules| *rules != Rules::Tables).collect();
    let Some(rules) = strict.first() else { return Ok(()) };
    let path_for = |rules: Rules| request.paths.iter().any(|path| path.has_rules(rules));
    if let Some(rules) = strict.iter().copied().find(|rules| !path_for(*rules)) {
        let skipped = request.rules_skipped().next();
        let why = skipped.map_or("the stub checks them", |(_, _, why)| why);
        return Err(bad_input(format!("--rules {rules} needs path vmx: {why}")));
    }
    let views = [MethodName::Gate, MethodName::RootView];
    match &request.methods {
        Asked::Named(names)
            if names.iter().all(|name| views.contains(name))
                && !request.rules.contains(&Rules::Tables) =>
        {
            Err(bad_input(format!(
                "--methods {} needs --rules tables, not {rules}: typed rules have no views",
                names.iter().map(|name| name.name()).collect::<Vec<_>>().join(",")
            )))
        }
        _ => Ok(()),
    }
}

/// Pages and their copies in swap, both in memory, may fill half of it.
pub fn many_pages(request: &Request, memory_mib: u32) -> Result<()> {
    let most = u64::from(memory_mib) * 256 / 4;
    if u64::from(request.pages) <= most {
        return Ok(());
    }
    Err(bad_input(format!(
        "--pages {}: at most {most} with --memory {memory_mib}, a quarter of it",
        request.pages
    )))
}

/// The tables and own pages of all spaces may fill half of the memory.
pub fn many_spaces(request: &Request, memory_mib: u32) -> Result<()> {
    /// KiB of a space, at most.
    const SPACE_KIB: u32 = 64;
    let most = memory_mib * 1024 / 2 / SPACE_KIB;
    let spaces = request.sharers.iter().copied().max().unwrap_or(1).max(request.spaces);
    if spaces <= most {
        return Ok(());
    }
    let option = if spaces == request.spaces { "--spaces" } else { "--sharers" };
    Err(bad_input(format!(
        "{option} {spaces}: at most {most} with --memory {memory_mib}, {SPACE_KIB} KiB each in half of it"
    )))
}

/// A batch is of different pages, so a row needs as many.
pub fn large_batch(request: &Request) -> Result<()> {
    let (pages, largest) = (request.pages, request.batch.iter().copied().max().unwrap_or(1));
    if largest <= pages {
        return Ok(());
    }
    Err(bad_input(format!("--batch {largest}: at most --pages, which is {pages}")))
}

#[cfg(test)]
mod tests {
    use loadphys_plan::command_line::{List, MethodName, NestedPage, Rules, Swap};

    use super::{impossible, large_batch, many_pages, many_spaces, rules_out_of_place};
    use crate::compare::{Asked, Request};
    use crate::machines::Path;

    fn request(batch: u32, pages: u32) -> Request {
        let one = |number| List::new([number]).expect("one number");
        let (paths, methods) = (vec![Path::Bare], Asked::Usual);
        Request {
            paths,
            methods,
            sharers: one(1),
            batch: one(batch),
            pages,
            seed: 1,
            cpus: 1,
            spaces: 0,
            swap: Swap::Ram,
            rules: vec![Rules::Tables],
            nested_page: NestedPage::Auto,
        }
    }

    #[test]
    fn a_batch_has_no_more_pages_than_the_row() {
        assert!(large_batch(&request(64, 64)).is_ok());
        let refused = large_batch(&request(65, 64)).expect_err("65 of 64").to_string();
        assert_eq!(refused, "--batch 65: at most --pages, which is 64");
    }

    #[test]
    fn rules_need_a_stub_and_leave_no_views() {
        let typed = |path, method| Request {
            paths: vec![path],
            methods: Asked::Named(List::new([method]).expect("one name")),
            rules: vec![Rules::Typed],
            ..request(1, 1)
        };
        let refused = |request: &Request| rules_out_of_place(request).expect_err("no").to_string();
        let bare = refused(&typed(Path::Bare, MethodName::Recursive));
        assert_eq!(bare, "--rules typed needs path vmx: the stub checks them");
        let gate = refused(&typed(Path::Vmx, MethodName::Gate));
        assert_eq!(
            gate,
            "--methods gate needs --rules tables, not typed: typed rules have no views"
        );
        assert!(rules_out_of_place(&typed(Path::Vmx, MethodName::Alias)).is_ok());
        assert!(rules_out_of_place(&request(1, 1)).is_ok());
        let svm = refused(&typed(Path::Svm, MethodName::Alias));
        assert!(svm.starts_with("--rules typed needs path vmx: AMD's walker reads"), "{svm}");
        let both =
            Request { paths: vec![Path::Vmx, Path::Svm], ..typed(Path::Svm, MethodName::Alias) };
        assert!(rules_out_of_place(&both).is_ok());
        assert_eq!(both.rules_on(Path::Svm), [], "no boot");
        assert_eq!(both.rules_skipped().count(), 1, "and it is said why");
    }

    #[test]
    fn a_method_that_no_path_has_is_refused_with_the_reason() {
        let request = |paths: &[Path], method| Request {
            paths: paths.to_vec(),
            methods: Asked::Named(List::new([method]).expect("one name")),
            ..request(1, 1)
        };
        let refused = |paths: &[Path], method| {
            impossible(&request(paths, method)).expect_err("no path has it").to_string()
        };
        let bare = refused(&[Path::Bare], MethodName::Alias);
        assert_eq!(bare, "--methods alias needs path vmx or svm, not bare: the stub has it");
        let views = refused(&[Path::Bare, Path::Svm], MethodName::Gate);
        assert_eq!(
            views,
            "--methods gate needs path vmx, not bare,svm: AMD's CPUs have no VMFUNC: views cannot be switched without an exit"
        );
        assert!(impossible(&request(&[Path::Svm], MethodName::Alias)).is_ok());
    }

    #[test]
    fn spaces_fill_half_of_the_memory_at_most() {
        let spaces = |spaces| Request { spaces, ..request(1, 1) };
        assert!(many_spaces(&spaces(4096), 512).is_ok());
        let refused = many_spaces(&spaces(4096), 256).expect_err("too many").to_string();
        assert_eq!(
            refused,
            "--spaces 4096: at most 2048 with --memory 256, 64 KiB each in half of it"
        );
        let sharers = List::new([2049]).expect("one number");
        let refused = many_spaces(&Request { sharers, ..request(1, 1) }, 256);
        assert!(refused.expect_err("too many").to_string().starts_with("--sharers 2049"));
    }

    #[test]
    fn pages_fill_a_quarter_of_the_memory_at_most() {
        assert!(many_pages(&request(1, 1024), 16).is_ok());
        assert!(many_pages(&request(1, 1025), 16).is_err());
    }
}
