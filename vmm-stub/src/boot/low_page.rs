//! The page below 1 MiB in which other CPUs start. The guest will have all such pages: one is borrowed, and given back
//! as it was.
#![expect(unsafe_code, reason = "borrows a page of the guest's")]

use core::slice;

use loadphys_abi::FRAME_BYTES;
use loadphys_boot::trampoline;

use crate::places::{self, MemoryMap};
use crate::problem::Problem;

/// Where real mode's memory ends; above are devices and firmware.
const REAL_MODE_END: u64 = 0xa_0000;

/// The borrowed page, with what was in it.
pub struct Page {
    at: u64,
    was: [u8; FRAME_BYTES as usize],
}

impl Page {
    /// Borrows a page and puts the code there.
    ///
    /// # Errors
    /// [`Problem::NoPlace`], if there is no memory below 640 KiB.
    pub fn borrow(map: &MemoryMap) -> Result<Self, Problem> {
        let place = places::highest_free(map, REAL_MODE_END, FRAME_BYTES, &[]);
        let at = place.ok_or(Problem::NoPlace("starting other CPUs below 640 KiB"))?.start;
        let mut was = [0; FRAME_BYTES as usize];
        was.copy_from_slice(bytes(at));
        let code = trampoline::code();
        bytes(at)[..code.len()].copy_from_slice(code);
        Ok(Self { at, was })
    }

    /// The number that a SIPI names it by.
    pub const fn vector(&self) -> u8 {
        (self.at / FRAME_BYTES) as u8
    }

    /// Gives it back as it was.
    pub fn give_back(self) {
        bytes(self.at).copy_from_slice(&self.was);
    }
}

/// A page of the guest's memory.
fn bytes(at: u64) -> &'static mut [u8] {
    // SAFETY: usable memory, mapped at itself; the guest does not run yet, and the CPUs that run there only read.
    unsafe { slice::from_raw_parts_mut(at as *mut u8, FRAME_BYTES as usize) }
}
