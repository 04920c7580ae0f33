use super::{
    Control, Controls, INSTRUCTIONS, INVEPT_ALL, INVEPT_SINGLE, Invept, NEEDED, NEEDED_ABILITIES,
    NEEDED_OFF, NMIS, Offer, SEVERAL, VIEWS, VM_FUNCTIONS, negotiate, on,
};
use crate::cpuid;
use crate::fixtures::{Fixture, find};
use crate::vmx::capability::Capabilities;

const SKYLAKE_X: &str = "bochs-skylake-x";
const HASWELL: &str = "bochs-haswell";
const KVM: &str = "kvm-nested";
/// CPUs that offer all that matters here, instructions aside.
const FULL: [&str; 4] = [SKYLAKE_X, HASWELL, "bochs-tiger-lake", KVM];

fn msrs(name: &str) -> Vec<(u32, u64)> {
    Fixture::parse(find(name).unwrap()).unwrap().msrs().collect()
}

fn read(msrs: &[(u32, u64)]) -> Capabilities {
    Capabilities::read(|number| {
        let found = msrs.iter().find(|(msr, _)| *msr == number);
        found.unwrap_or_else(|| panic!("{number:#x} is not there and must not be read")).1
    })
}

fn capabilities(name: &str) -> Capabilities {
    read(&msrs(name))
}

fn msr(msrs: &mut [(u32, u64)], number: u32) -> &mut u64 {
    &mut msrs.iter_mut().find(|(msr, _)| *msr == number).unwrap().1
}

fn field(cpu: &mut Capabilities, offer: Offer) -> &mut u64 {
    match offer {
        Offer::Pin => &mut cpu.pin,
        Offer::Primary => &mut cpu.primary,
        Offer::Secondary => &mut cpu.secondary,
        Offer::Exit => &mut cpu.exit,
        Offer::Entry => &mut cpu.entry,
        Offer::EptVpid => &mut cpu.ept_vpid,
        Offer::VmFunctions => &mut cpu.vm_functions,
        Offer::Cr4 => &mut cpu.cr4_fixed1,
        Offer::Misc => &mut cpu.misc,
    }
}

/// The same CPU without this control.
fn without(cpu: &Capabilities, (offer, bit, _): Control) -> Capabilities {
    let whole = matches!(offer, Offer::EptVpid | Offer::VmFunctions | Offer::Cr4 | Offer::Misc);
    let halves = if whole { 0 } else { 32 };
    let mut cpu = *cpu;
    *field(&mut cpu, offer) &= !(1 << (bit + halves));
    cpu
}

/// Every word of controls with the MSR that rules it.
fn words(cpu: &Capabilities, controls: &Controls) -> [(u32, u64); 5] {
    [
        (controls.pin, cpu.pin),
        (controls.primary, cpu.primary),
        (controls.secondary, cpu.secondary),
        (controls.exit, cpu.exit),
        (controls.entry, cpu.entry),
    ]
}

#[test]
fn recorded_cpus_get_what_they_allow() {
    for name in FULL {
        let cpu = capabilities(name);
        let controls = negotiate(&cpu, true).unwrap();
        for (value, msr) in words(&cpu, &controls) {
            assert_eq!(value & msr as u32, msr as u32, "a bit that must be 1");
            assert_eq!(value & !((msr >> 32) as u32), 0, "a bit that must be 0");
        }
        assert!(controls.vpid && controls.gib_pages && controls.views);
    }
}

#[test]
fn skylake_lacks_user_wait_only() {
    let controls = negotiate(&capabilities(SKYLAKE_X), false).unwrap();
    let secondary = 1 << 1 | 1 << 3 | 1 << 5 | 1 << 7 | 1 << 12 | 1 << 13 | 1 << 20;
    assert_eq!(controls.secondary, secondary);
    assert_eq!(controls.pin, 0x16 | 1 << 3 | 1 << 5);
    assert_eq!(controls.primary, 0x0400_6172 | 1 << 28 | 1 << 31);
    assert_eq!(controls.hidden, [cpuid::WAITPKG]);
}

#[test]
fn haswell_lacks_xsaves_too() {
    let controls = negotiate(&capabilities(HASWELL), false).unwrap();
    assert_eq!(controls.hidden, [cpuid::XSAVES, cpuid::WAITPKG]);
    assert!(!controls.xsaves);
}

#[test]
fn each_needed_control_is_named_when_it_is_missing() {
    for name in FULL {
        let cpu = capabilities(name);
        for control in NEEDED.into_iter().chain(NEEDED_ABILITIES) {
            let missing = negotiate(&without(&cpu, control), true).unwrap_err();
            assert_eq!((missing.control, missing.on), (control, true));
            let (offer, bit, name) = control;
            let line = missing.to_string();
            assert!(line.contains(name) && line.contains(offer.name(true)), "{line}");
            assert!(line.contains(&format!("bit {bit},")), "{line}");
        }
    }
}

#[test]
fn each_control_that_cannot_be_off_is_named() {
    let cpu = capabilities(KVM);
    for control in NEEDED_OFF {
        let mut stuck = cpu;
        *field(&mut stuck, control.0) |= 1 << control.1;
        let missing = negotiate(&stuck, false).unwrap_err();
        assert_eq!((missing.control, missing.on), (control, false));
        assert!(missing.to_string().ends_with("cannot be switched off"));
    }
}

