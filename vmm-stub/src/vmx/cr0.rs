//! A guest's write to CR0 that exits.
//!
//! VT-x wants CR0.NE set, so the stub owns that bit: the guest reads its own value from the shadow. A write that
//! changes the guest's NE exits, and then all of it is the stub's to do (section "Changes to Instruction
//! Behavior in VMX Non-Root Operation"; volume 2, "MOV - Move to/from Control Registers").
//!
//! CD and NW are the CPU's own: neither an entry nor an exit changes them (sections "Loading Guest Control Registers, Debug
//! Registers, and MSRs" and "Loading Host Control Registers, Debug Registers, MSRs"). Where such a write changes them the stub
//! does so too, and goes on with the caches as the guest has them.

/// Protection.
pub const PE: u64 = 1 << 0;
/// Extension type, always 1.
pub const ET: u64 = 1 << 4;
/// Native x87 errors.
pub const NE: u64 = 1 << 5;
const WP: u64 = 1 << 16;
/// Not write-through.
pub const NW: u64 = 1 << 29;
/// Caches are off.
pub const CD: u64 = 1 << 30;
/// Paging.
pub const PG: u64 = 1 << 31;

const CR4_PAE: u64 = 1 << 5;
const CR4_PCIDE: u64 = 1 << 17;
const CR4_CET: u64 = 1 << 23;
const EFER_LME: u64 = 1 << 8;
const EFER_LMA: u64 = 1 << 10;

/// What a write depends on.
#[derive(Clone, Copy, Debug)]
pub struct Context {
    /// CR0 as the CPU has it.
    pub cr0: u64,
    /// CR4.
    pub cr4: u64,
    /// IA32_EFER.
    pub efer: u64,
    /// The code segment is a 64-bit one.
    pub long_code: bool,
}

/// What a write comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Change {
    /// CR0 for the CPU.
    pub cr0: u64,
    /// CR0 as the guest reads it, where the stub owns a bit.
    pub shadow: u64,
    /// IA32_EFER, with its LMA.
    pub efer: u64,
    /// The four PDPTEs are to be loaded from where CR3 points.
    pub load_pdptes: bool,
    /// The TLB is to be flushed.
    pub flush: bool,
}

/// The write is refused: #GP(0).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refused;

/// Works out a write of this value.
///
/// # Errors
/// [`Refused`], and nothing changes.
pub const fn write(value: u64, now: Context) -> Result<Change, Refused> {
    let (paging, was_paging) = (value & PG != 0, now.cr0 & PG != 0);
    let impossible = value >> 32 != 0
        || paging && value & PE == 0
        || value & NW != 0 && value & CD == 0
        || value & WP == 0 && now.cr4 & CR4_CET != 0
        || paging
            && !was_paging
            && now.efer & EFER_LME != 0
            && (now.cr4 & CR4_PAE == 0 || now.long_code)
        || !paging && was_paging && (now.cr4 & CR4_PCIDE != 0 || now.long_code);
    if impossible {
        return Err(Refused);
    }
    let long = paging && now.efer & EFER_LME != 0;
    let touched = (value ^ now.cr0) & (PG | CD | NW) != 0;
    Ok(Change {
        cr0: value | NE | ET,
        shadow: value | ET,
        efer: if long { now.efer | EFER_LMA } else { now.efer & !EFER_LMA },
        load_pdptes: paging && !long && now.cr4 & CR4_PAE != 0 && touched,
        flush: paging != was_paging,
    })
}

#[cfg(test)]
mod tests {
    use super::{
        CR4_CET, CR4_PAE, CR4_PCIDE, Change, Context, EFER_LMA, EFER_LME, ET, NE, PE, PG, Refused,
        WP, write,
    };

    const START: Context =
        Context { cr0: PE | ET | NE, cr4: CR4_PAE, efer: EFER_LME, long_code: false };

    #[test]
    fn a_kernel_that_sets_all_at_once_gets_long_mode() {
        let change = write(PE | ET | NE | PG, START).unwrap();
        let wanted = Change {
            cr0: PE | ET | NE | PG,
            shadow: PE | ET | NE | PG,
            efer: EFER_LME | EFER_LMA,
            load_pdptes: false,
            flush: true,
        };
        assert_eq!(change, wanted);
    }

    #[test]
    fn ne_stays_on_below_and_shows_what_was_written() {
        let change = write(PE, START).unwrap();
        assert_eq!((change.cr0, change.shadow, change.flush), (PE | ET | NE, PE | ET, false));
    }

    #[test]
    fn without_long_mode_pae_paging_loads_its_pdptes() {
        let now = Context { efer: 0, ..START };
        let change = write(PE | PG, now).unwrap();
        assert!(change.load_pdptes && change.efer == 0);
        assert!(!write(PE | PG, Context { cr4: 0, ..now }).unwrap().load_pdptes);
    }

    #[test]
    fn what_the_cpu_refuses_is_refused() {
        let paging = Context { cr0: START.cr0 | PG, efer: EFER_LME | EFER_LMA, ..START };
        for (value, now) in [
            (1 << 32, START),
            (PG, START),
            (PE | 1 << 29, START),
            (PE | PG, Context { cr4: 0, ..START }),
            (PE | PG, Context { long_code: true, ..START }),
            (PE, Context { cr4: CR4_PAE | CR4_CET, ..START }),
            (PE, Context { cr4: CR4_PAE | CR4_PCIDE, ..paging }),
            (PE, Context { long_code: true, ..paging }),
        ] {
            assert_eq!(write(value, now), Err(Refused), "{value:#x}");
        }
        assert!(write(PE | WP, Context { cr4: CR4_PAE | CR4_CET, ..START }).is_ok());
        assert_eq!(write(PE, paging).unwrap().efer, EFER_LME);
    }
}
