//! The state in which the guest is entered for the first time: on the boot CPU 32-bit protected mode without paging ("x86/HVM
//! direct boot ABI"), on the others what INIT and SIPI leave ([`reset`]).

use crate::reset;
use crate::svm::efer::SVME;
use crate::svm::vmcb::{Save, Segment, segment};

/// Protection; extension type, always 1.
const PE: u64 = 1 << 0;
const ET: u64 = 1 << 4;

/// Attributes: 32-bit code, 32-bit data, both flat; a busy 32-bit TSS.
const CODE: u16 = 0xc9b;
const DATA: u16 = 0xc93;
const TASK: u16 = 0x8b;

/// Writes it. (General registers but RAX and RSP are no part of it.)
pub fn write(save: &mut Save, entry: u32) {
    let flat = |selector, attributes| Segment { selector, attributes, limit: u32::MAX, base: 0 };
    let data = flat(0x10, DATA);
    save.segments = [data; 10];
    save.segments[segment::CS] = flat(0x08, CODE);
    for table in [segment::GDTR, segment::LDTR, segment::IDTR] {
        save.segments[table] = Segment::default();
    }
    save.segments[segment::TR] = Segment { attributes: TASK, limit: 0x67, ..Segment::default() };
    (save.cr0, save.rip) = (PE | ET, u64::from(entry));
    write_registers(save);
}

/// Writes the state in which a SIPI with this vector starts a CPU. What INIT leaves as it is stays.
pub fn write_reset(save: &mut Save, vector: u8) {
    let [es, cs, ss, ds, fs, gs, ldtr, tr] = reset::segments(vector).map(segment_of);
    let table = Segment { limit: reset::TABLE_LIMIT as u32, ..Segment::default() };
    save.segments = [es, cs, ss, ds, fs, gs, table, ldtr, table, tr];
    (save.cr0, save.rip) = (reset::CR0, 0);
    write_registers(save);
}

fn write_registers(save: &mut Save) {
    (save.cr3, save.cr4, save.efer) = (0, 0, SVME);
    (save.rflags, save.rax, save.rsp, save.cr2) = (reset::RFLAGS, 0, 0, 0);
    (save.dr6, save.dr7, save.cpl) = (reset::DR6, reset::DR7, 0);
}

/// Rights in the VMCS are bits 7:0 and 15:12; here the latter follow the former.
const fn segment_of(segment: reset::Segment) -> Segment {
    Segment {
        selector: segment.selector as u16,
        attributes: (segment.rights & 0xff | segment.rights >> 4 & 0xf00) as u16,
        limit: segment.limit as u32,
        base: segment.base,
    }
}
