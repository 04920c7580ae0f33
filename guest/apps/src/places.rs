//! Where a program's memory lies. All of it is in the lower half, and the last page below the
//! non-canonical range stays empty: SYSRET must not be left with RIP there.

/// Bytes in a page.
pub const PAGE: u64 = 4096;

/// Where the programs' common code is linked.
pub const CODE: u64 = 0x40_0000;

/// Where a program's own pages begin.
pub const PRIVATE: u64 = 0x1000_0000_0000;

/// Where the shared segment begins.
pub const SHARED: u64 = 0x2000_0000_0000;

/// The first byte above the stack.
pub const STACK_TOP: u64 = 0x7000_0000_0000;

/// Pages of the stack; below it nothing is mapped.
pub const STACK_PAGES: u64 = 4;

/// Nothing is ever mapped here.
pub const UNMAPPED: u64 = 0x5000_0000_0000;
