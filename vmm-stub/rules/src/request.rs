//! Calls as they are asked for: the registers of a call, decoded. Nothing has been checked against the state of a frame.

use loadphys_abi::batch::{Item, MOST_ITEMS};
use loadphys_abi::{Call, Kept, Status};

use crate::allowed::MemoryAt;
use crate::operation::Wish;
use crate::tables::Tables;
use crate::typed::Typed;

/// What a guest asks for, with the addresses as it gave them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Request {
    /// Something with one entry.
    One {
        /// Physical address of the entry.
        address: u64,
        /// What.
        wish: Wish,
    },
    /// The items of an array.
    Batch {
        /// Where it begins.
        address: u64,
        /// How many there are: at most [`MOST_ITEMS`].
        count: u64,
    },
    /// A frame is to become a table.
    Register {
        /// Physical address of the frame.
        frame: u64,
        /// The number of its level; the rules know which there are.
        level: u64,
        /// How the guest will keep it.
        kept: Kept,
    },
    /// A table is to become plain memory.
    Release {
        /// Physical address of the frame.
        frame: u64,
    },
    /// The counters are to be copied.
    Counters {
        /// Where to.
        address: u64,
    },
    /// The entry that maps a page is to be emptied.
    Unmap {
        /// Physical address of the root.
        root: u64,
        /// Address of the page.
        page: u64,
        /// Physical address of the frame that it must map.
        frame: u64,
    },
    /// A frame is to become the gate.
    SetGate {
        /// Physical address of the frame.
        frame: u64,
    },
    /// One root is to stand in the place of another.
    BindView {
        /// Physical address of the root that CR3 will name.
        own: u64,
        /// Physical address of the root that takes its place.
        target: u64,
    },
}

impl Request {
    /// What a call asks for with these three arguments.
    ///
    /// # Errors
    /// [`Status::TooMany`] and [`Status::NoSuchKeeping`]: what the arguments alone show. All else is for the rules to say.
    #[inline]
    pub fn of_call(call: Call, [first, second, third]: [u64; 3]) -> Result<Self, Status> {
        let one = |wish| Self::One { address: first, wish };
        Ok(match call {
            Call::Load => one(Wish::Load),
            Call::Exchange => one(Wish::Exchange(second)),
            Call::CompareExchange => one(Wish::CompareExchange { expected: second, new: third }),
            Call::Batch if second > MOST_ITEMS as u64 => return Err(Status::TooMany),
            Call::Batch => Self::Batch { address: first, count: second },
            Call::RegisterTable => {
                let kept = Kept::from_number(third).ok_or(Status::NoSuchKeeping)?;
                Self::Register { frame: first, level: second, kept }
            }
            Call::ReleaseTable => Self::Release { frame: first },
            Call::Counters => Self::Counters { address: first },
            Call::Unmap => Self::Unmap { root: first, page: second, frame: third },
            Call::SetGate => Self::SetGate { frame: first },
            Call::BindView => Self::BindView { own: first, target: second },
        })
    }
}

impl Tables<'_> {
    /// Where the items of a batch are, if all of them lie in plain memory of the guest. Of more than [`MOST_ITEMS`] there is no
    /// request.
    ///
    /// # Errors
    /// As [`Tables::memory`].
    pub fn array(&self, address: u64, count: u64) -> Result<MemoryAt, Status> {
        self.memory(address, bytes_of(count))
    }
}

impl Typed<'_> {
    /// As [`Tables::array`].
    ///
    /// # Errors
    /// As [`Typed::memory`].
    pub fn array(&self, address: u64, count: u64) -> Result<MemoryAt, Status> {
        self.memory(address, bytes_of(count))
    }
}

const fn bytes_of(items: u64) -> u64 {
    items.saturating_mul(size_of::<Item>() as u64)
}
