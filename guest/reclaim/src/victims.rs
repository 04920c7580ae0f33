//! The choice of victims: which pages go when memory is short.
//!
//! [`choose`] is what kernels use. It resists scans: a page that is touched once, or read in passing by a program that
//! reads everything, goes before one that is touched again and again. [`Clock`] knows nothing of touches; it is for
//! comparison, and for tests in which the choice must not depend on what the processor does with Accessed.
//!
//! # How it chooses
//! A page is on *trial* or *kept*. Both kinds lie in the same frame table, and each has a hand that passes over it and sees
//! its own kind only, so no list is needed: all of it costs two bits of a page's record. While more than a tenth of the
//! pages are on trial the victim comes from there, else from the kept ones.
//! ```text
//!               first seen: what was noted so far does not count
//! brought in -> on trial -- touched since --> kept -- touched since the hand passed last --> kept
//!     ^             \                          |  \
//!     |              not touched -> victim     |   not touched -> victim
//!     |                                        |
//!     +-- it went not long ago (the slot knows): kept at once
//! ```
//! - The access that brings a page in sets Accessed, which would make every page look wanted. So what is noted the first
//!   time does not count; the pages of the last batch are looked at once more when the next one is chosen.
//! - A slot whose page is in no frame remembers when it went ([`crate::SwapMap`]); a page that comes back before as many
//!   others went as half of the pages in memory is kept at once.
//! - The hand of the trial passes ten pages for each of its own on the average, since it moves only while a tenth is on
//!   trial: what a victim costs does not grow with memory.
//! - Of a page with many sharers sixty-four are looked at, and the next time the next ones. So the work is bounded; a page of
//!   thousands that only a few use may go.
//!
//! # Accessed
//! `gather` clears Accessed in the entries of several pages at a time, through whatever method there is, and
//! notes who was touched. No TLB is flushed. A page whose translation is still in a TLB is therefore not seen as touched
//! again until that is gone, and may be chosen though it is in use: it costs a fault, never a page. Linux does the same on
//! x86, for the same reason: a flush for each look would cost more than the few wrong victims. Emulators are no
//! different (QEMU's TCG keeps translations of its own until CR3 is loaded), only that their TLBs are larger.
//!
//! # Figures
//! `cargo run --release -p loadphys-tests --bin hit_rates` prints them; they stand in `guest/reclaim/VICTIMS.md`.

mod clock;
mod gather;
mod two_hands;

pub use clock::Clock;
pub(crate) use two_hands::Hands;
pub use two_hands::choose;
