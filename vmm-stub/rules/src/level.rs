//! Levels of tables.

use loadphys_abi::Status;

/// The level of a table: 1 for those whose entries map 4 KiB pages, 5 for the root of five-level paging.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Level(u8);

impl Level {
    /// The level of the topmost table there can be.
    pub const HIGHEST: u8 = 5;

    /// The level of tables whose entries map pages.
    pub const LOWEST: Self = Self(1);

    /// The level with this number.
    ///
    /// # Errors
    /// [`Status::NoSuchLevel`] unless it is 1 to [`Level::HIGHEST`].
    pub const fn new(number: u64) -> Result<Self, Status> {
        match number {
            1..=5 => Ok(Self(number as u8)),
            _ => Err(Status::NoSuchLevel),
        }
    }

    /// The level with this number, which is that of one.
    #[inline]
    pub(crate) const fn known(number: u8) -> Self {
        Self(number)
    }

    /// Its number.
    #[inline]
    pub const fn number(self) -> u8 {
        self.0
    }

    /// The level of the tables that its entries lead to; `None` for level 1, whose entries map pages.
    #[inline]
    pub const fn below(self) -> Option<Self> {
        match self.0 {
            1 => None,
            number => Some(Self(number - 1)),
        }
    }
}

const _: () = assert!(Level::HIGHEST == 5, "the range above names it");
