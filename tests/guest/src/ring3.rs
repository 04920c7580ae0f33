//! Ring 3, as far as it takes to execute VMFUNC there.
#![expect(unsafe_code, reason = "a GDT, a TSS, and the way to ring 3 and back")]

use core::arch::naked_asm;
use core::cell::UnsafeCell;

use spin::Once;
use x86_64::VirtAddr;
use x86_64::instructions::{segmentation::SS, segmentation::Segment, tables::load_tss, tlb};
use x86_64::structures::gdt::{
    Descriptor, DescriptorFlags, GlobalDescriptorTable, SegmentSelector,
};
use x86_64::structures::tss::TaskStateSegment;

/// Where exceptions of ring 3 begin.
#[repr(C, align(16))]
struct Stack(UnsafeCell<[u8; 0x1000]>);

// SAFETY: the boot CPU's alone.
unsafe impl Sync for Stack {}

static STACK: Stack = Stack(UnsafeCell::new([0; 0x1000]));

static TSS: Once<TaskStateSegment> = Once::new();
static GDT: Once<GlobalDescriptorTable> = Once::new();

/// Selectors of ring 3, with their privilege level.
const DATA: u64 = 3 << 3 | 3;
const CODE: u64 = 4 << 3 | 3;
const CODE_32: u64 = 5 << 3 | 3;
const TASK: SegmentSelector = SegmentSelector(6 << 3);

/// What code of ring 3 is executed as.
#[derive(Clone, Copy, Debug)]
#[repr(u64)]
pub enum Mode {
    /// 64-bit code.
    Long = CODE,
    /// 32-bit code.
    Compatible = CODE_32,
}

/// Both.
pub const MODES: [Mode; 2] = [Mode::Long, Mode::Compatible];

/// Sets up what ring 3 needs on this CPU: segments with numbers that begin as those of the entry code, a stack for exceptions, a
/// page that ring 3 may execute.
pub fn prepare() {
    let tss = TSS.call_once(|| {
        let mut tss = TaskStateSegment::new();
        tss.privilege_stack_table[0] = VirtAddr::from_ptr(STACK.0.get().wrapping_add(1));
        tss
    });
    let gdt = GDT.call_once(|| {
        let mut gdt = GlobalDescriptorTable::new();
        for segment in [
            Descriptor::kernel_code_segment(),
            Descriptor::kernel_data_segment(),
            Descriptor::user_data_segment(),
            Descriptor::user_code_segment(),
            Descriptor::UserSegment(DescriptorFlags::USER_CODE32.bits()),
            Descriptor::tss_segment(tss),
        ] {
            gdt.append(segment);
        }
        gdt
    });
    gdt.load();
    // SAFETY: these are segments of the table that has just been loaded.
    unsafe {
        SS::set_reg(SegmentSelector(2 << 3));
        load_tss(TASK);
    }
    open(in_ring_3 as *const () as u64);
}

unsafe extern "C" {
    /// Of the entry code.
    static mut boot_root: [u64; 512];
}

/// Lets ring 3 execute what lies here.
fn open(at: u64) {
    const PRESENT: u64 = 1 << 0;
    const USER: u64 = 1 << 2;
    const LARGE: u64 = 1 << 7;
    const ADDRESS: u64 = 0x000f_ffff_ffff_f000;
    let mut table = (&raw mut boot_root) as u64;
    for level in (1..=4).rev() {
        let index = at >> (12 + 9 * (level - 1)) & 511;
        let entry = (table + index * 8) as *mut u64;
        // SAFETY: the tables of this guest lie at their own addresses.
        let found = unsafe { entry.read_volatile() };
        assert!(found & PRESENT != 0, "{at:#x} is mapped");
        // SAFETY: as above.
        unsafe { entry.write_volatile(found | USER) };
        if found & LARGE != 0 {
            break;
        }
        table = found & ADDRESS;
    }
    tlb::flush_all();
}

/// VMFUNC in ring 3; gives the vector of the exception that it ended with, which is that of UD2 if it was executed and nothing
/// came of it.
pub fn vmfunc(mode: Mode, function: u32, view: u32) -> u64 {
    let mut vector = 0;
    go(function, &mut vector, view, mode);
    vector
}

/// The stack of ring 0 while ring 3 runs.
static mut LEFT_AT: u64 = 0;

#[unsafe(naked)]
extern "C" fn go(function: u32, vector: &mut u64, view: u32, mode: Mode) {
    naked_asm!(
        "push rbx",
        "push rbp",
        "push r12",
        "push r13",
        "push r14",
        "push r15",
        "mov [rip + {left_at}], rsp",
        "mov r8, rcx",
        "mov eax, edi",
        "mov ecx, edx",
        "lea rdx, [rip + {in_ring_3}]",
        "push {data}",
        "push 0",
        "push 2",
        "push r8",
        "push rdx",
        "iretq",
        left_at = sym LEFT_AT,
        in_ring_3 = sym in_ring_3,
        data = const DATA,
    )
}

/// The same bytes in both modes.
#[unsafe(naked)]
extern "C" fn in_ring_3() {
    naked_asm!("vmfunc", "ud2")
}

/// Where exceptions of ring 3 end: behind `go`.
#[unsafe(naked)]
pub extern "C" fn come_back() {
    naked_asm!(
        "mov rsp, [rip + {left_at}]",
        "pop r15",
        "pop r14",
        "pop r13",
        "pop r12",
        "pop rbp",
        "pop rbx",
        "ret",
        left_at = sym LEFT_AT,
    )
}
