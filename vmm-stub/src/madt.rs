//! ACPI's list of CPUs (ACPI 6.5, section 5.2.12 "Multiple APIC Description Table (MADT)"): which there are, and how
//! one is taken off the list.

use heapless::Vec;

/// Most CPUs that the stub knows how to keep apart.
pub const MOST_CPUS: usize = 256;

/// Numbers of local APICs.
pub type ApicIds = Vec<u32, MOST_CPUS>;

/// The header and two words, before the entries.
const ENTRIES_AT: usize = 44;
/// Where in any table of ACPI a byte makes the sum of all bytes 0.
const CHECKSUM_AT: usize = 9;

/// Types of entries.
const LOCAL_APIC: u8 = 0;
const LOCAL_X2APIC: u8 = 9;

/// Flags of a CPU: it can be used; it can be made usable later.
const ENABLED: u32 = 1 << 0;
const ONLINE_CAPABLE: u32 = 1 << 1;

/// Why the table says nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadMadt {
    /// The entry at this byte has a length that leads nowhere or out of the table.
    Entry(usize),
    /// It lists more than [`MOST_CPUS`].
    TooMany,
}

impl core::fmt::Display for BadMadt {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Entry(at) => write!(f, "the entry at byte {at} has a wrong length"),
            Self::TooMany => write!(f, "it lists more than {MOST_CPUS} CPUs"),
        }
    }
}

/// Where a CPU's entry holds its number and its flags.
struct Place {
    id: usize,
    id_bytes: usize,
    flags: usize,
}

/// The place of the CPU that the entry at this byte is about, if it is about one.
fn place(madt: &[u8], at: usize) -> Option<Place> {
    match (madt[at], madt[at + 1]) {
        (LOCAL_APIC, 8..) => Some(Place { id: at + 3, id_bytes: 1, flags: at + 4 }),
        (LOCAL_X2APIC, 16..) => Some(Place { id: at + 4, id_bytes: 4, flags: at + 8 }),
        _ => None,
    }
}

/// Calls `each` with the place of every CPU, once all entries are known to have good lengths.
fn for_each(madt: &[u8], mut each: impl FnMut(Place)) -> Result<(), BadMadt> {
    for pass in 0..2 {
        let mut at = ENTRIES_AT;
        while at < madt.len() {
            let length = madt.get(at + 1).copied().map_or(0, usize::from);
            if length < 2 || length > madt.len() - at {
                return Err(BadMadt::Entry(at));
            }
            if pass == 1 {
                place(madt, at).into_iter().for_each(&mut each);
            }
            at += length;
        }
    }
    Ok(())
}

fn number(madt: &[u8], at: usize, bytes: usize) -> u32 {
    madt[at..at + bytes].iter().rev().fold(0, |value, byte| value << 8 | u32::from(*byte))
}

/// The CPUs that can be used.
///
/// # Errors
/// [`BadMadt`].
pub fn cpus(madt: &[u8]) -> Result<ApicIds, BadMadt> {
    let (mut ids, mut fits) = (ApicIds::new(), true);
    for_each(madt, |place| {
        let id = number(madt, place.id, place.id_bytes);
        if number(madt, place.flags, 4) & ENABLED != 0 && !ids.contains(&id) {
            fits &= ids.push(id).is_ok();
        }
    })?;
    if fits { Ok(ids) } else { Err(BadMadt::TooMany) }
}

