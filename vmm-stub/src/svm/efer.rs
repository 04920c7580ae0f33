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
/// Fast FXSAVE (CPUID leaf 0x8000_0001, EDX bit 25), the translation cache extension (ECX bit 17).
const FFXSR: u64 = 1 << 14;
const TCE: u64 = 1 << 15;

const PG: u64 = 1 << 31;

/// Which bits a CPU takes, given ECX and EDX of leaf 0x8000_0001.
pub const fn supported(ecx: u32, edx: u32) -> u64 {
    let fast = if edx & 1 << 25 != 0 { FFXSR } else { 0 };
    let extension = if ecx & 1 << 17 != 0 { TCE } else { 0 };
    ALWAYS | fast | extension
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
    use super::{ALWAYS, LMA, LME, PG, SVME, TCE, read, supported, write};

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
        assert_eq!(supported(1 << 17, 0), ALWAYS | TCE);
        assert_eq!(write(TCE, SVME, 0, supported(0, 0)), None);
        assert_eq!(supported(0, 1 << 25), ALWAYS | 1 << 14);
    }
}
