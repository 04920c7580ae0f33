//! How a guest finds the stub: two leaves in the range that CPUID leaves to hypervisors.

use crate::call::numbered;

/// Leaf with the signature in EBX, ECX, EDX and the highest hypervisor leaf in EAX.
pub const SIGNATURE_LEAF: u32 = 0x4000_0000;

/// What the signature leaf spells.
pub const SIGNATURE: [u8; 12] = *b"LoadPhysVMM\0";

/// Leaf with the [`Features`].
pub const FEATURES_LEAF: u32 = 0x4000_0001;

/// The highest leaf the stub answers.
pub const HIGHEST_LEAF: u32 = FEATURES_LEAF;

/// Version of this interface; it grows when an old guest could not use a new stub.
pub const ABI_VERSION: u32 = 2;

numbered! {
    /// What the stub checks when an entry is stored.
    RuleSet: u32 {
        /// That it is an entry of a registered table; any value may be stored.
        Tables = 0,
        /// The value too: frames have exclusive types, tables are read-only for the guest in every view and so is the
        /// alias, and the stub sets Accessed and Dirty where the walker cannot.
        Typed = 1,
        /// As [`RuleSet::Typed`], and entries that are present have Accessed set, and Dirty if they map a page writable, so the
        /// walker has nothing to set.
        TypedPreset = 2,
    }
}

/// EBX: bits 1:0 are the number of the [`RuleSet`].
const RULES: u32 = 0b11;
/// EBX: there is a gate view.
const GATE: u32 = 1 << 8;
/// EBX: there are views of other roots.
const ROOT_VIEWS: u32 = 1 << 9;

/// What the features leaf says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Features {
    /// EAX: [`ABI_VERSION`] of the stub.
    pub version: u32,
    /// ECX: base-two logarithm of the guest-physical address at which the alias begins; `None` (0 on
    /// the wire) without an alias. The alias shows frame `f` at `base + f` while `f` is a
    /// table registered with [`crate::Kept::Alias`], and nothing else.
    pub alias_shift: Option<u32>,
    /// EDX: how many views VMFUNC can choose from; 1 without VMFUNC.
    pub views: u32,
    /// EBX: what is checked. A number that this version does not know counts as the strictest, and calls say the rest.
    pub rules: RuleSet,
    /// EBX: view [`GATE_VIEW`] can be had, by [`crate::Call::SetGate`].
    pub gate: bool,
    /// EBX: views of other roots can be had, by [`crate::Call::BindView`].
    pub root_views: bool,
}

/// The view in which the guest runs.
pub const USUAL_VIEW: u32 = 0;

/// The view in which the alias shows what was registered with [`crate::Kept::Gate`], and nothing but the gate's frame can be
/// executed. Views of other roots have higher numbers.
pub const GATE_VIEW: u32 = 1;

impl Features {
    /// As EAX, EBX, ECX, EDX.
    pub const fn to_registers(self) -> [u32; 4] {
        let alias = match self.alias_shift {
            Some(shift) => shift,
            None => 0,
        };
        let gate = if self.gate { GATE } else { 0 };
        let root_views = if self.root_views { ROOT_VIEWS } else { 0 };
        [self.version, self.rules.number() | gate | root_views, alias, self.views]
    }

    /// From EAX, EBX, ECX, EDX.
    pub const fn from_registers([version, offers, alias, views]: [u32; 4]) -> Self {
        let alias_shift = if alias == 0 { None } else { Some(alias) };
        let rules = match RuleSet::from_number(offers & RULES) {
            Some(rules) => rules,
            None => RuleSet::TypedPreset,
        };
        let (gate, root_views) = (offers & GATE != 0, offers & ROOT_VIEWS != 0);
        Self { version, alias_shift, views, rules, gate, root_views }
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
    let features = Features {
        version: ABI_VERSION,
        alias_shift: Some(39),
        views: 512,
        rules: RuleSet::Typed,
        gate: true,
        root_views: false,
    };
    let back = Features::from_registers(features.to_registers());
    assert!(matches!(back.alias_base(), Some(base) if base == 1 << 39));
    assert!(matches!(back.rules, RuleSet::Typed) && back.gate && !back.root_views);
};
