//! What Linux needs before anything can be measured.

use core::ffi::CStr;
use core::fmt::Write;

use heapless::String;
use loadphys_peer_linux::counters::words_for_init;
use loadphys_peer_linux::{PAGE_BYTES, swap_area};
use loadphys_plan::command_line::Plan;

use crate::row::region_pages;
use loadphys_peer_linux::failure::Failure;
use loadphys_peer_linux::files::{
    DIRECT, File, WRITE, get, load_module, make_directory, mount, put, swap_on,
};
use loadphys_peer_linux::system::stay_in_memory;

/// The RAM disk.
const DISK: &CStr = c"/dev/ram0";

/// The module that has RAM disks; the initial file system has it here.
const MODULE: &CStr = c"/brd.ko";

/// Mounts what is needed, turns on what evicts shared pages best, and reads what is to be done.
pub fn system() -> Result<Plan, Failure> {
    mount(c"devtmpfs", c"/dev")?;
    mount(c"proc", c"/proc")?;
    mount(c"sysfs", c"/sys")?;
    mount(c"cgroup2", c"/groups")?;
    put(c"/sys/kernel/mm/lru_gen/enabled", b"y")?;
    put(c"/groups/cgroup.subtree_control", b"+memory")?;
    make_directory(c"/groups/sharers")?;
    put(c"/groups/sharers/cgroup.procs", b"0")?;
    stay_in_memory()?;
    let mut room = [0; 2048];
    let line = get(c"/proc/cmdline", &mut room)?;
    words_for_init(line).parse().map_err(|mistake| Failure::new(format_args!("{mistake}")))
}

/// Pages of swap beyond those that are measured: for those that each process has for itself.
const SPARE_FOR_EACH: u32 = 16;

/// The same for the kernel, which hands slots out to CPUs by the dozen.
const SPARE: u32 = 256;

/// Swaps to a RAM disk with room for what is evicted of so many pages. All of it is written first, since the disk takes memory for a page when
/// that is first written, and that is not part of eviction.
pub fn swap(pages: u32, sharers: u32) -> Result<(), Failure> {
    let all = region_pages(pages) + sharers * SPARE_FOR_EACH + SPARE;
    let mut parameters: String<64> = String::new();
    let _ = write!(parameters, "rd_nr=1 rd_size={}\0", all as usize * PAGE_BYTES / 1024);
    load_module(MODULE, CStr::from_bytes_with_nul(parameters.as_bytes()).unwrap_or(c""))?;
    fill(all)?;
    swap_on(DISK)
}

/// A page that can be written past the page cache.
#[repr(align(4096))]
struct Aligned([u8; PAGE_BYTES]);

fn fill(pages: u32) -> Result<(), Failure> {
    let disk = File::open(DISK, WRITE | DIRECT)?;
    let empty = Aligned([0; PAGE_BYTES]);
    for page in 1..pages {
        disk.write_at(&empty.0, page as usize * PAGE_BYTES)?;
    }
    disk.write_at(&Aligned(swap_area::header(pages)).0, 0)
}
