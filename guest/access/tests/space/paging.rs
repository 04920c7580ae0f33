//! Paging that a method cannot be used with.

use foreign_access::cpu::{Cpu, Hosted, Paging, Unsupported};
use foreign_access::methods::Recursive;
use foreign_access::{Entry, ForeignSpace};
use x86_64::VirtAddr;
use x86_64::structures::paging::{PageTableIndex, PhysFrame};

use crate::fixture::{Memory, frame, strict};

#[test]
fn a_method_refuses_paging_that_it_cannot_be_used_with() {
    let unsupported = |paging, recursive: bool| {
        let memory = Memory::new(1);
        let (cpu, mut deeds) = (Strange(Hosted::new(frame(0)), paging), ());
        let slots = [510, 400].map(PageTableIndex::new);
        // SAFETY: nothing is done with either.
        unsafe {
            let (mut slot, mut map) = (Recursive::new(slots[0], slots[1], 1), strict(&memory).map);
            match recursive {
                true => ForeignSpace::new(&cpu, &mut slot, &mut deeds, frame(0)).map(drop),
                false => ForeignSpace::new(&cpu, &mut map, &mut deeds, frame(0)).map(drop),
            }
        }
    };
    let five_levels = Paging { five_levels: true, ..Paging::PLAIN };
    let narrow_invlpg = Paging { narrow_invlpg: true, ..Paging::PLAIN };
    assert_eq!([false, true].map(|r| unsupported(Paging::PLAIN, r)), [Ok(()); 2]);
    let five = Err(Unsupported::FiveLevels);
    assert_eq!([false, true].map(|r| unsupported(five_levels, r)), [five; 2]);
    let narrow = Err(Unsupported::NarrowInvlpg);
    assert_eq!([false, true].map(|r| unsupported(narrow_invlpg, r)), [Ok(()), narrow]);
}

/// A CPU on which paging is set up in some way.
struct Strange(Hosted, Paging);

// SAFETY: hands on.
unsafe impl Cpu for Strange {
    unsafe fn load(&self, address: VirtAddr) -> Entry {
        // SAFETY: the caller's duty is the same.
        unsafe { self.0.load(address) }
    }

    unsafe fn exchange(&self, address: VirtAddr, new: Entry) -> Entry {
        // SAFETY: the caller's duty is the same.
        unsafe { self.0.exchange(address, new) }
    }

    unsafe fn compare_exchange(
        &self,
        address: VirtAddr,
        expected: Entry,
        new: Entry,
    ) -> Result<Entry, Entry> {
        // SAFETY: the caller's duty is the same.
        unsafe { self.0.compare_exchange(address, expected, new) }
    }

    fn root(&self) -> PhysFrame {
        self.0.root()
    }

    fn root_register(&self) -> u64 {
        self.0.root_register()
    }

    unsafe fn set_root_register(&self, value: u64) {
        // SAFETY: the caller's duty is the same.
        unsafe { self.0.set_root_register(value) };
    }

    fn mask_interrupts(&self) -> bool {
        self.0.mask_interrupts()
    }

    fn restore_interrupts(&self, were_on: bool) {
        self.0.restore_interrupts(were_on);
    }

    fn number(&self) -> usize {
        self.0.number()
    }

    fn invlpg(&self, address: VirtAddr) {
        self.0.invlpg(address);
    }

    fn paging(&self) -> Paging {
        self.1
    }
}
