//! Ranges of physical memory: which are free, and which is a good place for something.

use core::ops::Range;

use heapless::Vec;
use loadphys_abi::FRAME_BYTES;
use loadphys_boot::handoff::{MOST_REGIONS, Region};

/// A memory map: what the stub found, cut once more by its own range.
pub type MemoryMap = Vec<Region, { MOST_REGIONS + 8 }>;

/// The memory map has more ranges than there is room for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooManyRegions;

/// Whether two ranges have a byte in common.
pub const fn overlap(a: &Range<u64>, b: &Range<u64>) -> bool {
    a.start < b.end && b.start < a.end && a.start < a.end && b.start < b.end
}

/// Whether all of a range is usable memory. Regions that touch count as one.
pub fn usable(map: &[Region], range: &Range<u64>) -> bool {
    let mut from = range.start;
    while from < range.end {
        let next = map.iter().find(|r| r.usable && r.start <= from && from < r.end);
        match next {
            Some(region) => from = region.end,
            None => return false,
        }
    }
    !map.iter().any(|r| !r.usable && overlap(&(r.start..r.end), range))
}

/// Where memory ends.
pub fn top(map: &[Region]) -> u64 {
    map.iter().filter(|r| r.usable).map(|r| r.end).max().unwrap_or(0)
}

/// The map with this range marked as not usable.
///
/// # Errors
/// [`TooManyRegions`].
pub fn reserve(map: &[Region], taken: &Range<u64>) -> Result<MemoryMap, TooManyRegions> {
    let mut left = MemoryMap::new();
    let mut add = |start: u64, end: u64, usable| {
        if start < end {
            let region = Region { start, end, usable };
            left.push(region).map_err(|_| TooManyRegions)?;
        }
        Ok(())
    };
    for region in map {
        if region.usable && overlap(&(region.start..region.end), taken) {
            add(region.start, taken.start.min(region.end), true)?;
            add(taken.end.max(region.start), region.end, true)?;
        } else {
            add(region.start, region.end, region.usable)?;
        }
    }
    add(taken.start, taken.end, false)?;
    left.sort_unstable_by_key(|region| region.start);
    Ok(left)
}

/// The highest whole frames below `below` that are usable and overlap none of the obstacles.
pub fn highest_free(
    map: &[Region],
    below: u64,
    bytes: u64,
    obstacles: &[Range<u64>],
) -> Option<Range<u64>> {
    let bytes = bytes.next_multiple_of(FRAME_BYTES);
    let starts_at = |end: u64| (end & !(FRAME_BYTES - 1)).checked_sub(bytes);
    // The best place ends where something begins: the limit, a region's end, an obstacle.
    let ends =
        map.iter().filter(|r| r.usable).map(|r| r.end).chain(obstacles.iter().map(|o| o.start));
    ends.chain([below])
        .filter(|end| *end <= below)
        .filter_map(starts_at)
        .map(|start| start..start + bytes)
        .filter(|place| usable(map, place) && !obstacles.iter().any(|o| overlap(o, place)))
        .max_by_key(|place| place.start)
}

#[cfg(test)]
mod tests {
    use super::{highest_free, overlap, reserve, top, usable};
    use loadphys_boot::handoff::Region;

    const fn region(start: u64, end: u64, usable: bool) -> Region {
        Region { start, end, usable }
    }

    const MAP: [Region; 4] = [
        region(0, 0x9_f000, true),
        region(0x9_f000, 0xa_0000, false),
        region(0x10_0000, 0x800_0000, true),
        region(0x800_0000, 0x900_0000, true),
    ];

    #[test]
    fn ranges_that_touch_do_not_overlap() {
        assert!(overlap(&(0..2), &(1..3)));
        assert!(!overlap(&(0..2), &(2..3)));
        let (inside, empty) = (0..4, 2..2);
        assert!(!overlap(&inside, &empty));
    }

    #[test]
    fn usable_memory_may_span_regions_but_no_gap() {
        assert!(usable(&MAP, &(0x7ff_f000..0x800_1000)));
        assert!(!usable(&MAP, &(0x9_e000..0x9_f001)));
        assert!(!usable(&MAP, &(0xf_f000..0x10_1000)));
        assert_eq!(top(&MAP), 0x900_0000);
    }

    #[test]
    fn a_reserved_range_is_cut_out() {
        let map = reserve(&MAP, &(0x7f0_0000..0x810_0000)).unwrap();
        assert_eq!(
            &map[2..],
            [
                region(0x10_0000, 0x7f0_0000, true),
                region(0x7f0_0000, 0x810_0000, false),
                region(0x810_0000, 0x900_0000, true)
            ]
        );
    }

    #[test]
    fn the_highest_place_avoids_obstacles() {
        let obstacles = [0x700_0000..0x800_0000, 0x600_0800..0x700_0000];
        let place = highest_free(&MAP, 0x700_0000, 0x1800, &obstacles);
        assert_eq!(place, Some(0x5ff_e000..0x600_0000));
        assert_eq!(highest_free(&MAP, 0x10_0000, 0xa_0000, &[]), None);
        let low = highest_free(&MAP, 0x10_0000, 0x1000, &[]);
        assert_eq!(low, Some(0x9_e000..0x9_f000));
    }
}
