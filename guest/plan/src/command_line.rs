//! The guest's command line: words `key=value`, separated by spaces.
//!
//! ```text
//! plan=compare methods=recursive,alias sharers=1,2,4,8 batch=1,32 pages=256 seed=7 exit=acpi
//! ```
//!
//! | key | value | without it |
//! |---|---|---|
//! | `plan` | a [`PlanName`] | `compare` |
//! | `methods` | `auto`, `all`, or a list of [`MethodName`] | `auto` |
//! | `sharers` | a list of numbers from 1 to 4096 | `1,2,4,8` |
//! | `batch` | a list of numbers from 1 to 512 | `1,32` |
//! | `pages` | a number from 1 | `256` |
//! | `rounds` | a number from 1 | `1` |
//! | `seed` | a number | `1` |
//! | `check` | `on` or `off` | `on` |
//! | `conformance` | `on` or `off` | `on` |
//! | `exit` | an [`Exit`] | `acpi` |
//! | `swap-pages` | a number; 0 is as many as are needed | `0` |
//! | `swap` | a [`Swap`] | `ram` |
//! | `swap-timeout` | seconds from 1, for which a disk may be silent | `10` |
//! | `cpus` | a number from 1 to 64 | `1` |
//! | `spaces` | a number from 0 to 4096; 0 is as many as there are sharers | `0` |
//! | `range` | `auto`, or a [`MemoryRange`] such as `0x100000-0x200000` | `auto` |
//! | `rules` | the [`Rules`] of the stub below | `tables` |
//! | `nested-page` | the [`NestedPage`] of the stub below | `auto` |
//!
//! Whatever is not understood is an error, never passed over: a row measured under other
//! circumstances than those asked for is worse than none.

mod list;
mod mistake;
mod names;
mod plan;
mod range;

pub use list::{List, MOST};
pub use mistake::{Mistake, Problem};
pub use names::{AttackName, Check, Exit, MethodName, Methods, NestedPage, PlanName, Rules, Swap};
pub use plan::Plan;
pub use range::MemoryRange;
