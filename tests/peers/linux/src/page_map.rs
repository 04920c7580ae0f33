//! Entries of `/proc/PID/pagemap` (Linux's `Documentation/admin-guide/mm/pagemap.rst`).

/// The page is in memory.
const PRESENT: u64 = 1 << 63;
/// The page is in swap.
const SWAPPED: u64 = 1 << 62;

/// Bytes of an entry.
pub const ENTRY_BYTES: usize = 8;

/// Whether an entry is that of a page in swap.
pub const fn is_swapped(entry: u64) -> bool {
    entry & (PRESENT | SWAPPED) == SWAPPED
}

#[cfg(test)]
mod tests {
    use super::is_swapped;

    #[test]
    fn a_page_is_in_swap_or_in_memory_or_nowhere() {
        assert!(is_swapped(1 << 62 | 0x1234 << 5));
        assert!(!is_swapped(1 << 63 | 0x1234));
        assert!(!is_swapped(0));
    }
}
