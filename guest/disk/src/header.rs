//! The first page of a disk that may be written: slot 0, which holds no page.
//!
//! | bytes | what |
//! |---|---|
//! | 0 to 15 | [`MAGIC`] |
//! | 16 to 19 | [`VERSION`] |
//! | 20 to 23 | bytes of a page, [`PAGE_BYTES`] |
//! | 24 to 27 | pages of the disk, this one among them |
//! | 28 to 31 | zero |
//! | 32 to 63 | a name for people: UTF-8, filled up with zeros |
//! | 64 to 4091 | zeros |
//! | 4092 to 4095 | CRC-32 (IEEE 802.3) of all bytes before |
//!
//! Numbers are little-endian.

use core::fmt;
use core::ops::Range;

use heapless::String;

use crate::PAGE_BYTES;

/// What the page begins with. The line ends in it show whether a transfer as text has spoilt it.
pub const MAGIC: [u8; 16] = *b"loadphys swap\r\n\x1a";

/// The version of this layout.
pub const VERSION: u32 = 1;

/// Bytes of the longest name.
pub const NAME_BYTES: usize = 32;

/// The fewest pages that a disk can have: the header and one slot.
pub const LEAST_PAGES: u32 = 2;

const VERSION_AT: Range<usize> = 16..20;
const PAGE_BYTES_AT: Range<usize> = 20..24;
const PAGES_AT: Range<usize> = 24..28;
const NAME_AT: Range<usize> = 32..32 + NAME_BYTES;
const CHECKSUM_AT: Range<usize> = PAGE_BYTES - 4..PAGE_BYTES;

/// A page of bytes.
pub type PageBytes = [u8; PAGE_BYTES];

/// What a disk says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    name: String<NAME_BYTES>,
    pages: u32,
}

/// Why a page is no header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoHeader {
    /// It begins with something else.
    NoMagic,
    /// It is of a version that is not known here.
    Version(u32),
    /// Its pages are of another size, in bytes.
    PageSize(u32),
    /// It has been changed since it was written.
    Checksum,
    /// It says that the disk has so few pages.
    TooFewPages(u32),
    /// Its name is no text, or longer than [`NAME_BYTES`].
    Name,
}

impl fmt::Display for NoHeader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoMagic => f.write_str("has no loadphys swap signature"),
            Self::Version(found) => {
                write!(f, "has a loadphys swap signature of version {found}, not {VERSION}")
            }
            Self::PageSize(found) => {
                write!(
                    f,
                    "has a loadphys swap signature for pages of {found} bytes, not {PAGE_BYTES}"
                )
            }
            Self::Checksum => f.write_str("has a loadphys swap signature with a wrong checksum"),
            Self::TooFewPages(found) => {
                write!(
                    f,
                    "has a loadphys swap signature for {found} pages, not {LEAST_PAGES} or more"
                )
            }
            Self::Name => write!(
                f,
                "has a loadphys swap signature whose name is not up to {NAME_BYTES} bytes of text"
            ),
        }
    }
}

impl core::error::Error for NoHeader {}

impl Header {
    /// For a disk of this name with so many pages, the header among them.
    ///
    /// # Errors
    /// [`NoHeader::Name`] or [`NoHeader::TooFewPages`].
    pub fn new(name: &str, pages: u32) -> Result<Self, NoHeader> {
        let name = String::try_from(name).map_err(|_| NoHeader::Name)?;
        match pages {
            0..LEAST_PAGES => Err(NoHeader::TooFewPages(pages)),
            _ if name.contains('\0') => Err(NoHeader::Name),
            _ => Ok(Self { name, pages }),
        }
    }

    /// The name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Pages of the disk, the header among them.
    pub const fn pages(&self) -> u32 {
        self.pages
    }

    /// The page that says it.
    pub fn encode(&self) -> PageBytes {
        let mut page = [0; PAGE_BYTES];
        page[..MAGIC.len()].copy_from_slice(&MAGIC);
        page[VERSION_AT].copy_from_slice(&VERSION.to_le_bytes());
        page[PAGE_BYTES_AT].copy_from_slice(&(PAGE_BYTES as u32).to_le_bytes());
        page[PAGES_AT].copy_from_slice(&self.pages.to_le_bytes());
        page[NAME_AT][..self.name.len()].copy_from_slice(self.name.as_bytes());
        let checksum = checksum(&page);
        page[CHECKSUM_AT].copy_from_slice(&checksum.to_le_bytes());
        page
    }

