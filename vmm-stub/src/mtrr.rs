//! The memory types that the firmware gave to physical memory (SDM volume 3, chapter "Memory Cache
//! Control", section "Memory Type Range Registers").

use core::ops::Range;

use heapless::Vec;

/// A memory type, with its encoding (SDM volume 3, table "Memory Types That Can Be Encoded in MTRRs").
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum MemoryType {
    /// UC.
    Uncacheable = 0,
    /// WC.
    WriteCombining = 1,
    /// WT.
    WriteThrough = 4,
    /// WP.
    WriteProtected = 5,
    /// WB.
    WriteBack = 6,
}

impl MemoryType {
    /// The type with this encoding; reserved ones are never faster than the hardware would be.
    const fn from_bits(bits: u8) -> Self {
        match bits {
            1 => Self::WriteCombining,
            4 => Self::WriteThrough,
            5 => Self::WriteProtected,
            6 => Self::WriteBack,
            _ => Self::Uncacheable,
        }
    }

    /// What two ranges that overlap make of the memory they share (section "MTRR Precedences").
    fn with(self, other: Self) -> Self {
        match (self, other) {
            (a, b) if a == b => a,
            (Self::WriteThrough, Self::WriteBack) | (Self::WriteBack, Self::WriteThrough) => {
                Self::WriteThrough
            }
            _ => Self::Uncacheable,
        }
    }
}

/// IA32_MTRRCAP.
const CAPABILITY: u32 = 0xfe;
/// IA32_MTRR_PHYSBASE0; its mask follows, and the other pairs after it.
const FIRST_BASE: u32 = 0x200;
/// IA32_MTRR_DEF_TYPE.
const DEFAULT_TYPE: u32 = 0x2ff;
/// The eleven registers with the fixed ranges, in order of address.
const FIXED: [u32; 11] =
    [0x250, 0x258, 0x259, 0x268, 0x269, 0x26a, 0x26b, 0x26c, 0x26d, 0x26e, 0x26f];
/// Where the fixed ranges end.
const FIXED_END: u64 = 1 << 20;
/// More pairs than any CPU has.
const MOST_PAIRS: usize = 64;

/// A range given by a pair of registers: an address belongs to it if it agrees with the base wherever
/// the mask is set.
#[derive(Clone, Copy, Debug)]
struct Pair {
    base: u64,
    mask: u64,
    kind: MemoryType,
}

/// What of a page belongs to a range.
#[derive(PartialEq, Eq)]
enum Share {
    None,
    Part,
    All,
}

impl Pair {
    fn share(&self, page: &Range<u64>) -> Share {
        let inside = page.end - page.start - 1;
        match (page.start ^ self.base) & self.mask & !inside {
            0 if self.mask & inside & !0xfff == 0 => Share::All,
            0 => Share::Part,
            _ => Share::None,
        }
    }
}

/// A copy of all the registers.
#[derive(Clone, Debug)]
pub struct Mtrrs {
    enabled: bool,
    default: MemoryType,
    fixed: Option<[u64; 11]>,
    pairs: Vec<Pair, MOST_PAIRS>,
}

impl Mtrrs {
    /// Reads the registers of a CPU that has them, with addresses this wide.
    pub fn read(msr: impl Fn(u32) -> u64, width: u32) -> Self {
        let (capability, default) = (msr(CAPABILITY), msr(DEFAULT_TYPE));
        let fixed = capability & 1 << 8 != 0 && default & 1 << 10 != 0;
        let pair = |i: u32| {
            let (base, mask) = (msr(FIRST_BASE + 2 * i), msr(FIRST_BASE + 2 * i + 1));
            let valid = mask & 1 << 11 != 0;
            let address = ((1 << width) - 1) & !0xfff;
            let kind = MemoryType::from_bits(base as u8);
            valid.then_some(Pair { base: base & address, mask: mask & address, kind })
        };
        Self {
            enabled: default & 1 << 11 != 0,
            default: MemoryType::from_bits(default as u8),
            fixed: fixed.then(|| FIXED.map(&msr)),
            pairs: (0..capability as u8 as u32).filter_map(pair).take(MOST_PAIRS).collect(),
        }
    }

    /// The type of a page, which is as large as it is aligned; `None` if it is of several.
    pub fn kind(&self, page: &Range<u64>) -> Option<MemoryType> {
        if !self.enabled {
            return Some(MemoryType::Uncacheable);
        }
        match &self.fixed {
            Some(fixed) if page.start < FIXED_END => self.kind_below_1_mib(fixed, page),
            _ => self.kind_by_pairs(page),
        }
    }

    fn kind_by_pairs(&self, page: &Range<u64>) -> Option<MemoryType> {
        let of = |share: Share| {
            let pairs = self.pairs.iter().filter(move |p| p.share(page) == share);
            pairs.map(|pair| pair.kind)
        };
        let whole = of(Share::All).reduce(MemoryType::with);
        let kind = whole.unwrap_or(self.default);
        // A range that covers a part splits the page unless that part is of the same type.
        let same = |part| whole.map_or(part, |whole| whole.with(part)) == kind;
        of(Share::Part).all(same).then_some(kind)
    }

