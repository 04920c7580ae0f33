//! The virtual machine control block (APM volume 2, appendix B "Layout of VMCB").

use core::mem::offset_of;

/// A segment register. Attributes are bits 55:52 and 47:40 of a descriptor, side by side.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C)]
pub struct Segment {
    /// Selector.
    pub selector: u16,
    /// Attributes.
    pub attributes: u16,
    /// Limit, in bytes.
    pub limit: u32,
    /// Base.
    pub base: u64,
}

/// What the CPU is told, and what it tells at an exit.
#[derive(Debug)]
#[repr(C)]
pub struct Control {
    control_registers: u32,
    debug_registers: u32,
    /// Exceptions, events and instructions that exit: bits of [`intercept`].
    pub intercepts: [u32; 3],
    reserved: [u32; 11],
    /// Physical address of the I/O permissions map.
    pub io_map: u64,
    /// Physical address of the MSR permissions map.
    pub msr_map: u64,
    tsc_offset: u64,
    /// The guest's address-space identifier.
    pub asid: u32,
    /// What the next entry flushes.
    pub flush: u32,
    /// Virtual interrupts.
    pub interrupts: u64,
    /// Bit 0: interrupts wait for one instruction.
    pub shadow: u64,
    /// Why the guest exited.
    pub exit_code: u64,
    /// What belongs to it.
    pub exit_info: [u64; 2],
    /// The event that was being delivered.
    pub in_delivery: u64,
    /// Bit 0: nested paging is on.
    pub nested_paging: u64,
    avic: [u64; 2],
    /// The event that the next entry delivers.
    pub event: u64,
    /// The root of the nested tables.
    pub nested_root: u64,
    last_branch: u64,
    clean: u64,
    /// Where the next instruction is, on CPUs that say it.
    pub next_rip: u64,
    rest: [u8; 0x330],
}

/// Bits of [`Control::intercepts`]: the word and the bit.
pub mod intercept {
    /// One of them.
    pub type Intercept = (usize, u32);

    /// Physical interrupts.
    pub const INTERRUPT: Intercept = (1, 0);
    /// Physical NMIs.
    pub const NMI: Intercept = (1, 1);
    /// Physical INITs.
    pub const INIT: Intercept = (1, 3);
    /// CPUID.
    pub const CPUID: Intercept = (1, 18);
    /// IRET.
    pub const IRET: Intercept = (1, 20);
    /// INVD.
    pub const INVD: Intercept = (1, 22);
    /// INVLPGA.
    pub const INVLPGA: Intercept = (1, 26);
    /// RDMSR and WRMSR, as the map says.
    pub const MSRS: Intercept = (1, 28);
    /// Triple faults.
    pub const SHUTDOWN: Intercept = (1, 31);
    /// VMRUN.
    pub const VMRUN: Intercept = (2, 0);
    /// VMMCALL.
    pub const VMMCALL: Intercept = (2, 1);
    /// VMLOAD.
    pub const VMLOAD: Intercept = (2, 2);
    /// VMSAVE.
    pub const VMSAVE: Intercept = (2, 3);
    /// STGI.
    pub const STGI: Intercept = (2, 4);
    /// CLGI.
    pub const CLGI: Intercept = (2, 5);
    /// SKINIT.
    pub const SKINIT: Intercept = (2, 6);
    /// XSETBV.
    pub const XSETBV: Intercept = (2, 13);
}

/// The guest's state.
#[derive(Debug)]
#[repr(C)]
pub struct Save {
    /// ES, CS, SS, DS, FS, GS, GDTR, LDTR, IDTR, TR.
    pub segments: [Segment; 10],
    reserved_1: [u8; 0x2b],
    /// The ring.
    pub cpl: u8,
    reserved_2: u32,
    /// EFER.
    pub efer: u64,
    reserved_3: [u8; 0x70],
    /// CR4.
    pub cr4: u64,
    /// CR3.
    pub cr3: u64,
    /// CR0.
    pub cr0: u64,
    /// DR7.
    pub dr7: u64,
    /// DR6.
    pub dr6: u64,
    /// RFLAGS.
    pub rflags: u64,
    /// RIP.
    pub rip: u64,
    reserved_4: [u8; 0x58],
    /// RSP.
    pub rsp: u64,
    shadow_stack: [u64; 3],
    /// RAX.
    pub rax: u64,
    system_call: [u64; 5],
    system_enter: [u64; 3],
    /// CR2.
    pub cr2: u64,
    reserved_5: [u8; 0x20],
    /// PAT.
    pub pat: u64,
    /// DebugCtl.
    pub debugctl: u64,
    rest: [u8; 0x988],
}

/// Places in [`Save::segments`].
pub mod segment {
    /// ES.
    pub const ES: usize = 0;
    /// CS.
    pub const CS: usize = 1;
    /// SS.
    pub const SS: usize = 2;
    /// DS.
    pub const DS: usize = 3;
    /// FS.
    pub const FS: usize = 4;
    /// GS.
    pub const GS: usize = 5;
    /// GDTR.
    pub const GDTR: usize = 6;
    /// LDTR.
    pub const LDTR: usize = 7;
    /// IDTR.
    pub const IDTR: usize = 8;
    /// TR.
    pub const TR: usize = 9;
}

/// A frame that tells the CPU how to run a guest, and holds the guest's state while it does not run.
#[derive(Debug)]
#[repr(C, align(4096))]
pub struct Vmcb {
    /// How it is run.
    pub control: Control,
    /// Its state.
    pub save: Save,
}

impl Vmcb {
    /// Lets something exit, or not any more.
    pub const fn intercept(&mut self, (word, bit): intercept::Intercept, on: bool) {
        let word = &mut self.control.intercepts[word];
        *word = if on { *word | 1 << bit } else { *word & !(1 << bit) };
    }
}

const _: () = {
    assert!(offset_of!(Control, intercepts) == 8);
    assert!(offset_of!(Control, io_map) == 0x40);
    assert!(offset_of!(Control, asid) == 0x58);
    assert!(offset_of!(Control, exit_code) == 0x70);
    assert!(offset_of!(Control, nested_paging) == 0x90);
    assert!(offset_of!(Control, event) == 0xa8);
    assert!(offset_of!(Control, nested_root) == 0xb0);
    assert!(offset_of!(Control, next_rip) == 0xc8);
    assert!(offset_of!(Vmcb, save) == 0x400);
    assert!(offset_of!(Save, cpl) == 0xcb);
    assert!(offset_of!(Save, efer) == 0xd0);
    assert!(offset_of!(Save, cr4) == 0x148);
    assert!(offset_of!(Save, rip) == 0x178);
    assert!(offset_of!(Save, rsp) == 0x1d8);
    assert!(offset_of!(Save, rax) == 0x1f8);
    assert!(offset_of!(Save, cr2) == 0x240);
    assert!(offset_of!(Save, pat) == 0x268);
    assert!(offset_of!(Save, debugctl) == 0x270);
    assert!(size_of::<Vmcb>() == 4096);
};
