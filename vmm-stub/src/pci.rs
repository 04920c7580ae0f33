//! Which addresses above 4 GiB are taken by PCI devices: the alias must not lie over them.

use core::ops::Range;

use heapless::Vec;

/// Most ranges that are kept.
pub const MOST_RANGES: usize = 64;

/// Ranges above 4 GiB.
pub type Taken = Vec<Range<u64>, MOST_RANGES>;

/// There are more ranges than there is room for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooMany;

/// Registers of a function's configuration space (PCI Local Bus Specification 3.0, section 6.1; PCI-to-PCI Bridge
/// Architecture Specification 1.2, section 3.2).
const ID: u8 = 0x00;
const HEADER_TYPE: u8 = 0x0c;
const FIRST_BAR: u8 = 0x10;
const BRIDGE_PREFETCHABLE: u8 = 0x24;
const BRIDGE_UPPER_BASE: u8 = 0x28;
const BRIDGE_UPPER_LIMIT: u8 = 0x2c;

/// A function's place: bus, device, function.
pub type Place = (u8, u8, u8);

/// Looks at every function there can be, by a way to read a register of one.
///
/// # Errors
/// [`TooMany`].
pub fn taken(read: impl Fn(Place, u8) -> u32) -> Result<Taken, TooMany> {
    let mut taken = Taken::new();
    for (bus, device) in (0..=255).flat_map(|bus| (0..32).map(move |device| (bus, device))) {
        for function in 0..functions(&read, bus, device) {
            let register = |number| read((bus, device, function), number);
            if register(ID) != u32::MAX {
                add_function(register, &mut taken)?;
            }
        }
    }
    Ok(taken)
}

/// Bit 7 of the header type: there may be more than one function.
fn functions(read: &impl Fn(Place, u8) -> u32, bus: u8, device: u8) -> u8 {
    let first = (bus, device, 0);
    match read(first, ID) {
        u32::MAX => 0,
        _ if read(first, HEADER_TYPE) & 1 << 23 != 0 => 8,
        _ => 1,
    }
}

fn add_function(register: impl Fn(u8) -> u32, taken: &mut Taken) -> Result<(), TooMany> {
    let bars = match register(HEADER_TYPE) >> 16 & 0x7f {
        0 => 6,
        1 => {
            let upper = [BRIDGE_UPPER_BASE, BRIDGE_UPPER_LIMIT].map(&register);
            keep(bridge_window(register(BRIDGE_PREFETCHABLE), upper), taken)?;
            2
        }
        _ => 0,
    };
    for bar in 0..bars {
        let low = register(FIRST_BAR + 4 * bar);
        let high = if bar + 1 < bars { register(FIRST_BAR + 4 * bar + 4) } else { 0 };
        keep(bar_range(low, high), taken)?;
    }
    Ok(())
}

fn keep(range: Option<Range<u64>>, taken: &mut Taken) -> Result<(), TooMany> {
    range.map_or(Ok(()), |range| taken.push(range).map_err(|_| TooMany))
}

/// A 64-bit memory BAR above 4 GiB. Its size cannot be read without switching the device off, but it is no larger
/// than its address is aligned.
fn bar_range(low: u32, high: u32) -> Option<Range<u64>> {
    let base = u64::from(high) << 32 | u64::from(low & !0xf);
    let is_64_bit_memory = low & 0b111 == 0b100;
    (is_64_bit_memory && high != 0).then(|| base..base.saturating_add(1 << base.trailing_zeros()))
}

/// What a bridge passes on above 4 GiB, for all behind it.
fn bridge_window(both: u32, [upper_base, upper_limit]: [u32; 2]) -> Option<Range<u64>> {
    let part = |upper: u32, lower: u32| u64::from(upper) << 32 | u64::from(lower & 0xfff0) << 16;
    let (base, limit) = (part(upper_base, both), part(upper_limit, both >> 16) + (1 << 20));
    (both & 0xf == 1 && upper_limit != 0 && base < limit).then_some(base..limit)
}

#[cfg(test)]
mod tests {
    use super::{MOST_RANGES, Place, TooMany, taken};

    const GIB: u64 = 1 << 30;

    /// A machine with one function, given by its registers.
    fn one(at: Place, registers: &'static [(u8, u32)]) -> impl Fn(Place, u8) -> u32 {
        move |place, number| match registers.iter().find(|(register, _)| *register == number) {
            _ if place != at => u32::MAX,
            Some((_, value)) => *value,
            None => 0,
        }
    }

    #[test]
    fn large_bars_are_found_and_never_taken_for_smaller() {
        let graphics = [
            (0, 0x8086),
            (0x10, 0x0000_0004),
            (0x14, 0x60),
            (0x18, 0xc),
            (0x1c, 0x40),
            (0x20, 0x3001),
        ];
        let found = taken(one((0, 2, 0), graphics.to_vec().leak())).unwrap();
        assert_eq!(found, [384 * GIB..512 * GIB, 256 * GIB..512 * GIB]);
    }

    #[test]
    fn bars_below_4_gib_do_not_count() {
        let small = [(0, 0x8086), (0x10, 0xfebc_0000), (0x14, 0xc001), (0x18, 0xfeb0_0004)];
        assert_eq!(taken(one((3, 31, 0), small.to_vec().leak())).unwrap(), []);
    }

    #[test]
    fn bridges_tell_what_is_behind_them() {
        let bridge =
            [(0, 0x8086), (0x0c, 1 << 16), (0x24, 0xfff1_0001), (0x28, 0x38), (0x2c, 0x3f)];
        let found = taken(one((0, 1, 0), bridge.to_vec().leak())).unwrap();
        assert_eq!((found.len(), found.first()), (1, Some(&(0x38 << 32..0x40 << 32))));
    }

    #[test]
    fn other_functions_are_looked_at_where_there_may_be_some() {
        let read = |single: u32| {
            move |(bus, device, function): Place, number| match number {
                _ if (bus, device) != (0, 5) || function > 1 => u32::MAX,
                0x0c => single,
                0x10 => 4,
                0x14 => u32::from(function),
                _ => 0,
            }
        };
        assert_eq!(taken(read(1 << 23)).unwrap().first(), Some(&(4 * GIB..8 * GIB)));
        assert_eq!(taken(read(0)).unwrap(), []);
    }

    #[test]
    fn too_many_are_an_error() {
        let all = |_: Place, number: u8| if number == 0x10 { 4 } else { 1 << 8 };
        assert_eq!(taken(all), Err(TooMany));
        const { assert!(MOST_RANGES < 256 * 32) };
    }
}
