//! What a space says when something is in the way, and what it leaves behind.
#![expect(unsafe_code, reason = "edits tables in this program's memory")]

mod clean_up;
mod fixture;
mod pages;
mod paging;
mod tables;
