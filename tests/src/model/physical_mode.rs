//! A CPU that has turned paging off.

use foreign_access::Entry;
use loadphys_abi::batch::{Action, Item};

use super::{Model, Violation};

impl Model<'_> {
    /// Does items on physical memory up to the first that differs; says how many were done.
    pub(super) fn without_paging(&self, items: &mut [Item]) -> usize {
        items.iter_mut().position(|item| !self.physical(item)).unwrap_or(items.len())
    }

    /// Does one item, unless it differs.
    fn physical(&self, item: &mut Item) -> bool {
        if item.entry >= 1 << 32 {
            self.report(Violation::OutsideMemory(item.entry));
            return false;
        }
        let (expected, new) = (item.found, item.value);
        item.found = match Action::from_number(item.action) {
            Some(Action::Exchange) => self.change_physical(item.entry, |_| new),
            Some(Action::CompareExchange) => {
                match self.compare_exchange(item.entry, Entry(expected), Entry(new)) {
                    Ok(found) => found.0,
                    Err(found) => {
                        item.found = found.0;
                        return false;
                    }
                }
            }
            _ => self.load_physical(item.entry),
        };
        true
    }
}
