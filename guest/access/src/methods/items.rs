//! Operations laid out as items of a batch, for whoever knows nothing of spaces.

use loadphys_abi::batch::{Action as Verb, Item};

use crate::entry::Entry;
use crate::operation::{Action, Operation};

/// An operation as an item.
pub fn laid_out(operation: &Operation) -> Item {
    let (verb, expected, new) = match operation.action {
        Action::Load => (Verb::Load, Entry::EMPTY, Entry::EMPTY),
        Action::Exchange(new) => (Verb::Exchange, Entry::EMPTY, new),
        Action::CompareExchange { expected, new } => (Verb::CompareExchange, expected, new),
    };
    Item {
        entry: operation.name.physical(),
        action: verb.number(),
        found: expected.0,
        value: new.0,
    }
}
