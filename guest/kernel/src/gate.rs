//! The page from which other views are entered (`foreign_access` has its code): the stub is told which it is.
#![expect(unsafe_code, reason = "a symbol that the linker script defines")]

use foreign_access::Cpu;
use loadphys_abi::{Call, Status};

use crate::console::log;
use crate::cpu::Features;
use crate::layout::IMAGE_OFFSET;
use crate::stub;

unsafe extern "C" {
    /// The first byte of the page.
    static gate_page: u8;
}

/// Tells the stub, if it has views to enter, once for all. Without its consent there are none.
pub fn tell(cpu: &impl Cpu, features: &mut Features) {
    let Some(below) = &mut features.stub else { return };
    if !below.gate && !below.root_views {
        return;
    }
    let physical = &raw const gate_page as u64 - IMAGE_OFFSET;
    let (status, _) = stub::call(cpu, Call::SetGate.number(), [physical, 0, 0]);
    if status != Some(Status::Done) {
        log!("the stub refuses page {physical:#x} as the gate ({status:?}): no other views");
        (below.gate, below.root_views) = (false, false);
    }
}
