//! Operations on one entry: as they are wished for, and as they were allowed.

use loadphys_abi::batch::{Action, Item};
use loadphys_abi::{Call, Status};

use crate::allowed::EntryAt;
use crate::entries::{Entries, Found};
use crate::request::Request;
use crate::tables::Tables;

/// What a guest wishes to do with an entry; nothing has been checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wish {
    /// Load it.
    Load,
    /// Exchange it for this.
    Exchange(u64),
    /// Store if it holds what is expected.
    CompareExchange {
        /// What must be there.
        expected: u64,
        /// What to store then.
        new: u64,
    },
}

impl Wish {
    /// What an item of a batch wishes for.
    ///
    /// # Errors
    /// [`Status::UnknownAction`].
    #[inline]
    pub fn of_item(item: &Item) -> Result<Self, Status> {
        let action = Action::from_number(item.action).ok_or(Status::UnknownAction)?;
        Ok(match action {
            Action::Load => Self::Load,
            Action::Exchange => Self::Exchange(item.value),
            Action::CompareExchange => {
                Self::CompareExchange { expected: item.found, new: item.value }
            }
        })
    }

    /// What a call for one entry wishes for, given its second and third argument; `None` for the
    /// calls that are about something else.
    pub fn of_call(call: Call, second: u64, third: u64) -> Option<Self> {
        match Request::of_call(call, [0, second, third]) {
            Ok(Request::One { wish, .. }) => Some(wish),
            _ => None,
        }
    }
}

/// An operation that the rules allow. Only [`Tables::operation`] makes one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Operation {
    entry: EntryAt,
    wish: Wish,
}

impl Operation {
    /// The entry it is for.
    pub const fn entry(self) -> EntryAt {
        self.entry
    }

    /// What is to be done with it.
    pub const fn wish(self) -> Wish {
        self.wish
    }
}

impl Tables<'_> {
    /// Whether this may be done with the entry at this physical address.
    ///
    /// # Errors
    /// As [`Tables::entry`]; `tables` has nothing against any value.
    #[inline]
    pub fn operation(&self, address: u64, wish: Wish) -> Result<Operation, Status> {
        Ok(Operation { entry: self.entry(address)?, wish })
    }

    /// Does this to the entry at this physical address.
    ///
    /// # Errors
    /// As [`Tables::entry`].
    #[inline]
    pub fn perform(
        &self,
        address: u64,
        wish: Wish,
        memory: &impl Entries,
    ) -> Result<Found, Status> {
        Ok(self.operation(address, wish)?.perform(memory))
    }

    /// Whether this item of a batch may be done. The item is a copy that the guest cannot reach.
    ///
    /// # Errors
    /// [`Status::UnknownAction`], then as [`Tables::operation`].
    #[inline]
    pub fn item(&self, item: &Item) -> Result<Operation, Status> {
        self.operation(item.entry, Wish::of_item(item)?)
    }
}
