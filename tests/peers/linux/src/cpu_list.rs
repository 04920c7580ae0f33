//! Lists of CPUs as Linux writes them: `0-3,8` (`Documentation/admin-guide/cputopology.rst`).

/// The numbers in a list, in its order; what is no number ends it.
pub fn numbers(list: &str) -> impl Iterator<Item = u32> + '_ {
    list.trim().split(',').map_while(range).flatten()
}

fn range(text: &str) -> Option<core::ops::RangeInclusive<u32>> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    Some(first.parse().ok()?..=last.parse().ok()?)
}

#[cfg(test)]
mod tests {
    use super::numbers;

    #[test]
    fn ranges_and_numbers_are_read() {
        let read = |list| numbers(list).collect::<Vec<_>>();
        assert_eq!(read("0\n"), [0]);
        assert_eq!(read("0-1\n"), [0, 1]);
        assert_eq!(read("0-2,8,10-11"), [0, 1, 2, 8, 10, 11]);
        assert_eq!(read("\n"), []);
    }
}
