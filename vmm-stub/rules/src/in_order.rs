//! The items of a batch, one after the other.

use loadphys_abi::Status;
use loadphys_abi::batch::Item;

use crate::entries::Found;
use crate::twin::{Twin, is_broken};

/// Does the items in order, up to the first that is refused or finds something else than it expects. What is found goes to
/// `tell`, with the item's place. Says how it ended, and how many were done.
#[inline]
pub fn in_order(
    items: &[Item],
    mut perform: impl FnMut(&Item) -> Result<Found, Status>,
    mut tell: impl FnMut(usize, u64),
) -> (Status, u64) {
    let mut done = 0;
    for (place, item) in items.iter().enumerate() {
        let found = match perform(item) {
            Ok(found) => found,
            Err(_) if is_broken(Twin::BatchesGoOn) => continue,
            Err(status) => return (status, done),
        };
        tell(place, found.entry);
        if found.differs {
            return (Status::Differs, done);
        }
        done += 1;
    }
    (Status::Done, done)
}