/// Takes a CPU off the list: who reads it from now on finds it disabled, for good.
///
/// # Errors
/// [`BadMadt`], and nothing has changed.
pub fn hide(madt: &mut [u8], id: u32) -> Result<(), BadMadt> {
    let mut flags = Vec::<usize, { 2 * MOST_CPUS }>::new();
    let mut fits = true;
    for_each(madt, |place| {
        if number(madt, place.id, place.id_bytes) == id {
            fits &= flags.push(place.flags).is_ok();
        }
    })?;
    if !fits {
        return Err(BadMadt::TooMany);
    }
    for at in flags {
        // All flags that count are in the first byte.
        let new = madt[at] & !(ENABLED | ONLINE_CAPABLE) as u8;
        madt[CHECKSUM_AT] = madt[CHECKSUM_AT].wrapping_add(madt[at].wrapping_sub(new));
        madt[at] = new;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{BadMadt, ENTRIES_AT, MOST_CPUS, cpus, hide};

    const fn apic(id: u8, flags: u8) -> [u8; 8] {
        [0, 8, id, id, flags, 0, 0, 0]
    }

    const fn x2apic(id: u32, flags: u8) -> [u8; 16] {
        let [a, b, c, d] = id.to_le_bytes();
        [9, 16, 0, 0, a, b, c, d, flags, 0, 0, 0, 7, 0, 0, 0]
    }

    /// A table with these entries, among them one of an I/O APIC.
    fn madt(entries: &[&[u8]]) -> Vec<u8> {
        let mut madt = vec![0; ENTRIES_AT];
        madt.extend([1, 12, 5, 0, 0, 0, 0xc0, 0xfe, 0, 0, 0, 0]);
        entries.iter().for_each(|entry| madt.extend(*entry));
        madt[9] = sum(&madt).wrapping_neg();
        madt
    }

    fn sum(madt: &[u8]) -> u8 {
        madt.iter().fold(0, |sum, byte| sum.wrapping_add(*byte))
    }

    #[test]
    fn enabled_cpus_are_found_once_each() {
        let entries: [&[u8]; 5] =
            [&apic(0, 1), &apic(2, 0), &apic(4, 3), &x2apic(0x1_0203, 1), &x2apic(4, 1)];
        assert_eq!(cpus(&madt(&entries)).unwrap(), [0, 4, 0x1_0203]);
        assert!(cpus(&madt(&[])).unwrap().is_empty());
    }

    #[test]
    fn lengths_that_lead_nowhere_are_refused() {
        for length in [0, 1, 9, 255] {
            let mut madt = madt(&[&apic(0, 1), &apic(1, 1)]);
            let last = madt.len() - 8;
            madt[last + 1] = length;
            assert_eq!(cpus(&madt), Err(BadMadt::Entry(last)), "{length}");
            let before = madt.clone();
            assert_eq!(hide(&mut madt, 0), Err(BadMadt::Entry(last)));
            assert_eq!(madt, before);
        }
        let cut = &madt(&[&apic(0, 1)])[..ENTRIES_AT + 13];
        assert_eq!(cpus(cut), Err(BadMadt::Entry(ENTRIES_AT + 12)));
    }

    #[test]
    fn an_entry_too_short_for_a_cpu_is_none() {
        let short = madt(&[&[0, 4, 1, 1], &[9, 8, 0, 0, 3, 0, 0, 0]]);
        assert!(cpus(&short).unwrap().is_empty());
    }

    #[test]
    fn a_hidden_cpu_is_gone_and_the_sum_stays() {
        let mut madt = madt(&[&apic(0, 1), &apic(3, 3), &x2apic(3, 1)]);
        hide(&mut madt, 3).unwrap();
        assert_eq!(cpus(&madt).unwrap(), [0]);
        assert_eq!(sum(&madt), 0);
        hide(&mut madt, 9).unwrap();
        assert_eq!(cpus(&madt).unwrap(), [0]);
    }

    #[test]
    fn there_is_a_limit() {
        let many: Vec<_> = (0..MOST_CPUS as u32).map(|id| x2apic(id, 1)).collect();
        let mut many: Vec<&[u8]> = many.iter().map(|entry| &entry[..]).collect();
        assert_eq!(cpus(&madt(&many)).unwrap().len(), MOST_CPUS);
        let more = x2apic(1000, 1);
        many.push(&more);
        assert_eq!(cpus(&madt(&many)), Err(BadMadt::TooMany));
    }
}
