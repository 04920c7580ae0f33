//! How much memory the stub takes behind its image, and whether it can.

use core::ops::Range;

use loadphys_abi::FRAME_BYTES;
use loadphys_boot::handoff::Region;

use crate::nested::alias::Window;
use crate::places::{overlap, usable};
use crate::views;

/// The range is widened to whole pages of this size where memory allows: then no large page of the nested tables
/// is cut by its end.
const LARGE_PAGE: u64 = 2 << 20;

/// What there must be room for.
#[derive(Clone, Copy, Debug)]
pub struct Needs {
    /// Where memory ends.
    pub top: u64,
    /// Frames of known number: nested tables, own tables, what VT-x wants.
    pub frames: usize,
    /// Bytes that the rules keep for each frame.
    pub frame_bytes: u64,
    /// Whether there is an alias, with an entry for each frame.
    pub alias: bool,
    /// With views besides the usual one: the tables of the gate view, without those of its alias.
    pub views: Option<usize>,
    /// How many CPUs there are.
    pub cpus: usize,
    /// Bytes of a CPU's own state.
    pub cpu_bytes: usize,
    /// Bytes of the stacks of every CPU but the first.
    pub stack_bytes: usize,
    /// Bytes of a copy of the guest's file; 0 without one.
    pub file_bytes: u64,
}

impl Needs {
    /// Tables of level 1 of an alias.
    pub const fn alias_tables(&self) -> usize {
        if self.alias { Window::tables(self.top) } else { 0 }
    }

    /// How many views of roots there are.
    pub const fn root_views(&self) -> usize {
        views::roots_for(self.top)
    }

    /// Tables of the views besides the usual one.
    fn view_tables(&self) -> usize {
        let others = views::tables_needed(self.root_views());
        self.views.map_or(0, |gate| gate + self.alias_tables() + others)
    }

    /// All of it, each part in whole frames, with what the rules keep for each frame.
    pub fn bytes(&self) -> u64 {
        let parts = [
            (self.frames + self.alias_tables() + self.view_tables()) as u64 * FRAME_BYTES,
            self.cpu_bytes.next_multiple_of(FRAME_BYTES as usize) as u64 * self.cpus as u64,
            self.stack_bytes as u64 * self.cpus.saturating_sub(1) as u64,
            self.top / FRAME_BYTES * self.frame_bytes,
            self.file_bytes,
        ];
        parts.map(|part| part.next_multiple_of(FRAME_BYTES)).iter().sum()
    }
}

/// There is no room behind the image: so much would have to be usable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TooSmall(pub Range<u64>);

/// Where the pool goes: behind the image and behind whatever is still needed there.
///
/// # Errors
/// [`TooSmall`], if there is no usable memory from the image to the pool's end.
pub fn pool(
    map: &[Region],
    image: &Range<u64>,
    bytes: u64,
    in_the_way: &[Range<u64>],
) -> Result<Range<u64>, TooSmall> {
    let mut pool = image.end..image.end + bytes;
    while let Some(obstacle) = in_the_way.iter().find(|o| overlap(o, &pool)) {
        let start = obstacle.end.next_multiple_of(FRAME_BYTES);
        pool = start..start + bytes;
    }
    let wide = pool.end.next_multiple_of(LARGE_PAGE);
    if usable(map, &(image.start..wide)) {
        pool.end = wide;
    }
    let all = image.start..pool.end;
    if usable(map, &all) { Ok(pool) } else { Err(TooSmall(all)) }
}

#[cfg(test)]
mod tests {
    use super::{Needs, TooSmall, pool};
    use loadphys_boot::handoff::Region;

    const IMAGE: core::ops::Range<u64> = 0x600_0000..0x608_0000;

    const fn memory(end: u64) -> [Region; 1] {
        [Region { start: 0x10_0000, end, usable: true }]
    }

    #[test]
    fn the_pool_lies_behind_what_is_in_the_way() {
        let map = memory(0x1000_0000);
        assert_eq!(pool(&map, &IMAGE, 0x1000, &[]), Ok(0x608_0000..0x620_0000));
        let modules = [0x608_1000..0x60f_0123, 0x60f_1000..0x610_0000];
        assert_eq!(pool(&map, &IMAGE, 0x2000, &modules), Ok(0x610_0000..0x620_0000));
    }

    #[test]
    fn the_end_is_rounded_only_where_there_is_memory() {
        let map = memory(0x60a_0000);
        assert_eq!(pool(&map, &IMAGE, 0x1000, &[]), Ok(0x608_0000..0x608_1000));
        let small = pool(&map, &IMAGE, 0x10_0000, &[]);
        assert_eq!(small, Err(TooSmall(0x600_0000..0x618_0000)));
    }

    #[test]
    fn needs_are_counted_in_whole_frames() {
        let needs = Needs {
            top: 0x40_0001,
            frames: 2,
            frame_bytes: 1,
            alias: true,
            views: None,
            cpus: 1,
            cpu_bytes: 1,
            stack_bytes: 0x3000,
            file_bytes: 0x1001,
        };
        assert_eq!(needs.bytes(), (2 + 3 + 1 + 1 + 2) * 0x1000);
        let without = Needs { alias: false, ..needs };
        assert_eq!(without.bytes(), (2 + 1 + 1 + 2) * 0x1000);
        // The gate's tables, its alias, the list, a view with nothing, and a view for each of 4 MiB.
        let views = 7 + 3 + 2 + 4 * 4;
        let with_views = Needs { views: Some(7), ..needs };
        assert_eq!(with_views.bytes(), needs.bytes() + views * 0x1000);
        let with_views = Needs { views: Some(7), ..without };
        assert_eq!(with_views.bytes(), without.bytes() + (views - 3) * 0x1000);
        let kept = Needs { top: 0x1000_0000, ..without };
        let wide = Needs { frame_bytes: 4, ..kept };
        assert_eq!(wide.bytes(), kept.bytes() + 3 * 0x1_0000);
        let three = Needs { cpus: 3, ..needs };
        assert_eq!(three.bytes(), (2 + 3 + 3 + 2 * 3 + 1 + 2) * 0x1000);
    }
}