    fn kind_below_1_mib(&self, fixed: &[u64; 11], page: &Range<u64>) -> Option<MemoryType> {
        let first = fixed_kind(fixed, page.start);
        let end = page.end.min(FIXED_END);
        let same = (page.start..end).step_by(4096).all(|at| fixed_kind(fixed, at) == first);
        let above = page.end > FIXED_END && self.kind_by_pairs(page) != Some(first);
        (same && !above).then_some(first)
    }
}

/// The type of an address below 1 MiB: 8 ranges of 64 KiB, 16 of 16 KiB, 64 of 4 KiB.
fn fixed_kind(fixed: &[u64; 11], at: u64) -> MemoryType {
    let range = match at {
        0..0x8_0000 => at >> 16,
        0x8_0000..0xc_0000 => 8 + ((at - 0x8_0000) >> 14),
        _ => 24 + ((at - 0xc_0000) >> 12),
    };
    let register = fixed[(range / 8) as usize];
    MemoryType::from_bits(register.to_le_bytes()[(range % 8) as usize])
}

#[cfg(test)]
mod tests {
    use super::{MemoryType, Mtrrs};

    const WIDTH: u32 = 40;
    const ALL: u64 = (1 << WIDTH) - 1;

    fn mask(bytes: u64) -> u64 {
        ALL & !(bytes - 1) | 1 << 11
    }

    /// What SeaBIOS sets up for 3 GiB below the hole: write-back by default, the hole uncacheable.
    fn seabios(msr: u32) -> u64 {
        match msr {
            0xfe => 0x508,
            0x2ff => 0xc06,
            0x200 => 0xc000_0000,
            0x201 => mask(0x4000_0000),
            0x250 | 0x258 | 0x268..=0x26f => 0x0606_0606_0606_0606,
            _ => 0,
        }
    }

    #[test]
    fn ranges_and_default_are_told_apart() {
        let mtrrs = Mtrrs::read(seabios, WIDTH);
        let gib = 1 << 30;
        assert_eq!(mtrrs.kind(&(2 * gib..3 * gib)), Some(MemoryType::WriteBack));
        assert_eq!(mtrrs.kind(&(3 * gib..4 * gib)), Some(MemoryType::Uncacheable));
        assert_eq!(mtrrs.kind(&(4 * gib..5 * gib)), Some(MemoryType::WriteBack));
        assert_eq!(mtrrs.kind(&(0..1 << 39)), None);
    }

    #[test]
    fn the_first_mebibyte_is_looked_up_frame_by_frame() {
        let mtrrs = Mtrrs::read(seabios, WIDTH);
        assert_eq!(mtrrs.kind(&(0..0x20_0000)), None);
        assert_eq!(mtrrs.kind(&(0x9_f000..0xa_0000)), Some(MemoryType::WriteBack));
        assert_eq!(mtrrs.kind(&(0xa_0000..0xa_1000)), Some(MemoryType::Uncacheable));
        assert_eq!(mtrrs.kind(&(0xc_0000..0xc_1000)), Some(MemoryType::WriteBack));
    }

    #[test]
    fn a_small_range_splits_what_it_changes_and_no_more() {
        let read = |kind: u64| {
            move |msr| match msr {
                0xfe => 1,
                0x2ff => 0x806,
                0x200 => 0x4020_0000 | kind,
                0x201 => mask(0x20_0000),
                _ => 0,
            }
        };
        let page = 0x4000_0000..0x8000_0000;
        assert_eq!(Mtrrs::read(read(0), WIDTH).kind(&page), None);
        assert_eq!(Mtrrs::read(read(6), WIDTH).kind(&page), Some(MemoryType::WriteBack));
        let inside = 0x4020_0000..0x4040_0000;
        assert_eq!(Mtrrs::read(read(0), WIDTH).kind(&inside), Some(MemoryType::Uncacheable));
    }

    #[test]
    fn overlaps_follow_the_precedences() {
        let both = |one: u64, other: u64| {
            let read = move |msr| match msr {
                0xfe => 2,
                0x2ff => 0x800,
                0x200 => one,
                0x202 => other,
                0x201 | 0x203 => mask(0x4000_0000),
                _ => 0,
            };
            Mtrrs::read(read, WIDTH).kind(&(0..0x4000_0000))
        };
        assert_eq!(both(6, 4), Some(MemoryType::WriteThrough));
        assert_eq!(both(6, 0), Some(MemoryType::Uncacheable));
        assert_eq!(both(6, 6), Some(MemoryType::WriteBack));
        assert_eq!(both(6, 1), Some(MemoryType::Uncacheable));
    }

    #[test]
    fn without_mtrrs_nothing_is_cached() {
        let mtrrs = Mtrrs::read(|_| 0, WIDTH);
        assert_eq!(mtrrs.kind(&(0..1 << 39)), Some(MemoryType::Uncacheable));
    }
}
