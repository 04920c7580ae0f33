//! Every call on every address of a universe of six frames, in every state, against plain sets.

use std::sync::atomic::{AtomicU8, Ordering};

use loadphys_abi::Status;
use loadphys_abi::batch::{Action, Item};
use loadphys_rules::{MemoryAt, Tables, Wish};

const FRAMES: u64 = 6;

/// Every state; under Miri, which is some thousand times slower, every 43rd (of levels 0 to 5 each comes up).
const STRIDE: usize = if cfg!(miri) { 43 } else { 1 };

/// The frames that are the guest's: 1, 2 and 4; a range that begins and ends inside a frame gives none of it.
fn grant(tables: &Tables<'_>) {
    tables.grant(0x1000..0x3800);
    tables.grant(0x3800..0x5000);
}

fn guests(frame: u64) -> bool {
    [1, 2, 4].contains(&frame)
}

fn bytes(frames: &[AtomicU8]) -> Vec<u8> {
    frames.iter().map(|f| f.load(Ordering::Relaxed)).collect()
}

fn universe() -> Vec<AtomicU8> {
    (0..FRAMES).map(|_| AtomicU8::new(3)).collect()
}

/// Addresses of interest: every boundary, near misses, and what wraps.
fn addresses() -> impl Iterator<Item = u64> {
    let near =
        (0..=FRAMES + 1).flat_map(|f| [0, 1, 4, 8, 0xff8, 0xffc, 0xfff].map(|o| f * 0x1000 + o));
    near.chain([1 << 52, u64::MAX - 7, u64::MAX, !0xfff, 1 << 63])
}

