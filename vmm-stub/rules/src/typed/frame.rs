//! What a frame is, and how many entries rely on it: one word for each frame.
//!
//! ```text
//! 31    28 27     25 24                    0
//! |  what |  level  |         count         |
//! ```

use core::fmt;

use loadphys_abi::Status;

use crate::level::Level;

/// What a frame is. It is one of these and no other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// No memory of the guest: the stub's, a device's, or nothing at all.
    Outside,
    /// Memory. Its count: entries of checked tables that map it writable.
    Plain,
    /// Read-only for the guest already, but CPUs may not know yet: neither memory nor a table.
    Becoming(Level),
    /// A checked table. Its count: entries that lead to it.
    Table(Level),
    /// A table that the guest writes itself. Its count: entries of checked tables that lead to it.
    Open(Level),
}

/// The state of a frame. All zeroes: [`Kind::Outside`].
#[derive(Clone, Copy, Default, PartialEq, Eq)]
#[repr(transparent)]
pub struct Frame(u32);

const WHAT_SHIFT: u32 = 28;
const LEVEL_SHIFT: u32 = 25;
/// The most that is counted. Who gets there has gigabytes of tables, and is refused more.
const MOST: u32 = (1 << LEVEL_SHIFT) - 1;

const PLAIN: u32 = 1;
const BECOMING: u32 = 2;
const TABLE: u32 = 3;
const OPEN: u32 = 4;

const _: () = assert!(Level::HIGHEST < 1 << (WHAT_SHIFT - LEVEL_SHIFT));

impl Frame {
    /// A frame that nothing relies on.
    #[inline]
    pub const fn new(kind: Kind) -> Self {
        match kind {
            Kind::Outside => Self(0),
            Kind::Plain => Self(PLAIN << WHAT_SHIFT),
            Kind::Becoming(level) => Self::of_level(BECOMING, level),
            Kind::Table(level) => Self::of_level(TABLE, level),
            Kind::Open(level) => Self::of_level(OPEN, level),
        }
    }

    #[inline]
    const fn of_level(what: u32, level: Level) -> Self {
        Self(what << WHAT_SHIFT | (level.number() as u32) << LEVEL_SHIFT)
    }

    /// What it is.
    pub const fn kind(self) -> Kind {
        let level = Level::new((self.0 >> LEVEL_SHIFT & 0b111) as u64);
        match (self.0 >> WHAT_SHIFT, level) {
            (PLAIN, _) => Kind::Plain,
            (BECOMING, Ok(level)) => Kind::Becoming(level),
            (TABLE, Ok(level)) => Kind::Table(level),
            (OPEN, Ok(level)) => Kind::Open(level),
            _ => Kind::Outside,
        }
    }

    /// How many entries rely on it being that.
    #[inline]
    pub const fn count(self) -> u32 {
        self.0 & MOST
    }

    /// The level of the checked table that it is, if it is one.
    #[inline]
    pub(super) const fn table(self) -> Option<Level> {
        let level = (self.0 >> LEVEL_SHIFT & 0b111) as u8;
        if self.0 >> WHAT_SHIFT == TABLE { Some(Level::known(level)) } else { None }
    }

    /// Whether it is this, whatever its count.
    #[inline]
    pub(super) const fn is(self, kind: Kind) -> bool {
        self.0 & !MOST == Self::new(kind).0
    }

    /// One more entry relies on it.
    ///
    /// # Errors
    /// [`Status::InUse`]: more than can be counted.
    #[inline]
    pub(super) const fn raised(self) -> Result<Self, Status> {
        if self.count() == MOST { Err(Status::InUse) } else { Ok(Self(self.0 + 1)) }
    }

    /// One entry less relies on it. Below zero it never comes; if it did, it would not become something else.
    #[inline]
    pub(super) const fn lowered(self) -> Self {
        Self(self.0 - (self.count() != 0) as u32)
    }
}

impl fmt::Debug for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}*{}", self.kind(), self.count())
    }
}

#[cfg(test)]
mod tests {
    use super::{Frame, Kind, MOST};
    use crate::level::Level;
    use loadphys_abi::Status;

    #[test]
    fn a_frame_leads_back_to_its_kind_whatever_its_count() {
        let levels = (1..=5).map(|number| Level::new(number).unwrap());
        let leveled = levels.flat_map(|l| [Kind::Becoming(l), Kind::Table(l), Kind::Open(l)]);
        for kind in leveled.chain([Kind::Outside, Kind::Plain]) {
            let once = Frame::new(kind).raised().unwrap();
            assert_eq!((once.kind(), once.count()), (kind, 1));
            assert!(once.is(kind) && once.lowered() == Frame::new(kind));
            let level = if let Kind::Table(level) = kind { Some(level) } else { None };
            assert_eq!(once.table(), level);
            assert_eq!(Frame::new(kind).lowered(), Frame::new(kind), "never below zero");
        }
        assert_eq!(Frame::default().kind(), Kind::Outside);
        assert_eq!(format!("{:?}", Frame::default()), "Outside*0");
    }

    #[test]
    fn a_count_ends_before_it_runs_over() {
        let full = Frame(Frame::new(Kind::Plain).0 + MOST);
        assert_eq!((full.kind(), full.count()), (Kind::Plain, MOST));
        assert_eq!(full.raised(), Err(Status::InUse));
    }
}
