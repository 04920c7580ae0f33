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
        /// From now on this frame is a table. RDI: its physical address; RSI: its level, 1 to 5; RDX: the number of how it is
        /// [`Kept`].
        RegisterTable = 5,
        /// From now on this frame is a table no more, and the alias shows it no more. RDI: its
        /// physical address.
        ReleaseTable = 6,
        /// Copy the [`crate::counters::Counters`] to memory. RDI: guest-physical address, 8-byte
        /// aligned. The copy counts the exit of this very call.
        Counters = 7,
        /// Empty the entry that maps a 4 KiB page, if it maps the frame that is expected: the stub walks from the root. RDI:
        /// physical address of the root; RSI: address of the page; RDX: physical address of the frame. Answer: the entry
        /// that was there, also on [`Status::Differs`].
        Unmap = 8,
        /// From now on this frame is the gate: the only one that can be executed in the views that VMFUNC switches to, and
        /// one that nobody can write to. Once for all. RDI: its physical address, in the image as the stub has loaded it.
        SetGate = 9,
        /// A view in which one root stands in the place of another: as soon as VMFUNC has chosen it, translations go by the
        /// tables of the second, though CR3 still names the first. RDI: physical address of the root that CR3 will name; RSI:
        /// that of the root in whose place it is to stand. Both are registered roots. Answer: the number of the view, good until one
        /// of the two is released or as many others have been asked for as there are views.
        BindView = 10,
    }
}

numbered! {
    /// How the guest keeps a table: how it will load and store its entries, beside calls.
    Kept: u64 {
        /// By calls alone; the alias never shows it.
        Calls = 0,
        /// The alias shows it in the usual view: read-only where [`crate::discovery::RuleSet`] is a typed one.
        Alias = 1,
        /// The alias shows it in the gate view only.
        Gate = 2,
        /// The guest stores what it likes, and calls do not touch it: a table of the kernel's own half. Entries may lead
        /// to it that are for the supervisor only. With typed rules alone.
        Open = 3,
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
        /// The frame cannot become what it is to be, or cease to be what it is, while entries lead to it.
        InUse = 11,
        /// The entry would lead to a frame that is no table of the next level, or the walk came to such an entry.
        WrongLevel = 12,
        /// The entry has a bit set that none may have.
        BadFlags = 13,
        /// The entry would map a large page, and checked tables map none.
        LargePage = 14,
        /// The entry would map a table writable.
        MapsTable = 15,
        /// The entry is not present, but names memory in bits 51:12, which a processor may follow ahead of the check.
        NamesMemory = 16,
        /// The entry would leave Accessed or Dirty for the walker to set.
        NotPreset = 17,
        /// The stub does not offer this on this machine, or not with these rules.
        NotOffered = 18,
        /// There is a gate already.
        GateIsSet = 19,
        /// The page is not mapped.
        NotMapped = 20,
        /// No table can be kept in such a way.
        NoSuchKeeping = 21,
    }
}

#[cfg(test)]
mod tests {
    use super::{Call, Kept, Status};

    #[test]
    fn numbers_lead_back_to_their_members() {
        for call in Call::ALL {
            assert_eq!(Call::from_number(call.number()), Some(*call));
        }
        for status in Status::ALL {
            assert_eq!(Status::from_number(status.number()), Some(*status));
        }
        for kept in Kept::ALL {
            assert_eq!(Kept::from_number(kept.number()), Some(*kept));
        }
    }

    #[test]
    fn unknown_numbers_have_no_member() {
        let beyond = Call::ALL.len() as u64 + 1;
        assert_eq!([0, beyond, u64::MAX].map(Call::from_number), [None; 3]);
        assert_eq!(Status::from_number(Status::ALL.len() as u64), None);
    }
}
