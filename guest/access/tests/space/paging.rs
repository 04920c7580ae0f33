//! Paging that a method cannot be used with.

use foreign_access::ForeignSpace;
use foreign_access::cpu::{Hosted, Paging, Unsupported};
use foreign_access::methods::Recursive;
use x86_64::structures::paging::PageTableIndex;

use crate::fixture::{Memory, frame, strict};

#[test]
fn a_method_refuses_paging_that_it_cannot_be_used_with() {
    let unsupported = |paging, recursive: bool| {
        let memory = Memory::new(1);
        let (cpu, mut deeds) = (Hosted::new(frame(0)).with_paging(paging), ());
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
