//! What remains of the stub on hardware while nobody calls it: a walk of two kinds of tables at each TLB miss (Bhargava, Serebrin,
//! Spadini, Manne, "Accelerating Two-Dimensional Page Walks for Virtualized Systems", ASPLOS 2008).

use super::document::Document;
use crate::machines::MachineName;

/// Levels of the guest's tables, and of nested ones down to pages of 4 KiB.
const LEVELS: u32 = 4;

/// References to memory at a TLB miss, at most: each address of the guest's walk, its tables' and the page's, is itself looked up by
/// a nested walk. (Caches of either kind of tables save most of them.)
const fn references(nested_levels: u32) -> u32 {
    (LEVELS + 1) * (nested_levels + 1) - 1
}

/// A line or more for people; none if nothing ran under the stub.
pub fn two_walks_told(document: &Document) -> Vec<String> {
    let mut under_stub = document.rows.iter().filter_map(|row| row.nested_page);
    let Some(asked) = under_stub.next() else { return Vec::new() };
    let mut lines = vec![format!(
        "nested pages: {asked} (--nested-page auto, 4k, 2m, 1g). On hardware a TLB miss under the stub makes up to {} references to memory with \
         pages of 4 KiB, {} with 2 MiB and {} with 1 GiB, and {LEVELS} without a stub: ({LEVELS} levels of the guest + 1) x (nested levels + 1) - 1 \
         (Bhargava and others, ASPLOS 2008). \
         Emulated ticks are instructions and show nothing of it",
        references(LEVELS),
        references(LEVELS - 1),
        references(LEVELS - 2),
    )];
    let kvm = MachineName::QemuKvm.name();
    if document.rows.iter().any(|it| it.machine == kvm && it.nested_page.is_some()) {
        lines.push(format!(
            "nested pages on {kvm}: KVM merges the stub's nested tables with its own, so pages are no larger than its own are"
        ));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::references;

    #[test]
    fn a_walk_of_two_kinds_of_tables_is_counted_as_it_is_done() {
        // The guest's entry of each level is found by a nested walk and then read; so is the page, which is not read here.
        let counted = |nested: u32| (0..4).map(|_| nested + 1).sum::<u32>() + nested;
        for nested in [2, 3, 4] {
            assert_eq!(references(nested), counted(nested));
        }
        assert_eq!([4, 3, 2].map(references), [24, 19, 14]);
    }
}