    /// What a page says.
    ///
    /// # Errors
    /// [`NoHeader`]: the disk must not be written.
    pub fn decode(page: &PageBytes) -> Result<Self, NoHeader> {
        if page[..MAGIC.len()] != MAGIC {
            return Err(NoHeader::NoMagic);
        }
        match number(page, VERSION_AT) {
            VERSION => {}
            other => return Err(NoHeader::Version(other)),
        }
        if number(page, CHECKSUM_AT) != checksum(page) {
            return Err(NoHeader::Checksum);
        }
        match number(page, PAGE_BYTES_AT) {
            bytes if bytes as usize == PAGE_BYTES => {}
            other => return Err(NoHeader::PageSize(other)),
        }
        let name = core::str::from_utf8(&page[NAME_AT]).map_err(|_| NoHeader::Name)?;
        Self::new(name.trim_end_matches('\0'), number(page, PAGES_AT))
    }
}

fn number(page: &PageBytes, at: Range<usize>) -> u32 {
    u32::from_le_bytes(page[at].try_into().expect("the places of numbers are four bytes long"))
}

fn checksum(page: &PageBytes) -> u32 {
    crc32fast::hash(&page[..CHECKSUM_AT.start])
}

const _: () = assert!(NAME_AT.end <= CHECKSUM_AT.start && PAGES_AT.end <= NAME_AT.start);

#[cfg(test)]
mod tests {
    use proptest::prelude::{ProptestConfig, any, prop_assert_eq, prop_assume, proptest};

    use super::{CHECKSUM_AT, Header, NoHeader, PAGE_BYTES_AT, PAGES_AT, VERSION_AT, checksum};
    use crate::PAGE_BYTES;

    fn header() -> Header {
        Header::new("attic", 4096).expect("a good header")
    }

    /// A page that says something else in one place, with a good checksum.
    fn forged(at: core::ops::Range<usize>, value: u32) -> Result<Header, NoHeader> {
        let mut page = header().encode();
        page[at].copy_from_slice(&value.to_le_bytes());
        let checksum = checksum(&page);
        page[CHECKSUM_AT].copy_from_slice(&checksum.to_le_bytes());
        Header::decode(&page)
    }

    #[test]
    fn a_page_says_what_was_written() {
        assert_eq!(Header::decode(&header().encode()), Ok(header()));
        let bytes = header().encode();
        // The layout, by hand: images of other revisions rely on it.
        assert_eq!(&bytes[..20], b"loadphys swap\r\n\x1a\x01\0\0\0");
        assert_eq!(&bytes[20..38], b"\0\x10\0\0\0\x10\0\0\0\0\0\0attic\0");
        assert_eq!(bytes[4092..], [0x13, 0x37, 0x3b, 0xd6]);
    }

    #[test]
    fn other_pages_are_no_headers() {
        assert_eq!(Header::decode(&[0; PAGE_BYTES]), Err(NoHeader::NoMagic));
        assert_eq!(Header::decode(&[0xff; PAGE_BYTES]), Err(NoHeader::NoMagic));
        assert_eq!(forged(VERSION_AT, 2), Err(NoHeader::Version(2)));
        assert_eq!(forged(PAGE_BYTES_AT, 8192), Err(NoHeader::PageSize(8192)));
        assert_eq!(forged(PAGES_AT, 1), Err(NoHeader::TooFewPages(1)));
        assert_eq!(forged(32..36, 0x00ff_00ff), Err(NoHeader::Name));
    }

    #[test]
    fn names_are_short_texts() {
        assert!(Header::new("ein Name mit 32 Bytes, genau viele", 9).is_err());
        assert_eq!(Header::new("a\0b", 9), Err(NoHeader::Name));
        let name = "äöü".repeat(5);
        let header = Header::new(&name, 9).expect("30 bytes");
        assert_eq!(Header::decode(&header.encode()).expect("a header").name(), name);
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, cases: if cfg!(miri) { 4 } else { 256 }, ..ProptestConfig::default() })]

        #[test]
        fn no_changed_byte_goes_unseen(at in 0..PAGE_BYTES, by in any::<u8>()) {
            prop_assume!(by != 0);
            let mut page = header().encode();
            page[at] ^= by;
            prop_assert_eq!(Header::decode(&page).is_err(), true);
        }
    }
}
