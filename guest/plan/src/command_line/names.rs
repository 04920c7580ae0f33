//! The closed sets of names.

use core::fmt;
use core::str::FromStr;

use super::list::List;
use super::mistake::{Mistake, Problem};

/// Declares a closed set of names, as they stand on the command line and in records.
macro_rules! names {
    ($(#[$meta:meta])* $name:ident, $what:literal { $($(#[$doc:meta])* $variant:ident = $text:literal,)* }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $name { $($(#[$doc])* $variant,)* }

        impl $name {
            /// Every member, in the order in which they are listed to people.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// Its name.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $text,)* }
            }
        }

        impl FromStr for $name {
            type Err = Mistake;

            fn from_str(text: &str) -> Result<Self, Mistake> {
                let named = Self::ALL.iter().copied().find(|member| member.name() == text);
                named.ok_or_else(|| Mistake::new(Problem::Unknown, $what, text, concat!($($text, " "),*)))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.name())
            }
        }
    };
}

names! {
    /// What the boot is for.
    PlanName, "plan" {
        /// Measure eviction for every method, number of sharers and batch size.
        Compare = "compare",
        /// Boot, run the conformance checks, say what the machine has, end.
        Probe = "probe",
        /// Programs touch more pages than there are frames.
        Pressure = "pressure",
        /// A program follows one course after the other through more pages than there are frames; faults are counted.
        Courses = "courses",
        /// One program reads unmapped memory, one jumps to nowhere, one calls the stub from ring 3; others run on.
        BadProgram = "bad-program",
        /// Swap is too small for what is to be evicted.
        SwapFull = "swap-full",
        /// The swap disk fails, as the machine has been told; what can be kept is kept.
        DiskFaults = "disk-faults",
        /// Every frame of a physical range moves out of it while programs run, under every method.
        Evacuate = "evacuate",
        /// Random work under all methods in turn, with faults, for so many rounds.
        Torture = "torture",
        /// All CPUs halt but for the timer, then programs compute and are evicted: how often the stub is entered meanwhile.
        Idle = "idle",
        /// Every call the stub must refuse.
        BadCalls = "bad-calls",
        /// Attacks on tables, under every method: what stops each, if anything does.
        Attack = "attack",
        /// The kernel overflows its stack: the guard page and the double-fault stack end it with a report.
        StackOverflow = "stack-overflow",
        /// The guest triple-faults: the stub reports.
        TripleFault = "triple-fault",
        /// The guest stops for ever: the host's time limit ends it.
        Hang = "hang",
    }
}

names! {
    /// A way to reach foreign entries.
    MethodName, "method" {
        /// All physical memory, mapped at an offset.
        DirectMap = "direct-map",
        /// A window that is pointed at the table.
        TempMap = "temp-map",
        /// Physical mode.
        PagingOff = "paging-off",
        /// The other root in CR3, and everything flushed.
        SpaceSwitch = "space-switch",
        /// The other root in CR3, under a PCID for visits.
        SpaceSwitchPcid = "space-switch-pcid",
        /// The self slot for the own space, a slot lent to a foreign root for others.
        Recursive = "recursive",
        /// Every table mapped as an ordinary page too.
        Mirror = "mirror",
        /// The roots of all spaces, and our self slot.
        RootArray = "root-array",
        /// In the context of the space itself.
        InContext = "in-context",
        /// Checked calls of the stub.
        Hypercall = "hypercall",
        /// The stub's alias of registered tables.
        Alias = "alias",
        /// The alias in a view of its own, which VMFUNC enters from one page.
        Gate = "gate",
        /// Views in which another root stands in the place of ours.
        RootView = "root-view",
    }
}

names! {
    /// What the stub checks of what is stored by calls, and who may store otherwise.
    Rules, "rules" {
        /// That it goes to an entry of a registered table.
        Tables = "tables",
        /// What the entry says too; tables are read-only for the guest, and the stub sets Accessed and Dirty.
        Typed = "typed",
        /// As typed, but entries have Accessed and Dirty set from the start.
        TypedPreset = "typed-preset",
    }
}

names! {
    /// The largest pages of the stub's nested tables.
    NestedPage, "nested-page" {
        /// As large as the CPU has them.
        Auto = "auto",
        /// 4 KiB.
        FourKib = "4k",
        /// 2 MiB.
        TwoMib = "2m",
        /// 1 GiB; the stub refuses it where the CPU has none.
        OneGib = "1g",
    }
}

names! {
    /// An attack on tables.
    AttackName, "attack" {
        /// The kernel stores to an address that leads to a table of a space that is not loaded, right after the method was used.
        StrayWriteForeign = "stray-write-foreign",
        /// The same with a table of the loaded space.
        StrayWriteOwn = "stray-write-own",
        /// The method is told to store an entry that maps a table writable for a program, which then stores there.
        ForgedEntryTable = "forged-entry-table",
        /// The same with memory of the stub.
        ForgedEntryStub = "forged-entry-stub",
        /// The same with a page of another program.
        ForgedEntryForeign = "forged-entry-foreign",
        /// The kernel stores to an address that led to a table until that was released.
        StaleUse = "stale-use",
        /// The handler of an interrupt stores to a table of a space that is not loaded, while the method is at work.
        InterruptUse = "interrupt-use",
        /// A program calls the stub.
        Ring3Vmcall = "ring-3-vmcall",
        /// A program asks for another view.
        Ring3Vmfunc = "ring-3-vmfunc",
        /// A device stores to a table.
        Dma = "dma",
    }
}

impl MethodName {
    /// Whether it is used while several CPUs run programs: not if what it needs of a space is that none runs there.
    pub fn works_on_several_cpus(self) -> bool {
        self != Self::InContext
    }
}

names! {
    /// How the machine is told that the boot is over.
    Exit, "exit" {
        /// ACPI power-off.
        Acpi = "acpi",
        /// QEMU's isa-debug-exit device at port 0xf4.
        IsaDebug = "isa-debug",
        /// Bochs's port 0x8900.
        Bochs = "bochs",
    }
}

names! {
    /// Where evicted pages go.
    Swap, "swap" {
        /// Memory.
        Ram = "ram",
        /// A virtio block device.
        Virtio = "virtio",
        /// An ATA disk.
        Ata = "ata",
    }
}

names! {
    /// Whether something is checked.
    Check, "check" {
        /// It is.
        On = "on",
        /// It is not.
        Off = "off",
    }
}

/// Which methods to run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Methods {
    /// The best that this machine has.
    Auto,
    /// All that this machine has; what it lacks is recorded as skipped.
    All,
    /// These; what this machine lacks is recorded as skipped.
    Named(List<MethodName>),
}

impl FromStr for Methods {
    type Err = Mistake;

    fn from_str(text: &str) -> Result<Self, Mistake> {
        match text {
            "auto" => Ok(Self::Auto),
            "all" => Ok(Self::All),
            names => List::parse("methods", names, MethodName::from_str).map(Self::Named),
        }
    }
}

impl fmt::Display for Methods {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::All => f.write_str("all"),
            Self::Named(names) => names.fmt(f),
        }
    }
}