/// Runs a check for each set of registered frames, with the level of each frame of the guest.
fn every_state(mut check: impl FnMut(&Tables<'_>, &[AtomicU8], &dyn Fn(u64) -> u64)) {
    for set in (0..6_u64.pow(3)).step_by(STRIDE) {
        let level = |frame: u64| match frame {
            1 => set % 6,
            2 => set / 6 % 6,
            4 => set / 36,
            _ => 0,
        };
        let frames = universe();
        let tables = Tables::new(&frames);
        grant(&tables);
        for frame in [1, 2, 4].into_iter().filter(|f| level(*f) != 0) {
            tables.register(frame * 0x1000, level(frame)).unwrap();
        }
        check(&tables, &frames, &level);
    }
}

#[test]
fn entries_are_those_of_registered_tables() {
    every_state(|tables, frames, level| {
        let before = bytes(frames);
        for address in addresses() {
            let frame = address / 0x1000;
            let wanted = match () {
                () if address % 8 != 0 => Err(Status::Unaligned),
                () if !guests(frame) => Err(Status::OutsideMemory),
                () if level(frame) == 0 => Err(Status::NotATable),
                () => Ok(address),
            };
            assert_eq!(tables.entry(address).map(|e| e.address()), wanted);
        }
        assert_eq!(bytes(frames), before);
    });
}

#[test]
fn registering_changes_one_frame_or_nothing() {
    every_state(|tables, frames, level| {
        for (address, wanted) in addresses().flat_map(|a| [0, 1, 5, 6, 257].map(|l| (a, l))) {
            let before = bytes(frames);
            let frame = address / 0x1000;
            let result = tables.register(address, wanted);
            let expected = match () {
                () if address % 0x1000 != 0 => Err(Status::Unaligned),
                () if !(1..=5).contains(&wanted) => Err(Status::NoSuchLevel),
                () if !guests(frame) => Err(Status::OutsideMemory),
                () if level(frame) != 0 => Err(Status::AlreadyATable),
                () => Ok((address, wanted as u8)),
            };
            assert_eq!(result.map(|t| (t.address(), t.level().number())), expected);
            if result.is_ok() {
                assert!(tables.entry(address).is_ok());
                tables.release(address).unwrap();
            }
            assert_eq!(bytes(frames), before);
        }
    });
}

#[test]
fn releasing_changes_one_frame_or_nothing() {
    every_state(|tables, frames, level| {
        for address in addresses() {
            let before = bytes(frames);
            let frame = address / 0x1000;
            let result = tables.release(address);
            let expected = match () {
                () if address % 0x1000 != 0 => Err(Status::Unaligned),
                () if !guests(frame) => Err(Status::OutsideMemory),
                () if level(frame) == 0 => Err(Status::NotATable),
                () => Ok(level(frame) as u8),
            };
            assert_eq!(result.map(|t| t.level().number()), expected);
            if let Ok(table) = result {
                assert_eq!(tables.entry(address), Err(Status::NotATable));
                let level = u64::from(table.level().number());
                tables.register(address, level).unwrap();
            }
            assert_eq!(bytes(frames), before);
        }
    });
}

#[test]
fn words_are_the_guests_in_tables_or_not() {
    every_state(|tables, _, _| {
        for address in addresses() {
            let wanted = match () {
                () if address % 8 != 0 => Err(Status::Unaligned),
                () if !guests(address / 0x1000) => Err(Status::OutsideMemory),
                () => Ok(address),
            };
            assert_eq!(tables.word(address).map(|word| word.address()), wanted);
        }
    });
}

#[test]
fn arrays_lie_in_plain_memory() {
    let sizes = [0, 8, 32, 0x1000, 0x1008, 0x2000, !7];
    every_state(|tables, frames, level| {
        let before = bytes(frames);
        for (start, size) in addresses().flat_map(|a| sizes.map(|s| (a, s))) {
            let result = tables.memory(start, size);
            let inside = start.checked_add(size).is_some_and(|end| {
                (start / 0x1000..end.div_ceil(0x1000)).all(|f| guests(f) && level(f) == 0)
            });
            assert_eq!(result.is_ok(), start % 8 == 0 && inside, "{start:#x} {size:#x}");
            let same = |at: MemoryAt| (at.address(), at.bytes()) == (start, size);
            assert!(result.is_err() || result.is_ok_and(same));
            assert_eq!(result == Err(Status::Unaligned), start % 8 != 0);
        }
        assert_eq!(bytes(frames), before);
    });
}

#[test]
fn items_are_decoded_and_checked() {
    every_state(|tables, _, _| {
        for address in addresses() {
            let entry = tables.entry(address);
            for action in (0..5).chain([u64::MAX, 1 << 32 | 1]) {
                let item = Item { entry: address, action, found: 17, value: 19 };
                let wish = match Action::from_number(action) {
                    Some(Action::Load) => Ok(Wish::Load),
                    Some(Action::Exchange) => Ok(Wish::Exchange(19)),
                    Some(Action::CompareExchange) => {
                        Ok(Wish::CompareExchange { expected: 17, new: 19 })
                    }
                    None => Err(Status::UnknownAction),
                };
                let wanted = wish.and_then(|wish| entry.map(|entry| (entry, wish)));
                assert_eq!(tables.item(&item).map(|o| (o.entry(), o.wish())), wanted);
            }
        }
    });
}

#[test]
fn nothing_is_the_guests_before_it_is_granted() {
    let frames = universe();
    let tables = Tables::new(&frames);
    for address in addresses().filter(|a| a % 0x1000 == 0) {
        assert_eq!(tables.register(address, 1), Err(Status::OutsideMemory));
        assert_eq!(tables.memory(address, 8), Err(Status::OutsideMemory));
    }
}

#[test]
fn a_plain_frame_is_sealed_for_good_and_nothing_else_is() {
    every_state(|tables, frames, level| {
        let before = bytes(frames);
        for address in addresses() {
            let frame = address / 0x1000;
            let wanted = match () {
                () if address % 0x1000 != 0 => Err(Status::Unaligned),
                () if !guests(frame) => Err(Status::OutsideMemory),
                () if level(frame) != 0 => Err(Status::AlreadyATable),
                () => Ok(()),
            };
            assert_eq!(tables.seal(address), wanted);
            if wanted.is_ok() {
                assert_eq!(tables.memory(address, 8), Err(Status::OutsideMemory));
                assert_eq!(tables.register(address, 1), Err(Status::OutsideMemory));
                assert_eq!(tables.seal(address), Err(Status::OutsideMemory));
                frames[frame as usize].store(before[frame as usize], Ordering::Relaxed);
            }
            assert_eq!(bytes(frames), before);
        }
    });
}

#[test]
fn a_table_s_level_is_that_of_its_registration() {
    every_state(|tables, _, level| {
        for address in addresses() {
            let frame = address / 0x1000;
            let wanted = match () {
                () if address % 0x1000 != 0 => Err(Status::Unaligned),
                () if !guests(frame) => Err(Status::OutsideMemory),
                () if level(frame) == 0 => Err(Status::NotATable),
                () => Ok(level(frame)),
            };
            assert_eq!(tables.level(address).map(|level| u64::from(level.number())), wanted);
        }
    });
}
