//! What the stub takes from its command line, and which one is the guest's.

use loadphys_abi::discovery::RuleSet;
use loadphys_boot::handoff::{Handoff, Loader};
use loadphys_plan::command_line::{Exit, NestedPage, Rules};

/// The `exit=` of a line. A word that cannot be used is the guest's to complain about.
pub fn exit(line: &str) -> Option<Exit> {
    let mut words = line.split_ascii_whitespace();
    words.find_map(|word| word.strip_prefix("exit=")?.parse().ok())
}

/// The `rules=` of a line; [`RuleSet::Tables`] without one. A word that cannot be used is the guest's to complain about.
pub fn rules(line: &str) -> RuleSet {
    let mut words = line.split_ascii_whitespace();
    let rules = words.find_map(|word| word.strip_prefix("rules=")?.parse().ok());
    match rules {
        None | Some(Rules::Tables) => RuleSet::Tables,
        Some(Rules::Typed) => RuleSet::Typed,
        Some(Rules::TypedPreset) => RuleSet::TypedPreset,
    }
}

/// The `nested-page=` of a line. A word that cannot be used is the guest's to complain about.
pub fn nested_page(line: &str) -> NestedPage {
    let mut words = line.split_ascii_whitespace();
    let page = words.find_map(|word| word.strip_prefix("nested-page=")?.parse().ok());
    page.unwrap_or(NestedPage::Auto)
}

/// The guest's command line: what was passed with its module; the whole of the stub's own where the loader (QEMU) passes none
/// with modules.
pub fn guests(handoff: &Handoff) -> &str {
    match handoff.modules.first() {
        Some(module) if handoff.loader == Loader::Multiboot2 => &module.command_line,
        Some(module) if !module.command_line.trim().is_empty() => &module.command_line,
        _ => &handoff.command_line,
    }
}

#[cfg(test)]
mod tests {
    use super::{exit, nested_page, rules};
    use loadphys_abi::discovery::RuleSet;
    use loadphys_plan::command_line::{Exit, NestedPage};

    #[test]
    fn the_exit_is_found_among_other_words() {
        assert_eq!(exit("plan=probe exit=bochs x"), Some(Exit::Bochs));
        assert_eq!(exit("plan=probe exit=never"), None);
        assert_eq!(exit(""), None);
    }

    #[test]
    fn nested_pages_are_the_largest_unless_others_are_named() {
        assert_eq!(nested_page("plan=probe nested-page=4k"), NestedPage::FourKib);
        assert_eq!(nested_page("plan=probe nested-page=3k"), NestedPage::Auto);
        assert_eq!(nested_page(""), NestedPage::Auto);
    }

    #[test]
    fn the_rules_are_tables_unless_others_are_named() {
        assert_eq!(rules("plan=probe rules=typed"), RuleSet::Typed);
        assert_eq!(rules("plan=probe rules=typed-preset"), RuleSet::TypedPreset);
        assert_eq!(rules("plan=probe rules=none"), RuleSet::Tables);
    }
}
