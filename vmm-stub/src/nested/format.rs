//! The two formats of nested tables.

use core::ops::Range;

use crate::mtrr::{MemoryType, Mtrrs};
use crate::nested::{ept, npt};

/// How entries are written down. Rights are told as EPT has them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// VT-x.
    Ept,
    /// SVM.
    Npt,
}

impl Format {
    /// An entry for a page.
    pub const fn page(self, address: u64, level: u8, kind: MemoryType, rights: u64) -> u64 {
        match self {
            Self::Ept => ept::page(address, level, kind, rights),
            Self::Npt => npt::page(address, level, rights),
        }
    }

    /// An entry for a table.
    pub const fn table(self, address: u64, rights: u64) -> u64 {
        match self {
            Self::Ept => ept::table(address, rights),
            Self::Npt => npt::table(address, rights),
        }
    }

    /// The type of a page, where entries have to say it; `None` if it is of several and must be smaller.
    pub fn kind(self, mtrrs: &Mtrrs, page: &Range<u64>) -> Option<MemoryType> {
        match self {
            Self::Ept => mtrrs.kind(page),
            Self::Npt => Some(MemoryType::WriteBack),
        }
    }
}
