//! Numbers of things, each a type of its own. None is ever zero in memory, so an `Option` of one
//! takes four bytes.

use core::num::NonZeroU32;

use x86_64::PhysAddr;
use x86_64::structures::paging::PhysFrame;

/// Declares numbers that count from one.
macro_rules! numbers {
    ($($(#[$doc:meta])* $vis:vis $name:ident;)*) => {
        $(
            $(#[$doc])*
            #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
            $vis struct $name(NonZeroU32);

            impl $name {
                /// With this number, unless it is zero.
                #[inline]
                pub const fn new(number: u32) -> Option<Self> {
                    match NonZeroU32::new(number) {
                        Some(number) => Some(Self(number)),
                        None => None,
                    }
                }

                /// Its number, from 1.
                #[inline]
                pub const fn number(self) -> u32 {
                    self.0.get()
                }

                /// Where its record is.
                #[inline]
                pub(crate) const fn index(self) -> usize {
                    self.0.get() as usize
                }
            }
        )*
    };
}

numbers! {
    /// A page of the swap device. Slot 0 is not used, as the first page of a device often holds a
    /// header.
    pub Slot;
    /// A frame by its number, physical address / 4096. Frame 0 is never managed.
    pub(crate) FrameNumber;
    /// One word of the reverse map. Word 0 is not used: it is the end of a list.
    pub(crate) Node;
}

impl FrameNumber {
    /// Bits that the numbers of managed frames have at most: 512 GiB of memory.
    pub const BITS: u32 = 27;

    /// The lowest that can be managed.
    pub const FIRST: Self = Self(NonZeroU32::MIN);

    /// The number of a frame, if it is one that could be managed.
    #[inline]
    pub fn of(frame: PhysFrame) -> Option<Self> {
        Self::new(u32::try_from(frame.start_address().as_u64() >> 12).ok()?)
    }

    /// The frame with this number.
    #[inline]
    pub fn frame(self) -> PhysFrame {
        frame_at(self.number())
    }
}

/// The frame with this number.
#[inline]
pub(crate) fn frame_at(number: u32) -> PhysFrame {
    PhysFrame::containing_address(PhysAddr::new_truncate(u64::from(number) << 12))
}

/// A page that can belong to several spaces, by its index in [`crate::SharedPages`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share(NonZeroU32);

impl Share {
    /// The shared page with this index.
    ///
    /// # Panics
    /// If the index is the largest of all, for which there is no record.
    pub const fn new(index: u32) -> Self {
        match NonZeroU32::new(index.wrapping_add(1)) {
            Some(number) => Self(number),
            None => panic!("no such shared page"),
        }
    }

    /// Its index, from 0.
    pub const fn index(self) -> u32 {
        self.0.get() - 1
    }
}
