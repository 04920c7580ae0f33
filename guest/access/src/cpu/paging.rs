//! How a CPU translates, as far as methods rely on it.
//!
//! Sources: SDM volume 3, section 5.1.1 "Four Paging Modes" (CR4.LA57) and section 5.10.4.1 "Operations that
//! Invalidate TLBs and Paging-Structure Caches"; APM volume 2, section 3.1.7 "Extended Feature Enable Register
//! (EFER)", bit 15 "Translation Cache Extension".

use core::fmt;

/// What is switched on of what would make methods go wrong.
///
/// # INVLPG that leaves global translations
/// Where PCIDs are on, INVLPG may leave global translations on Alder Lake, Alder Lake-N and Raptor Lake CPUs (Intel's
/// errata ADL063 and RPL042) whose microcode is older than that of March 2024. Linux turns PCIDs off on them. The errata
/// do not apply in VMX non-root operation, so not to a guest, of the stub or any other hypervisor.
///
/// This is not asked here: the answer is a list of models and of microcode revisions, about which hypervisors lie. But
/// the methods that go through slots of the root rely on it ([`Paging::check`]): they read an entry that maps a
/// large global page as a global leaf, and if a table takes the place of that page, go on reading the page. On these
/// CPUs a kernel that uses such a method must do one of three things:
/// - leave CR4.PCIDE clear, as Linux does;
/// - leave CR4.PGE clear, and bit 8 means nothing;
/// - map no large page global where a table may come in its place, or where another root has one: large global pages
///   that all roots share and that stay for good do no harm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Paging {
    /// CR4.LA57: roots are tables of level five.
    pub five_levels: bool,
    /// EFER.TCE, on AMD: INVLPG drops only those cached upper entries that lead to its own page, where otherwise
    /// it drops those of all pages (of the current PCID).
    pub narrow_invlpg: bool,
}

/// Paging is set up in a way that a method cannot be used with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unsupported {
    /// [`Paging::five_levels`].
    FiveLevels,
    /// [`Paging::narrow_invlpg`].
    NarrowInvlpg,
}

impl Paging {
    /// Four levels; INVLPG as the SDM has it.
    pub const PLAIN: Self = Self { five_levels: false, narrow_invlpg: false };

    /// Asks the CPU that runs this code, which is in ring 0.
    #[cfg(all(target_arch = "x86_64", target_os = "none"))]
    pub fn read() -> Self {
        use x86_64::registers::control::{Cr4, Cr4Flags};
        use x86_64::registers::model_specific::{Efer, EferFlags};
        Self {
            five_levels: Cr4::read().contains(Cr4Flags::L5_PAGING),
            narrow_invlpg: Efer::read().contains(EferFlags::TRANSLATION_CACHE_EXTENSION),
        }
    }

    /// What every method relies on: there are four levels.
    ///
    /// # Errors
    /// [`Unsupported::FiveLevels`].
    pub const fn four_levels(self) -> Result<(), Unsupported> {
        if self.five_levels { Err(Unsupported::FiveLevels) } else { Ok(()) }
    }

    /// What the methods that go through slots of the root rely on too (`recursive`, `root-array`, `space-switch`,
    /// `in-context`, `root-view`): one INVLPG makes the CPU forget all ways to tables. That it drops global translations too is not
    /// asked; see [`Paging`].
    ///
    /// # Errors
    /// [`Unsupported`] says what is in the way.
    pub const fn check(self) -> Result<(), Unsupported> {
        match self.four_levels() {
            Ok(()) if self.narrow_invlpg => Err(Unsupported::NarrowInvlpg),
            other => other,
        }
    }
}

impl fmt::Display for Unsupported {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::FiveLevels => {
                "tables have five levels (CR4.LA57 is set): methods walk four, and would take tables of one level for \
                 those of another; clear it before paging is turned on"
            }
            Self::NarrowInvlpg => {
                "INVLPG keeps cached ways to tables (EFER.TCE is set): methods that go through slots of the root would \
                 leave the walker in tables that are released; clear it, or use another method"
            }
        })
    }
}

impl core::error::Error for Unsupported {}

#[cfg(test)]
mod tests {
    use super::{Paging, Unsupported};

    #[test]
    fn what_is_in_the_way_is_named() {
        let all = [(false, false), (false, true), (true, false), (true, true)];
        let found = all.map(|(five_levels, narrow_invlpg)| {
            let paging = Paging { five_levels, narrow_invlpg };
            (paging.four_levels(), paging.check())
        });
        let (five, narrow) = (Err(Unsupported::FiveLevels), Err(Unsupported::NarrowInvlpg));
        assert_eq!(found, [(Ok(()), Ok(())), (Ok(()), narrow), (five, five), (five, five)]);
    }
}
