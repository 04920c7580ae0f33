//! Which range is evacuated: what the plan says, or where programs have most of their frames.

use loadphys_plan::command_line::MemoryRange;
use page_reclaim::evacuate::Why;
use page_reclaim::{Frames, Kind};
use x86_64::PhysAddr;
use x86_64::structures::paging::PhysFrame;
use x86_64::structures::paging::frame::PhysFrameRange;

use crate::scene::{Failure, Scene};

/// Bytes of a frame.
const FRAME: u64 = 4096;

/// The range that the plan asks for, or the run of frames, none of them the kernel's, of which programs have most.
pub fn range(scene: &Scene) -> Result<MemoryRange, Failure> {
    let core = scene.kernel.core();
    let frames = &core.memory.frames;
    let end = frames.len() as u64 * FRAME;
    match scene.plan.range {
        Some(range) if range.end <= end => Ok(range),
        Some(range) => Err(Failure::new(format_args!("range={range}: memory ends at {end:#x}"))),
        None => most_used(frames).ok_or_else(|| Failure::new(format_args!("no frame is in use"))),
    }
}

/// The frames of a range.
pub fn frames(range: MemoryRange) -> PhysFrameRange {
    let frame = |at| PhysFrame::containing_address(PhysAddr::new(at));
    PhysFrame::range(frame(range.start), frame(range.end))
}

/// A run of frames that are not the kernel's, from the first to the last that is in use.
#[derive(Clone, Copy, Default)]
struct Run {
    start: u64,
    end: u64,
    used: u64,
}

fn most_used(frames: &Frames<'_>) -> Option<MemoryRange> {
    let (mut run, mut best) = (Run::default(), Run::default());
    for number in 0..frames.len() as u64 {
        match frames.kind(PhysFrame::containing_address(PhysAddr::new(number * FRAME))) {
            Kind::Reserved | Kind::Kernel => run = Run::default(),
            Kind::Free | Kind::Offline => {}
            Kind::Root | Kind::Table | Kind::Page => {
                run.start = if run.used == 0 { number } else { run.start };
                (run.end, run.used) = (number + 1, run.used + 1);
            }
        }
        best = if run.used > best.used { run } else { best };
    }
    (best.used > 0).then_some(MemoryRange { start: best.start * FRAME, end: best.end * FRAME })
}

/// Why a frame stays, in words.
pub const fn why(why: Why) -> &'static str {
    match why {
        Why::Kernels => "is the kernel's own",
        Why::NotGranted => "is the kernel's image or areas, or no memory",
        Why::Busy => "is being evicted",
        Why::Refused(_) => "is refused by the method",
        Why::NotLinked => "is not where its records say",
    }
}
