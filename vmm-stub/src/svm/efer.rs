//! EFER as the guest has it. Its SVME is the stub's: without it no guest runs, and the guest, which has no SVM, reads 0 there.
//! So reads and writes exit (APM volume 2, section 3.1.7 "Extended Feature Enable Register (EFER)").

/// Its number.
pub const NUMBER: u32 = 0xc000_0080;

/// SVM is on.
pub const SVME: u64 = 1 << 12;
/// Long mode is wanted.
const LME: u64 = 1 << 8;
/// Long mode is active.
pub const LMA: u64 = 1 << 10;
/// What every CPU with SVM has: SYSCALL, long mode, no-execute.
const ALWAYS: u64 = 1 << 0 | LME | LMA | 1 << 11;
const PG: u64 = 1 << 31;

/// What CPUID says of EFER's other bits: fast FXSAVE, the translation cache extension, MCOMMIT, interruptible WBINVD, the upper
/// address ignore, automatic IBRS.
#[derive(Clone, Copy, Debug, Default)]
pub struct Features {
    /// ECX and EDX of leaf 0x8000_0001.
    pub extended: [u32; 2],
    /// EBX of leaf 0x8000_0008.
    pub capacity: u32,
    /// EAX of leaf 0x8000_0021; 0 if there is none.
    pub more: u32,
}

/// Which bits a CPU takes.
pub const fn supported(features: Features) -> u64 {
    let Features { extended: [ecx, edx], capacity, more } = features;
    let bits = [
        (edx, 25, 14), // FFXSR
        (ecx, 17, 15), // TCE
        (capacity, 8, 17),
        (capacity, 13, 18),
        (more, 7, 20),
        (more, 8, 21),
    ];
    let mut all = ALWAYS;
    let mut i = 0;
    while i < bits.len() {
        let (register, bit, place) = bits[i];
        all |= ((register >> bit & 1) as u64) << place;
        i += 1;
    }
    all
}

/// What a write makes of it, for the CPU; `None` if the write is refused. Active long mode is for paging to switch.
pub const fn write(value: u64, now: u64, cr0: u64, supported: u64) -> Option<u64> {
    let changes_under_paging = cr0 & PG != 0 && (value ^ now) & LME != 0;
    if value & !supported != 0 || changes_under_paging {
        return None;
    }
    Some(value & !LMA | now & LMA | SVME)
}

/// What a read gives.
pub const fn read(now: u64) -> u64 {
    now & !SVME
}

#[cfg(test)]
mod tests {
    use super::{ALWAYS, Features, LMA, LME, PG, SVME, read, supported, write};

    #[test]
    fn svme_stays_on_and_is_not_seen() {
        assert_eq!(write(LME, SVME, 0, ALWAYS), Some(SVME | LME));
        assert_eq!(read(SVME | LME), LME);
        assert_eq!(write(SVME, SVME, 0, ALWAYS), None, "not there for the guest");
    }

    #[test]
    fn long_mode_changes_with_paging_only() {
        let long = SVME | LME | LMA;
        assert_eq!(write(LME, long, PG, ALWAYS), Some(long));
        assert_eq!(write(0, long, PG, ALWAYS), None);
        assert_eq!(write(LMA, SVME, 0, ALWAYS), Some(SVME));
    }

    #[test]
    fn bits_are_those_of_the_cpu() {
        const TCE: u64 = 1 << 15;
        let with = |features| supported(features) & !ALWAYS;
        assert_eq!(with(Features::default()), 0);
        assert_eq!(with(Features { extended: [1 << 17, 0], ..Features::default() }), TCE);
        assert_eq!(with(Features { extended: [0, 1 << 25], ..Features::default() }), 1 << 14);
        assert_eq!(with(Features { capacity: 1 << 8, ..Features::default() }), 1 << 17);
        assert_eq!(with(Features { more: 3 << 7, ..Features::default() }), 3 << 20);
        assert_eq!(write(TCE, SVME, 0, ALWAYS), None);
    }
}
