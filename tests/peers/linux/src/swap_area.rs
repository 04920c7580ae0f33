//! The first page of a swap area (`union swap_header` of Linux's `include/linux/swap.h`).

use crate::PAGE_BYTES;

/// Where the version stands; the words before it are left to boot loaders.
const VERSION: usize = 1024;
/// Where the number of the last page stands.
const LAST_PAGE: usize = 1028;
/// What the page ends with.
const SIGNATURE: &[u8; 10] = b"SWAPSPACE2";

/// The header of an area of so many pages, the header among them. No page of it is bad.
pub fn header(pages: u32) -> [u8; PAGE_BYTES] {
    let mut page = [0; PAGE_BYTES];
    page[VERSION..LAST_PAGE].copy_from_slice(&1_u32.to_le_bytes());
    page[LAST_PAGE..LAST_PAGE + 4].copy_from_slice(&(pages - 1).to_le_bytes());
    page[PAGE_BYTES - SIGNATURE.len()..].copy_from_slice(SIGNATURE);
    page
}

#[cfg(test)]
mod tests {
    use super::header;

    #[test]
    fn the_header_is_that_of_mkswap() {
        let page = header(0x1234);
        assert_eq!(&page[4086..], b"SWAPSPACE2");
        assert_eq!(page[1024..1036], [1, 0, 0, 0, 0x33, 0x12, 0, 0, 0, 0, 0, 0]);
        assert!(page[..1024].iter().chain(&page[1036..4086]).all(|byte| *byte == 0));
    }
}