#[test]
fn an_old_cpu_without_true_msrs_cannot_leave_cr3_alone() {
    let mut old = msrs(KVM);
    *msr(&mut old, 0x480) &= !(1 << 55);
    let cpu = read(&old);
    let line = negotiate(&cpu, true).unwrap_err().to_string();
    assert!(line.contains("IA32_VMX_PROCBASED_CTLS bit 15, 'CR3-load exiting'"), "{line}");
}

#[test]
fn a_cpu_without_secondary_controls_is_not_asked_for_them() {
    let mut old = msrs(KVM);
    old.retain(|(msr, _)| ![0x48b, 0x48c].contains(msr));
    *msr(&mut old, 0x48e) &= !(1 << 63);
    let missing = negotiate(&read(&old), false).unwrap_err();
    assert_eq!(missing.control.2, "activate secondary controls");
}

#[test]
fn what_is_optional_is_switched_off_with_a_reason() {
    let cpu = capabilities(SKYLAKE_X);
    let before = negotiate(&cpu, true).unwrap();
    for bit in [5, 3, 12, 20, 117, 121, 132, 141] {
        let (offer, bit) =
            if bit < 100 { (Offer::Secondary, bit) } else { (Offer::EptVpid, bit - 100) };
        let lesser = without(&cpu, (offer, bit, ""));
        assert!(!on(&lesser, (offer, bit, "")));
        let controls = negotiate(&lesser, true).unwrap();
        assert_eq!(controls.absent.len(), before.absent.len() + 1, "{offer:?} {bit}");
        let told = |a: &super::Absent| (a.control.0, a.control.1) == (offer, bit);
        assert!(controls.absent.iter().any(told), "{offer:?} {bit}");
        assert_eq!(controls.vpid, ![5, 32, 41].contains(&bit));
        assert_eq!(controls.secondary & 1 << 5 != 0, controls.vpid);
        assert_eq!(controls.gib_pages, bit != 17);
    }
}

#[test]
fn all_that_is_optional_may_be_absent_at_once() {
    let mut cpu = capabilities(SKYLAKE_X);
    cpu.ept_vpid = 1 << 6 | 1 << 14 | 1 << 16 | 1 << 20 | 1 << 26;
    cpu.secondary = (1 << 1 | 1 << 7) << 32;
    (cpu.misc, cpu.vm_functions) = (0, 0);
    let controls = negotiate(&cpu, true).unwrap();
    assert_eq!(controls.hidden.len(), INSTRUCTIONS.len());
    assert_eq!(controls.absent.len(), 5 + INSTRUCTIONS.len());
    assert_eq!(controls.invept, Invept::AllContexts);
    cpu.ept_vpid &= !(1 << INVEPT_ALL.1);
    assert_eq!(negotiate(&cpu, true).unwrap_err().control, INVEPT_SINGLE);
}

/// A CPU on which VMFUNC does nothing: a stub without views.
fn without_views(cpu: &Capabilities) -> Capabilities {
    without(cpu, VIEWS[1])
}

#[test]
fn several_cpus_need_each_of_their_controls() {
    for name in FULL {
        let cpu = without_views(&capabilities(name));
        let (one, several) = (negotiate(&cpu, false).unwrap(), negotiate(&cpu, true).unwrap());
        assert!(several.several && !one.several && several.nmis() && !one.nmis());
        let added = NMIS.iter().fold(0, |bits, (_, bit, _)| bits | 1 << bit);
        assert_eq!((several.pin, several.primary), (one.pin | added, one.primary));
        for control in SEVERAL {
            let lesser = negotiate(&without(&cpu, control), true).unwrap();
            assert!(!lesser.several && lesser.pin == one.pin, "{control:?}");
            assert!(lesser.absent.iter().any(|absent| absent.control == control));
        }
    }
}

#[test]
fn views_need_each_of_their_controls() {
    for name in FULL {
        let cpu = capabilities(name);
        let with = negotiate(&cpu, false).unwrap();
        let plain = negotiate(&without_views(&cpu), false).unwrap();
        assert!(with.views && with.nmis() && !plain.views);
        assert_eq!(with.secondary, plain.secondary | 1 << VM_FUNCTIONS.1);
        assert_eq!(with.primary, plain.primary);
        for control in VIEWS {
            let lesser = negotiate(&without(&cpu, control), false).unwrap();
            assert_eq!((lesser.secondary, lesser.pin), (plain.secondary, plain.pin), "{control:?}");
            let told = lesser.absent.iter().find(|absent| absent.control == control).unwrap();
            assert!(told.to_string().ends_with("no gate, no views of other roots"), "{told}");
        }
    }
}

#[test]
fn a_cpu_without_vm_functions_is_not_asked_what_they_can_do() {
    let mut old = msrs(SKYLAKE_X);
    old.retain(|(msr, _)| *msr != 0x491);
    *msr(&mut old, 0x48b) &= !(1 << (13 + 32));
    assert!(!negotiate(&read(&old), true).unwrap().views);
}

#[test]
fn a_flush_reaches_every_view_at_once_where_it_can() {
    let cpu = capabilities(SKYLAKE_X);
    let invept = |cpu: &Capabilities| negotiate(cpu, true).unwrap().invept;
    assert_eq!(invept(&cpu), Invept::AllContexts);
    assert_eq!(invept(&without(&cpu, INVEPT_SINGLE)), Invept::AllContexts);
    assert_eq!(invept(&without(&cpu, INVEPT_ALL)), Invept::SingleContext);
    assert_eq!(invept(&without_views(&cpu)), Invept::SingleContext);
}
