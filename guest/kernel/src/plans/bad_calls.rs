//! Every call that the stub must refuse, and what it must not have changed then.

use loadphys_abi::batch::{Action, Item, MOST_ITEMS};
use loadphys_abi::{Call, Status};
use loadphys_plan::records::counts;

use crate::console::log;
use crate::layout::IMAGE_OFFSET;
use crate::measure::report;
use crate::scene::{Failure, Scene};
use crate::stub;

/// A frame that is none: no machine has memory there.
const BEYOND: u64 = 1 << 50;

/// A call and the answer it must get.
struct Case {
    what: &'static str,
    number: u64,
    arguments: [u64; 3],
    wanted: Status,
}

/// Makes all the calls.
pub fn run(scene: &mut Scene) -> Result<(), Failure> {
    if scene.features.stub.is_none() {
        return Err(Failure::new(format_args!("no stub below: bad-calls needs path vmx or svm")));
    }
    let frame = scene.kernel.core().memory.frames.take_for_kernel();
    let frame = frame.ok_or_else(|| Failure::new(format_args!("no frame is free")))?;
    let table = frame.start_address().as_u64();
    scene.kernel.machine.show(frame, |words| words.fill(0));
    let before = stub::counters(scene.kernel.machine.cpu()).refused;
    let wrong = cases(table).iter().filter(|case| !holds(scene, case)).count()
        + usize::from(!batch_stops(scene, table));
    let refused = stub::counters(scene.kernel.machine.cpu()).refused - before;
    report::count(counts::REFUSED_CALLS, refused);
    report::count(counts::WRONG_ANSWERS, wrong as u64);
    scene.kernel.core().memory.frames.give_back(frame).expect("it was taken for the kernel");
    scene.audit()?;
    if wrong == 0 {
        Ok(())
    } else {
        Err(Failure::new(format_args!("{wrong} calls were answered wrongly")))
    }
}

/// In this order: some register the table, the last release it.
fn cases(table: u64) -> [Case; 23] {
    let case = |what, call: Call, arguments, wanted| Case {
        what,
        number: call.number(),
        arguments,
        wanted,
    };
    let number = |what, number, wanted| Case { what, number, arguments: [0; 3], wanted };
    let unregistered = table + 4096;
    [
        number("call 0", 0, Status::UnknownCall),
        number("call 11", Call::ALL.len() as u64 + 1, Status::UnknownCall),
        number("call -1", u64::MAX, Status::UnknownCall),
        case("load from no table", Call::Load, [table, 0, 0], Status::NotATable),
        case("exchange in no table", Call::Exchange, [table, 1, 0], Status::NotATable),
        case(
            "compare-exchange in no table",
            Call::CompareExchange,
            [table, 0, 1],
            Status::NotATable,
        ),
        case("register level 0", Call::RegisterTable, [table, 0, 0], Status::NoSuchLevel),
        case("register level 6", Call::RegisterTable, [table, 6, 0], Status::NoSuchLevel),
        case(
            "register an unaligned frame",
            Call::RegisterTable,
            [table + 8, 1, 0],
            Status::Unaligned,
        ),
        case("register beyond memory", Call::RegisterTable, [BEYOND, 1, 0], Status::OutsideMemory),
        case("keep a table nohow", Call::RegisterTable, [table, 1, 4], Status::NoSuchKeeping),
        case("release no table", Call::ReleaseTable, [table, 0, 0], Status::NotATable),
        case("register", Call::RegisterTable, [table, 1, 0], Status::Done),
        case("register twice", Call::RegisterTable, [table, 1, 0], Status::AlreadyATable),
        case("load unaligned", Call::Load, [table + 4, 0, 0], Status::Unaligned),
        case("load beyond memory", Call::Load, [BEYOND, 0, 0], Status::OutsideMemory),
        case("load from the frame behind", Call::Load, [unregistered, 0, 0], Status::NotATable),
        case(
            "compare-exchange with a wrong guess",
            Call::CompareExchange,
            [table, !0, 1],
            Status::Differs,
        ),
        case("batch unaligned", Call::Batch, [table + 4, 1, 0], Status::Unaligned),
        case("batch too long", Call::Batch, [table, MOST_ITEMS as u64 + 1, 0], Status::TooMany),
        case("batch that wraps", Call::Batch, [u64::MAX - 7, 2, 0], Status::OutsideMemory),
        case("counters beyond memory", Call::Counters, [BEYOND, 0, 0], Status::OutsideMemory),
        case("counters unaligned", Call::Counters, [table + 4, 0, 0], Status::Unaligned),
    ]
}

fn holds(scene: &Scene, case: &Case) -> bool {
    let (status, _) = stub::call(scene.kernel.machine.cpu(), case.number, case.arguments);
    if status != Some(case.wanted) {
        log!("{}: {status:?}, and should be {:?}", case.what, case.wanted);
    }
    status == Some(case.wanted)
}

/// A batch stops at the first item that is refused; those behind are not done, and the table
/// holds what those before have stored. Releases the table.
fn batch_stops(scene: &Scene, table: u64) -> bool {
    let cpu = scene.kernel.machine.cpu();
    let exchange =
        |entry, value| Item { entry, action: Action::Exchange.number(), found: 0, value };
    let room = stub::items();
    room[..3].copy_from_slice(&[exchange(table, 2), exchange(BEYOND, 4), exchange(table + 8, 8)]);
    let place = room.as_ptr() as u64 - IMAGE_OFFSET;
    let batch = stub::call(cpu, Call::Batch.number(), [place, 3, 0]);
    let first = stub::call(cpu, Call::Exchange.number(), [table, 0, 0]);
    let last = stub::call(cpu, Call::Load.number(), [table + 8, 0, 0]);
    let released = stub::call(cpu, Call::ReleaseTable.number(), [table, 0, 0]);
    log!("batch {batch:?}, then {first:?} and {last:?}, released {released:?}");
    batch == (Some(Status::OutsideMemory), 1)
        && first == (Some(Status::Done), 2)
        && last == (Some(Status::Done), 0)
        && released.0 == Some(Status::Done)
}
