//! A CPU that has turned paging off.

use foreign_access::Entry;
use loadphys_abi::batch::{Action, Item};

use super::walker::frame_at;
use super::{Kind, Model, Violation};

impl Model<'_> {
    /// Does items on physical memory up to the first that differs; says how many were done. The view holds
    /// without paging too.
    pub(super) fn without_paging(&self, cpu: usize, items: &mut [Item]) -> usize {
        items.iter_mut().position(|item| !self.physical(cpu, item)).unwrap_or(items.len())
    }

    /// Does one item, unless it differs.
    fn physical(&self, cpu: usize, item: &mut Item) -> bool {
        if item.entry >= 1 << 32 {
            self.report(Violation::OutsideMemory(item.entry));
            return false;
        }
        let action = Action::from_number(item.action);
        let kind = if action == Some(Action::Load) { Kind::Load } else { Kind::Store };
        let Some(host) = self.arrive_unpaged(cpu, item.entry, kind) else { return false };
        if !self.memory.is_table(frame_at(host)) {
            self.report(Violation::NotAnEntry(frame_at(host)));
        }
        let (expected, new) = (Entry(item.found), item.value);
        let done = match action {
            Some(Action::Exchange) => Ok(Entry(self.change_host(host, |_| new))),
            Some(Action::CompareExchange) => self.compare_exchange(host, expected, Entry(new)),
            _ => Ok(Entry(self.change_host(host, |word| word))),
        };
        let (Ok(found) | Err(found)) = done;
        item.found = found.0;
        done.is_ok()
    }
}
