//! Registers of calls, decoded. The numbers are those of the interface, written out.

use loadphys_abi::batch::{Item, MOST_ITEMS};
use loadphys_abi::{Call, Kept, Status};
use loadphys_rules::{Request, Tables, Wish};

const ARGUMENTS: [u64; 3] = [0x1111, 2, 3];

fn decoded(number: u64, arguments: [u64; 3]) -> Result<Request, Status> {
    Request::of_call(Call::from_number(number).unwrap(), arguments)
}

#[test]
fn every_call_has_its_arguments_in_their_places() {
    let [first, second, third] = ARGUMENTS;
    let one = |wish| Request::One { address: first, wish };
    let expected = [
        one(Wish::Load),
        one(Wish::Exchange(second)),
        one(Wish::CompareExchange { expected: second, new: third }),
        Request::Batch { address: first, count: second },
        Request::Register { frame: first, level: second, kept: Kept::Open },
        Request::Release { frame: first },
        Request::Counters { address: first },
        Request::Unmap { root: first, page: second, frame: third },
        Request::SetGate { frame: first },
        Request::BindView { own: first, target: second },
    ];
    assert_eq!(expected.len(), Call::ALL.len());
    for (number, request) in (1..).zip(expected) {
        assert_eq!(decoded(number, ARGUMENTS), Ok(request));
    }
}

#[test]
fn wishes_are_those_of_the_three_calls_for_one_entry() {
    for call in Call::ALL {
        let wish = match Request::of_call(*call, ARGUMENTS) {
            Ok(Request::One { wish, .. }) => Some(wish),
            _ => None,
        };
        assert_eq!(Wish::of_call(*call, ARGUMENTS[1], ARGUMENTS[2]), wish);
    }
}

#[test]
fn a_batch_has_at_most_so_many_items() {
    let most = MOST_ITEMS as u64;
    for (count, good) in [(0, true), (most, true), (most + 1, false), (1 << 59, false), (!0, false)]
    {
        let request = decoded(4, [8, count, 0]);
        let expected =
            if good { Ok(Request::Batch { address: 8, count }) } else { Err(Status::TooMany) };
        assert_eq!(request, expected);
    }
}

#[test]
fn there_are_four_ways_to_keep_a_table() {
    for (number, kept) in (0..).zip([Kept::Calls, Kept::Alias, Kept::Gate, Kept::Open]) {
        let request = Request::Register { frame: 0, level: 9, kept };
        assert_eq!(decoded(5, [0, 9, number]), Ok(request));
    }
    for number in [4, 1 << 32, !0] {
        assert_eq!(decoded(5, [0, 1, number]), Err(Status::NoSuchKeeping));
    }
}

#[test]
fn an_array_has_room_for_its_items() {
    let frames = std::array::from_fn::<_, 4, _>(|_| 0.into());
    let tables = Tables::new(&frames);
    tables.grant(0x1000..0x3000);
    let bytes = |address, count| tables.array(address, count).map(|at| at.bytes());
    let all = 0x2000 / size_of::<Item>() as u64;
    assert_eq!(bytes(0x1000, all), Ok(0x2000));
    assert_eq!(bytes(0x1000, all + 1), Err(Status::OutsideMemory));
    assert_eq!(bytes(0x1000, 1 << 59), Err(Status::OutsideMemory), "in 64 bits it would be 0");
}
