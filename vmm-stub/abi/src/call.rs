//! The calls and what comes back.

/// Declares an open numbering: named numbers, and `from_number` that answers `None` for others.
macro_rules! numbered {
    ($(#[$meta:meta])* $name:ident: $repr:ty { $($(#[$doc:meta])* $variant:ident = $number:literal,)* }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[repr($repr)]
        pub enum $name { $($(#[$doc])* $variant = $number,)* }

        impl $name {
            /// Every member, in order of number.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The member with this number, if there is one.
            pub const fn from_number(number: $repr) -> Option<Self> {
                match number { $($number => Some(Self::$variant),)* _ => None }
            }

            /// The number that goes over the wire.
            pub const fn number(self) -> $repr {
                self as $repr
            }
        }
    };
}
pub(crate) use numbered;

numbered! {
    /// What a guest can ask for; the number goes in RAX.
    Call: u64 {
        /// Load one entry. RDI: physical address of the entry. Answer: the entry.
        Load = 1,
        /// Exchange one entry atomically. RDI: its physical address; RSI: the new entry.
        /// Answer: what was there.
        Exchange = 2,
        /// Store one entry atomically if it holds what is expected. RDI: its physical address;
        /// RSI: the expected entry; RDX: the new one. Answer: what was there, also on
        /// [`Status::Differs`].
        CompareExchange = 3,
        /// Do an array of [`crate::batch::Item`]. RDI: its guest-physical address, 8-byte aligned; RSI: how
        /// many items, at most [`crate::batch::MOST_ITEMS`]. Answer: how many were done. The array is read
        /// once before anything is checked; work stops at the first item that is refused.
        Batch = 4,
        /// From now on this frame is a table. RDI: its physical address; RSI: its level, 1 to 5.
        RegisterTable = 5,
        /// From now on this frame is a table no more, and the alias shows it no more. RDI: its
        /// physical address.
        ReleaseTable = 6,
        /// Copy the [`crate::counters::Counters`] to memory. RDI: guest-physical address, 8-byte
        /// aligned. The copy counts the exit of this very call.
        Counters = 7,
    }
}

numbered! {
    /// How a call ended; the code is found in RAX.
    Status: u64 {
        /// It was done.
        Done = 0,
        /// No such call.
        UnknownCall = 1,
        /// The caller was not in ring 0, or not in 64-bit mode.
        NotPrivileged = 2,
        /// The address is not aligned as the call wants it.
        Unaligned = 3,
        /// The address, or the end of what begins there, lies outside the guest's memory.
        OutsideMemory = 4,
        /// The frame is not registered as a table.
        NotATable = 5,
        /// The frame is registered already.
        AlreadyATable = 6,
        /// No table has such a level.
        NoSuchLevel = 7,
        /// A batch item asks for an action that does not exist.
        UnknownAction = 8,
        /// More items than [`crate::batch::MOST_ITEMS`].
        TooMany = 9,
        /// The entry did not hold what was expected; nothing was stored.
        Differs = 10,
    }
}

#[cfg(test)]
mod tests {
    use super::{Call, Status};

    #[test]
    fn numbers_lead_back_to_their_members() {
        for call in Call::ALL {
            assert_eq!(Call::from_number(call.number()), Some(*call));
        }
        for status in Status::ALL {
            assert_eq!(Status::from_number(status.number()), Some(*status));
        }
    }

    #[test]
    fn unknown_numbers_have_no_member() {
        let beyond = Call::ALL.len() as u64 + 1;
        assert_eq!([0, beyond, u64::MAX].map(Call::from_number), [None; 3]);
        assert_eq!(Status::from_number(Status::ALL.len() as u64), None);
    }
}
