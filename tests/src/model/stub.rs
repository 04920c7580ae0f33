//! The stub below the model's CPUs: the real rules, over the model's memory.

use std::cell::{Cell, RefCell};

use foreign_access::Entry;
use loadphys_abi::batch::{Item, MOST_ITEMS};
use loadphys_abi::{Call, Kept, Status};
use loadphys_rules::{Operation, Tables, Wish};

use super::Model;
use super::gate::Given;
use super::typed::Guard;

/// Where the alias of physical address 0 lies, guest-physical.
pub const ALIAS_BASE: u64 = 1 << 39;

/// What the stub knows.
#[derive(Debug)]
pub struct Stub<'m> {
    pub(super) rules: Tables<'m>,
    /// What the typed rules need, when these are in force.
    pub(super) guard: Guard,
    /// The views in which the alias is.
    pub(super) alias_views: RefCell<Vec<usize>>,
    /// Whether CPUs forget an alias that is taken away; a broken twin leaves that out.
    pub(super) flushes: Cell<bool>,
    /// The views beside the usual one.
    pub(super) given: RefCell<Given>,
    /// How many of them were taken from one pair of roots for another.
    pub(super) recycled: Cell<u32>,
    /// Whether CPUs keep what they know of a view that shows something else now; a broken twin does that.
    pub(super) forgets_views: Cell<bool>,
}

impl<'m> Stub<'m> {
    pub fn new(rules: Tables<'m>) -> Self {
        Self {
            rules,
            guard: Guard::default(),
            alias_views: RefCell::new(vec![0]),
            flushes: Cell::new(true),
            given: RefCell::default(),
            recycled: Cell::default(),
            forgets_views: Cell::default(),
        }
    }
}

impl Model<'_> {
    /// VMCALL: status and answer.
    pub(super) fn vmcall(&self, call: u64, arguments: [u64; 3]) -> (u64, u64) {
        let done = match Call::from_number(call) {
            Some(call) => self.called(call, arguments),
            None => Err((Status::UnknownCall, 0)),
        };
        match done {
            Ok(answer) => (Status::Done.number(), answer),
            Err((status, answer)) => (status.number(), answer),
        }
    }

    fn called(&self, call: Call, [first, second, third]: [u64; 3]) -> Result<u64, (Status, u64)> {
        if self.is_typed() {
            return self.called_typed(call, [first, second, third]);
        }
        let refused = |status| (status, 0);
        let rules = &self.stub.rules;
        match (call, Wish::of_call(call, second, third)) {
            (_, Some(wish)) => self.operate(rules.operation(first, wish).map_err(refused)?),
            (Call::RegisterTable, _) => {
                let kept = Kept::from_number(third).ok_or(refused(Status::NoSuchKeeping))?;
                let table = rules.register(first, second).map_err(refused)?;
                self.show_alias(table, kept);
                Ok(0)
            }
            (Call::ReleaseTable, _) => {
                self.hide_alias(rules.release(first).map_err(refused)?);
                self.unbind(first);
                Ok(0)
            }
            (Call::SetGate, _) => self.set_gate(first).map_err(refused),
            (Call::BindView, _) => self.bind_view(first, second).map_err(refused),
            _ => Err(refused(Status::UnknownCall)),
        }
    }

    /// The batch call: status and how many were done.
    pub(super) fn vmcall_batch(&self, items: &mut [Item]) -> (u64, u64) {
        if items.len() > MOST_ITEMS {
            return (Status::TooMany.number(), 0);
        }
        for (done, item) in items.iter_mut().enumerate() {
            match self.do_item(item) {
                Ok(found) => item.found = found,
                Err((status, found)) => {
                    item.found = found;
                    return (status.number(), done as u64);
                }
            }
        }
        (Status::Done.number(), items.len() as u64)
    }

    fn do_item(&self, item: &Item) -> Result<u64, (Status, u64)> {
        let refused = |status| (status, item.found);
        if self.is_typed() {
            return self.operate_typed(item.entry, Wish::of_item(item).map_err(refused)?);
        }
        self.operate(self.stub.rules.item(item).map_err(refused)?)
    }

    /// Does what is allowed; gives back what was there.
    fn operate(&self, operation: Operation) -> Result<u64, (Status, u64)> {
        let address = operation.entry().address();
        match operation.wish() {
            Wish::Load => Ok(self.change_host(address, |word| word)),
            Wish::Exchange(new) => Ok(self.change_host(address, |_| new)),
            Wish::CompareExchange { expected, new } => self
                .compare_exchange(address, Entry(expected), Entry(new))
                .map(|found| found.0)
                .map_err(|found| (Status::Differs, found.0)),
        }
    }

    /// Stores at a host address if what is expected is there.
    pub(super) fn compare_exchange(
        &self,
        address: u64,
        expected: Entry,
        new: Entry,
    ) -> Result<Entry, Entry> {
        let swap = |word| if word == expected.0 { new.0 } else { word };
        let found = Entry(self.change_host(address, swap));
        if found == expected { Ok(found) } else { Err(found) }
    }
}
