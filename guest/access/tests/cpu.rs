//! What is read from the CPU that runs the tests.
#![cfg(all(target_os = "linux", target_arch = "x86_64", not(miri)))]

use foreign_access::cpu::CallInstruction;

#[test]
fn the_vendor_is_read_in_its_order() {
    let known = std::fs::read_to_string("/proc/cpuinfo").unwrap();
    let amd = ["AuthenticAMD", "HygonGenuine"].iter().any(|vendor| known.contains(vendor));
    let expected = if amd { CallInstruction::Vmmcall } else { CallInstruction::Vmcall };
    assert_eq!(CallInstruction::read(), expected);
}
