//! Processes that share pages with this one, since they are copies of it.
#![expect(unsafe_code, reason = "system calls")]

use core::ffi::CStr;
use core::fmt::Write;
use core::hint::black_box;

use heapless::{String, Vec};
use loadphys_peer_linux::PAGE_BYTES;
use loadphys_plan::work::MOST_SHARERS;

use crate::region::Region;
use loadphys_peer_linux::enter;
use loadphys_peer_linux::failure::Failure;
use loadphys_peer_linux::files::File;
use loadphys_peer_linux::system::{Call, call, exit};

/// Processes that wait until they are told to check the pages.
#[derive(Debug)]
pub struct Sharers {
    /// By which they are told: when it is closed.
    told: File,
    processes: Vec<usize, { MOST_SHARERS as usize }>,
}

/// A sharer has checked all pages, and this many were wrong, or more.
const MOST_WRONG: u8 = u8::MAX;

impl Sharers {
    /// So many copies of this process, all of which wait; each will check the region against the pattern of a generation.
    pub fn start(count: u32, region: &Region, generation: u64) -> Result<Self, Failure> {
        let [wait, told] = pipe()?;
        let [ready, say_ready] = pipe()?;
        let mut processes = Vec::new();
        for _ in 0..count {
            // SAFETY: the copy has memory of its own.
            match unsafe { call(Call::Fork, [], "fork") }? {
                0 => {
                    drop(told);
                    serve(&say_ready, &wait, region, generation)
                }
                child => processes.push(child).map_err(|_| too_many())?,
            }
        }
        drop(say_ready);
        for _ in &processes {
            if ready.read(&mut [0])? == 0 {
                return Err(Failure::new(format_args!("a sharer ended before it was ready")));
            }
        }
        Ok(Self { told, processes })
    }

    /// How many pages of the region are in swap, by the page map of the process that has the fewest there.
    pub fn swapped(&self, region: &Region) -> Result<u32, Failure> {
        let mut least = region.swapped(c"/proc/self/pagemap")?;
        for process in &self.processes {
            let mut path: String<32> = String::new();
            let _ = write!(path, "/proc/{process}/pagemap\0");
            let path = CStr::from_bytes_with_nul(path.as_bytes()).unwrap_or(c"");
            least = least.min(region.swapped(path)?);
        }
        Ok(least)
    }

    /// Has all of them check every page. Gives back how many pages were wrong, all sharers counted.
    pub fn check(self) -> Result<u32, Failure> {
        drop(self.told);
        let mut wrong = 0;
        for _ in &self.processes {
            wrong += u32::from(exit_code()?);
        }
        Ok(wrong)
    }
}

fn too_many() -> Failure {
    Failure::new(format_args!("more than {MOST_SHARERS} sharers"))
}

/// What a sharer does. Its exit code is the number of wrong pages.
fn serve(ready: &File, wait: &File, region: &Region, generation: u64) -> ! {
    let prepared = keep_stack().and_then(|()| ready.write(&[1]));
    // Nobody writes: the end of the pipe is the word to begin.
    match prepared.and_then(|()| wait.read(&mut [0])) {
        Ok(_) => exit(u8::try_from(region.wrong(generation)).unwrap_or(MOST_WRONG)),
        Err(_) => exit(MOST_WRONG),
    }
}

/// Keeps a sharer's stack in memory: its pages are not among those that are measured.
fn keep_stack() -> Result<(), Failure> {
    // Written, so that the kernel has let the stack grow so far: what is not mapped cannot be kept.
    let here = [0_u8; PAGE_BYTES];
    let lowest = black_box(&here).as_ptr().addr() / PAGE_BYTES * PAGE_BYTES;
    let place = [lowest, enter::stack() - lowest];
    // SAFETY: contents stay as they are.
    unsafe { call(Call::Mlock, place, "mlock") }.map(drop)
}

/// The exit code of a child that has ended; [`MOST_WRONG`] if it was killed.
fn exit_code() -> Result<u8, Failure> {
    let mut status: i32 = 0;
    let arguments = [usize::MAX, (&raw mut status).addr(), 0, 0];
    // SAFETY: the status is ours.
    unsafe { call(Call::Wait, arguments, "wait") }?;
    let [signal, code, ..] = status.to_le_bytes();
    Ok(if signal == 0 { code } else { MOST_WRONG })
}

/// The end that is read, and the end that is written.
fn pipe() -> Result<[File; 2], Failure> {
    let mut ends: [i32; 2] = [0; 2];
    // SAFETY: there is room for two numbers.
    unsafe { call(Call::Pipe, [(&raw mut ends).addr()], "pipe") }?;
    Ok(ends.map(|end| File(end as usize)))
}
