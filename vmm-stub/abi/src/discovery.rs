//! How a guest finds the stub: two leaves in the range that CPUID leaves to hypervisors.

/// Leaf with the signature in EBX, ECX, EDX and the highest hypervisor leaf in EAX.
pub const SIGNATURE_LEAF: u32 = 0x4000_0000;

/// What the signature leaf spells.
pub const SIGNATURE: [u8; 12] = *b"LoadPhysVMM\0";

/// Leaf with the [`Features`].
pub const FEATURES_LEAF: u32 = 0x4000_0001;

/// The highest leaf the stub answers.
pub const HIGHEST_LEAF: u32 = FEATURES_LEAF;

/// Version of this interface; it grows when an old guest could not use a new stub.
pub const ABI_VERSION: u32 = 1;

/// What the features leaf says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Features {
    /// EAX: [`ABI_VERSION`] of the stub.
    pub version: u32,
    /// ECX: base-two logarithm of the guest-physical address at which the alias begins; `None` (0 on
    /// the wire) without an alias. The alias shows frame `f` at `base + f` while `f` is a
    /// registered table, and nothing else.
    pub alias_shift: Option<u32>,
    /// EDX: how many views VMFUNC can choose from; 1 without VMFUNC.
    pub views: u32,
}

impl Features {
    /// As EAX, EBX, ECX, EDX.
    pub const fn to_registers(self) -> [u32; 4] {
        let alias = match self.alias_shift {
            Some(shift) => shift,
            None => 0,
        };
        [self.version, 0, alias, self.views]
    }

    /// From EAX, EBX, ECX, EDX.
    pub const fn from_registers([version, _, alias, views]: [u32; 4]) -> Self {
        let alias_shift = if alias == 0 { None } else { Some(alias) };
        Self { version, alias_shift, views }
    }

    /// Where the alias begins.
    pub const fn alias_base(self) -> Option<u64> {
        match self.alias_shift {
            Some(shift) => Some(1 << shift),
            None => None,
        }
    }
}

/// The signature leaf as EAX, EBX, ECX, EDX.
pub const fn signature_registers() -> [u32; 4] {
    [HIGHEST_LEAF, word(0), word(4), word(8)]
}

const fn word(at: usize) -> u32 {
    let s = SIGNATURE;
    u32::from_le_bytes([s[at], s[at + 1], s[at + 2], s[at + 3]])
}

const _: () = {
    let features = Features { version: ABI_VERSION, alias_shift: Some(39), views: 1 };
    let back = Features::from_registers(features.to_registers());
    assert!(matches!(back.alias_base(), Some(base) if base == 1 << 39));
};
