//! What comes of each recorded CPU with VT-x: a table, worked out from the bits by hand.

use super::{Control, Invept, Missing, Offer, negotiate};
use crate::cpuid::{self, Bit};
use crate::fixtures::{ALL, Extension, Fixture, find};

/// A control or ability, without its name.
type At = (Offer, u32);

const VM_FUNCTIONS: At = (Offer::Secondary, 13);
const INVPCID: At = (Offer::Secondary, 12);
const XSAVES: At = (Offer::Secondary, 20);
const USER_WAIT: At = (Offer::Secondary, 26);
const GIB_PAGES: At = (Offer::EptVpid, 17);
const ACCESSED_DIRTY: At = (Offer::EptVpid, 21);
const WAIT_FOR_SIPI: At = (Offer::Misc, 8);

/// Names, secondary controls, and what is absent, in the order in which it is told, on several CPUs.
const RUN: [(&str, u32, &[At]); 20] = [
    ("bochs-arrandale", 0xaa, BEFORE_HASWELL),
    ("bochs-sandy-bridge", 0xaa, BEFORE_HASWELL),
    ("bochs-ivy-bridge", 0xaa, BEFORE_HASWELL),
    ("bochs-haswell", 0x30aa, &[XSAVES, USER_WAIT]),
    ("bochs-broadwell", 0x30aa, &[XSAVES, USER_WAIT]),
    ("bochs-skylake-x", 0x10_30aa, &[USER_WAIT]),
    ("bochs-cannon-lake", 0x10_30aa, &[USER_WAIT]),
    ("bochs-ice-lake", 0x10_30aa, &[USER_WAIT]),
    ("bochs-tiger-lake", 0x10_30aa, &[USER_WAIT]),
    ("intel-i7-2635qm", 0xaa, BEFORE_HASWELL),
    ("intel-i7-3960x", 0xaa, &[ACCESSED_DIRTY, INVPCID, XSAVES, USER_WAIT, VM_FUNCTIONS]),
    ("intel-i5-3570", 0xaa, BEFORE_HASWELL),
    ("intel-n3530", 0x20aa, &[GIB_PAGES, ACCESSED_DIRTY, INVPCID, XSAVES, USER_WAIT]),
    ("intel-i7-5600u", 0x30aa, &[XSAVES, USER_WAIT]),
    ("intel-i9-7900x", 0x10_30aa, &[USER_WAIT]),
    ("intel-xeon-4108", 0x10_30aa, &[USER_WAIT]),
    ("intel-ice-lake-y", 0x10_30aa, &[USER_WAIT]),
    ("intel-alder-lake", 0x410_30aa, &[]),
    ("kvm-nested", 0x10_30aa, &[USER_WAIT]),
    ("kvm-nested-2020", 0x10_30aa, &[USER_WAIT, WAIT_FOR_SIPI]),
];

const BEFORE_HASWELL: &[At] =
    &[GIB_PAGES, ACCESSED_DIRTY, INVPCID, XSAVES, USER_WAIT, VM_FUNCTIONS];

/// Names and the control that is needed and not offered.
const DO_NOT_RUN: [(&str, At); 4] = [
    ("bochs-core2-penryn", (Offer::Secondary, 1)),
    ("bochs-lynnfield", (Offer::Secondary, 7)),
    ("intel-core2-x6800", (Offer::Primary, 31)),
    ("intel-xeon-x5482", (Offer::Secondary, 1)),
];

/// The other words are the same wherever the stub runs: primary, exit, entry.
const WORDS: [u32; 3] = [0x9400_6172, 0x003f_6fff, 0xd1ff];
/// Pin-based controls where the stub takes NMIs, and where it does not.
const PIN: [u32; 2] = [0x3e, 0x16];

/// CPUID bits that are hidden for want of a control.
const HIDDEN: [(At, Bit); 3] =
    [(INVPCID, cpuid::INVPCID), (XSAVES, cpuid::XSAVES), (USER_WAIT, cpuid::WAITPKG)];

const fn at((offer, bit, _): Control) -> At {
    (offer, bit)
}

fn cpu(name: &str) -> crate::vmx::capability::Capabilities {
    Fixture::parse(find(name).unwrap()).unwrap().capabilities().unwrap()
}

#[test]
fn every_recorded_cpu_is_in_the_table() {
    let of_vmx = |text| Fixture::parse(text).unwrap().extension() == Extension::Vmx;
    let recorded = ALL.iter().filter(|(_, text)| of_vmx(text)).map(|(name, _)| *name);
    let mut recorded: Vec<&str> = recorded.collect();
    let run = RUN.iter().map(|(name, ..)| *name);
    let mut told: Vec<&str> = run.chain(DO_NOT_RUN.iter().map(|(name, _)| *name)).collect();
    recorded.sort_unstable();
    told.sort_unstable();
    assert_eq!(recorded, told);
}

#[test]
fn what_runs_runs_as_the_table_says() {
    for (name, secondary, absent) in RUN {
        let controls =
            negotiate(&cpu(name), true).unwrap_or_else(|error| panic!("{name}: {error}"));
        let lacks = |what| absent.contains(&what);
        let told: Vec<At> = controls.absent.iter().map(|absent| at(absent.control)).collect();
        assert_eq!(told, absent, "{name}");
        assert_eq!(controls.pin, PIN[0], "{name}");
        assert_eq!([controls.primary, controls.exit, controls.entry], WORDS, "{name}");
        assert_eq!(controls.secondary, secondary, "{name}");
        let (views, invept) = match lacks(VM_FUNCTIONS) {
            true => (false, Invept::SingleContext),
            false => (true, Invept::AllContexts),
        };
        assert_eq!((controls.views, controls.invept), (views, invept), "{name}");
        assert_eq!(controls.gib_pages, !lacks(GIB_PAGES), "{name}");
        assert_eq!(controls.several, !lacks(WAIT_FOR_SIPI), "{name}");
        assert_eq!((controls.vpid, controls.xsaves), (true, !lacks(XSAVES)), "{name}");
        let hidden = HIDDEN.iter().filter(|(what, _)| lacks(*what)).map(|(_, bit)| bit);
        assert!(controls.hidden.iter().eq(hidden), "{name}");
    }
}

#[test]
fn on_one_cpu_nmis_are_taken_for_views_only() {
    for (name, secondary, absent) in RUN {
        let controls = negotiate(&cpu(name), false).unwrap();
        let pin = PIN[usize::from(absent.contains(&VM_FUNCTIONS))];
        assert_eq!((controls.pin, controls.secondary), (pin, secondary), "{name}");
        let told = controls.absent.iter().map(|absent| at(absent.control));
        let expected = absent.iter().copied().filter(|what| *what != WAIT_FOR_SIPI);
        assert!(!controls.several && told.eq(expected), "{name}");
    }
}

#[test]
fn what_does_not_run_lacks_what_the_table_says() {
    for (name, lacking) in DO_NOT_RUN {
        let Missing { control, on, .. } = negotiate(&cpu(name), false).unwrap_err();
        assert_eq!((at(control), on), (lacking, true), "{name}");
    }
}
