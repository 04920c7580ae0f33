//! A walk of the guest's own tables, as the CPU makes it for loads and stores of the supervisor (SDM volume 3, chapter "Paging").
//!
//! Entries come from a closure, which may refuse what is no memory of the guest's. Of what the CPU checks two things are left
//! out: reserved bits, except for a page size that does not exist, and SMAP.

/// Bits of an entry of any kind.
const PRESENT: u64 = 1 << 0;
const WRITABLE: u64 = 1 << 1;
const ACCESSED: u64 = 1 << 5;
const DIRTY: u64 = 1 << 6;
const LARGE: u64 = 1 << 7;
const ADDRESS: u64 = 0x000f_ffff_ffff_f000;

/// Bits of the control registers that choose a mode.
const CR0_WP: u64 = 1 << 16;
const CR0_PG: u64 = 1 << 31;
const CR4_PSE: u64 = 1 << 4;
const CR4_PAE: u64 = 1 << 5;
const CR4_LA57: u64 = 1 << 12;
const EFER_LMA: u64 = 1 << 10;

/// Bits of the error code of #PF (section "Page-Fault Exceptions").
const PROTECTION: u32 = 1 << 0;
const WRITE: u32 = 1 << 1;
const RESERVED: u32 = 1 << 3;

/// How linear addresses are translated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Paging is off.
    Off,
    /// 32-bit paging.
    Bits32 {
        /// An entry of level 2 may map 4 MiB.
        large: bool,
    },
    /// PAE paging, below these four pointers.
    Pae([u64; 4]),
    /// Paging of so many levels, 4 or 5.
    Levels(u8),
}

/// What a walk depends on.
#[derive(Clone, Copy, Debug)]
pub struct Paging {
    /// The mode.
    pub mode: Mode,
    /// CR3.
    pub root: u64,
    /// Read-only pages cannot be written to, as CR0.WP says.
    pub write_protect: bool,
}

/// Why an address is not translated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// #PF with this error code, which says supervisor.
    Page(u32),
    /// A table is where the closure refuses to look.
    Refused,
}

/// Whether four pointers can be loaded: of one that is present no reserved bit is set (section "PDPTE Registers").
pub fn can_be_loaded(pointers: &[u64; 4]) -> bool {
    const RESERVED_IN_POINTER: u64 = 0xfff0_0000_0000_01e6;
    !pointers.iter().any(|entry| entry & PRESENT != 0 && entry & RESERVED_IN_POINTER != 0)
}

impl Paging {
    /// As the control registers have it; the pointers are asked for in PAE paging only.
    pub fn of(
        cr0: u64,
        cr3: u64,
        cr4: u64,
        efer: u64,
        pointers: impl FnOnce() -> [u64; 4],
    ) -> Self {
        let mode = if cr0 & CR0_PG == 0 {
            Mode::Off
        } else if cr4 & CR4_PAE == 0 {
            Mode::Bits32 { large: cr4 & CR4_PSE != 0 }
        } else if efer & EFER_LMA == 0 {
            Mode::Pae(pointers())
        } else {
            Mode::Levels(if cr4 & CR4_LA57 != 0 { 5 } else { 4 })
        };
        Self { mode, root: cr3, write_protect: cr0 & CR0_WP != 0 }
    }

    /// The guest-physical address that a load or a store gets to.
    ///
    /// `look` is given the address of a word of 8 bytes and bits; it sets those in the word, if there are any and it can,
    /// and gives back what the word held before. So Accessed and Dirty are set.
    ///
    /// # Errors
    /// [`Fault`].
    pub fn walk(
        &self,
        address: u64,
        writes: bool,
        mut look: impl FnMut(u64, u64) -> Option<u64>,
    ) -> Result<u64, Fault> {
        let access = if writes { WRITE } else { 0 };
        let Some((mut table, mut level)) = self.start(address).ok_or(Fault::Page(access))? else {
            return Ok(address);
        };
        let mut writable = true;
        loop {
            let at = table + self.index(address, level) * self.entry_bytes();
            let entry = self.entry(at, 0, &mut look).ok_or(Fault::Refused)?;
            writable &= entry & WRITABLE != 0;
            let leaf = self.is_leaf(entry, level);
            let denied = leaf && writes && self.write_protect && !writable;
            match (entry & PRESENT != 0, self.is_impossible(entry, level)) {
                (false, _) => return Err(Fault::Page(access)),
                (true, true) => return Err(Fault::Page(access | PROTECTION | RESERVED)),
                _ if denied => return Err(Fault::Page(access | PROTECTION)),
                _ => {}
            }
            let flags = if leaf && writes { ACCESSED | DIRTY } else { ACCESSED };
            if entry & flags != flags {
                self.entry(at, flags, &mut look).ok_or(Fault::Refused)?;
            }
            if leaf {
                return Ok(self.page(entry, level) | address & self.inside(level));
            }
            (table, level) = (entry & self.address_bits(), level - 1);
        }
    }

    /// The first table and its level; `Some(None)` without paging, `None` where a pointer leads nowhere.
    fn start(&self, address: u64) -> Option<Option<(u64, u8)>> {
        Some(Some(match self.mode {
            Mode::Off => return Some(None),
            Mode::Bits32 { .. } => (self.root & self.address_bits(), 2),
            Mode::Pae(pointers) => {
                let pointer = pointers[(address >> 30 & 3) as usize];
                (pointer & PRESENT != 0).then_some((pointer & ADDRESS, 2))?
            }
            Mode::Levels(levels) => (self.root & ADDRESS, levels),
        }))
    }

    /// The entry at an address, with bits that are to be set in it.
    fn entry(
        &self,
        at: u64,
        set: u64,
        look: &mut impl FnMut(u64, u64) -> Option<u64>,
    ) -> Option<u64> {
        let shift = 8 * (at & 7);
        let word = look(at & !7, set << shift)? >> shift;
        Some(if self.is_narrow() { word & 0xffff_ffff } else { word })
    }

    const fn is_narrow(&self) -> bool {
        matches!(self.mode, Mode::Bits32 { .. })
    }

    const fn entry_bytes(&self) -> u64 {
        if self.is_narrow() { 4 } else { 8 }
    }

    const fn index_bits(&self) -> u8 {
        if self.is_narrow() { 10 } else { 9 }
    }

    const fn address_bits(&self) -> u64 {
        if self.is_narrow() { 0xffff_f000 } else { ADDRESS }
    }

    const fn inside(&self, level: u8) -> u64 {
        (1 << (12 + self.index_bits() * (level - 1))) - 1
    }

    const fn index(&self, address: u64, level: u8) -> u64 {
        let bits = self.index_bits();
        address >> (12 + bits * (level - 1)) & ((1 << bits) - 1)
    }

    const fn is_leaf(&self, entry: u64, level: u8) -> bool {
        let may_be_large = match self.mode {
            Mode::Bits32 { large } => large && level == 2,
            _ => level == 2 || level == 3,
        };
        level == 1 || may_be_large && entry & LARGE != 0
    }

    /// A page size that does not exist: without CR4.PSE the bit is ignored.
    const fn is_impossible(&self, entry: u64, level: u8) -> bool {
        level > 3 && entry & LARGE != 0
    }

    /// The page that an entry maps. In 32-bit paging bits 20:13 of a large one are bits 39:32 of its address.
    const fn page(&self, entry: u64, level: u8) -> u64 {
        let low = entry & self.address_bits() & !self.inside(level);
        if self.is_narrow() && level == 2 { low | (entry >> 13 & 0xff) << 32 } else { low }
    }
}

#[cfg(test)]
mod tests;
