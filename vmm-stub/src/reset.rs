//! The state in which INIT and SIPI leave a CPU (SDM volume 3, table 10-1 "IA-32 and Intel 64 Processor States Following
//! Power-up, Reset, or INIT", column INIT; section 9.4.2 "MP Initialization Protocol Requirements and Restrictions" for
//! where a SIPI starts it). What the column calls unchanged is not here.

/// RFLAGS: bit 1 is always set.
pub const RFLAGS: u64 = 2;
/// CR0 but for CD and NW, which stay: ET is always set.
pub const CR0: u64 = 1 << 4;
/// DR6.
pub const DR6: u64 = 0xffff_0ff0;
/// DR7.
pub const DR7: u64 = 0x400;
/// Limits of GDT and IDT; their bases are 0.
pub const TABLE_LIMIT: u64 = 0xffff;

/// A segment register, as a VMCS describes one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segment {
    /// Selector.
    pub selector: u64,
    /// Base.
    pub base: u64,
    /// Limit, in bytes.
    pub limit: u64,
    /// Access rights (section "Guest Register State").
    pub rights: u64,
}

/// Code that can be read, data that can be written, both touched; an LDT; a busy 32-bit TSS.
const CODE: u64 = 0x9b;
const DATA: u64 = 0x93;
const LDT: u64 = 0x82;
const TASK: u64 = 0x8b;

/// ES, CS, SS, DS, FS, GS, LDTR and TR of a CPU that a SIPI with this vector starts at its RIP 0.
pub const fn segments(vector: u8) -> [Segment; 8] {
    let selector = (vector as u64) << 8;
    let flat = Segment { selector: 0, base: 0, limit: 0xffff, rights: DATA };
    let code = Segment { selector, base: selector << 4, rights: CODE, ..flat };
    let (ldt, task) = (Segment { rights: LDT, ..flat }, Segment { rights: TASK, ..flat });
    [flat, code, flat, flat, flat, flat, ldt, task]
}

#[cfg(test)]
mod tests {
    use super::{Segment, segments};

    const BUSY_TSS: u64 = 11;
    const LDT: u64 = 2;
    const CODE_OR_DATA: u64 = 1 << 4;
    const PRESENT: u64 = 1 << 7;
    /// Bits 11:8 and those above 16 are reserved; 15 is G, 14 D/B, 13 L, 16 unusable.
    const NO_MORE: u64 = !0xff;

    /// What an entry demands of an unrestricted guest in real mode (section "Checks on Guest Segment Registers").
    fn can_be_entered(number: usize, segment: Segment) -> bool {
        let (kind, rights) = (segment.rights & 15, segment.rights);
        let kind_is_good = match number {
            1 => matches!(kind, 3 | 9 | 11 | 13 | 15) && rights & CODE_OR_DATA != 0,
            2 => matches!(kind, 3 | 7) && rights & CODE_OR_DATA != 0,
            6 => kind == LDT && rights & CODE_OR_DATA == 0,
            7 => matches!(kind, 3 | BUSY_TSS) && rights & CODE_OR_DATA == 0,
            _ => kind & 1 != 0 && rights & CODE_OR_DATA != 0,
        };
        // Without granularity the limit has 20 bits; bases of CS, SS, DS and ES have 32.
        let base_is_good = segment.base >> 32 == 0;
        kind_is_good
            && base_is_good
            && rights & PRESENT != 0
            && rights & NO_MORE == 0
            && segment.limit == 0xffff
            && segment.selector & 0b100 == 0
    }

    #[test]
    fn every_vector_gives_a_state_that_can_be_entered() {
        for vector in 0..=u8::MAX {
            for (number, segment) in segments(vector).into_iter().enumerate() {
                assert!(can_be_entered(number, segment), "{vector} {number} {segment:x?}");
            }
        }
    }

    #[test]
    fn the_vector_is_the_page_where_it_starts() {
        for vector in [0_u8, 8, 0x9f, 0xff] {
            let [_, code, others @ ..] = segments(vector);
            assert_eq!((code.selector << 4, code.base), (code.base, u64::from(vector) << 12));
            assert!(others.iter().all(|segment| (segment.base, segment.selector) == (0, 0)));
        }
    }
}
