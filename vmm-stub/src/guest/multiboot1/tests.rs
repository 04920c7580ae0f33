use loadphys_boot::handoff::{CommandLine, Module, Region};

use super::{HEADER_MAGIC, MAGIC, SEARCHED};
use crate::guest::handover::{Handover, Start};
use crate::guest::image::{BadImage, Format, Image, Segment};

fn header(flags: u32) -> Vec<u8> {
    let sum = 0_u32.wrapping_sub(HEADER_MAGIC).wrapping_sub(flags);
    [HEADER_MAGIC, flags, sum].map(u32::to_le_bytes).concat()
}

/// A plain file with a header at byte 16 that has these addresses.
fn plain(addresses: [u32; 5]) -> Vec<u8> {
    let mut file = vec![0x90; 16];
    file.extend(header(1 << 16 | 3));
    file.extend(addresses.map(u32::to_le_bytes).concat());
    file.resize(0x100, 0x90);
    file
}

/// An ELF file of either class with one segment from byte 0 on, and a header behind its own.
fn elf(class: u8, machine: u16, flags: u32) -> Vec<u8> {
    let mut file = vec![0x7f, b'E', b'L', b'F', class, 1, 1];
    file.resize(16, 0);
    file.extend([2, machine].map(u16::to_le_bytes).concat());
    file.extend(1_u32.to_le_bytes());
    if class == 2 {
        file.extend([0xc010_0080_u64, 64, 0].map(u64::to_le_bytes).concat());
        file.extend(0_u32.to_le_bytes());
        file.extend([64_u16, 56, 1, 64, 0, 0].map(u16::to_le_bytes).concat());
        file.extend([1_u32, 5].map(u32::to_le_bytes).concat());
        let numbers = [0_u64, 0xc010_0000, 0x10_0000, 0x100, 0x200, 4];
        file.extend(numbers.map(u64::to_le_bytes).concat());
    } else {
        file.extend([0xc010_0080_u32, 52, 0, 0].map(u32::to_le_bytes).concat());
        file.extend([52_u16, 32, 1, 40, 0, 0].map(u16::to_le_bytes).concat());
        let numbers = [1_u32, 0, 0xc010_0000, 0x10_0000, 0x100, 0x200, 5, 4];
        file.extend(numbers.map(u32::to_le_bytes).concat());
    }
    file.resize(0x80, 0);
    file.extend(header(flags));
    file.resize(0x100, 0x90);
    file
}

#[test]
fn elf_files_of_both_classes_are_entered_at_the_physical_entry() {
    for (class, machine) in [(1, 3), (2, 62)] {
        let image = Image::read(&elf(class, machine, 3)).unwrap();
        assert!(matches!(image.format, Format::Multiboot1(_)));
        assert_eq!(image.entry, 0x10_0080);
        assert_eq!(image.segments, [Segment { file: 0..0x100, memory: 0x10_0000..0x10_0200 }]);
        assert!(image.wants_pages());
    }
    assert!(!Image::read(&elf(1, 3, 0)).unwrap().wants_pages());
    assert_eq!(Image::read(&elf(1, 40, 0)), Err(BadImage::Machine(40)));
}

#[test]
fn a_plain_file_says_where_it_goes() {
    let image = Image::read(&plain([0x10_0010, 0x10_0000, 0, 0x10_2000, 0x10_0020])).unwrap();
    assert_eq!(image.entry, 0x10_0020);
    assert_eq!(image.segments, [Segment { file: 0..0x100, memory: 0x10_0000..0x10_2000 }]);
    let image = Image::read(&plain([0x10_0008, 0x10_0000, 0x10_0080, 0, 0x10_0000])).unwrap();
    assert_eq!(image.segments, [Segment { file: 8..0x88, memory: 0x10_0000..0x10_0080 }]);
}

#[test]
fn addresses_must_make_sense() {
    let damaged = Err(BadImage::Header("multiboot 1 header"));
    for addresses in [
        // The header before the start, the start before the file.
        [0x10_0000, 0x10_0010, 0, 0, 0x10_0020],
        [0x10_0020, 0x10_0000, 0, 0, 0x10_0020],
        // More than there is, nothing, an end before the start.
        [0x10_0010, 0x10_0000, 0x10_0101, 0, 0x10_0020],
        [0x10_0010, 0x10_0000, 0x10_0000, 0, 0x10_0020],
        [0x10_0010, 0x10_0000, 0xf_0000, 0, 0x10_0020],
        // An entry outside.
        [0x10_0010, 0x10_0000, 0, 0, 0x10_0100],
    ] {
        assert_eq!(Image::read(&plain(addresses)), damaged, "{addresses:x?}");
    }
}

#[test]
fn what_is_not_known_is_refused() {
    for flags in [1 << 2, 1 << 15] {
        assert_eq!(Image::read(&elf(1, 3, flags)), Err(BadImage::Multiboot(flags)));
    }
    // The upper half may be left aside.
    assert!(Image::read(&elf(1, 3, 1 << 17)).is_ok());
    let mut no_addresses = vec![0; 8];
    no_addresses.extend(header(0));
    assert!(matches!(Image::read(&no_addresses), Err(BadImage::Header(_))));
}

#[test]
fn headers_count_only_where_they_may_be_and_if_the_sum_is_right() {
    let mut wrong = elf(1, 3, 0);
    wrong[0x88] ^= 1;
    assert_eq!(Image::read(&wrong), Err(BadImage::NoNote));
    for (at, there) in [(SEARCHED - 12, true), (SEARCHED - 8, false), (SEARCHED, false)] {
        let mut file = vec![0; at];
        file.extend(header(0));
        assert_eq!(super::find(&file).map(|(at, _)| at), there.then_some(at));
    }
}

#[test]
fn no_file_makes_the_reader_stumble() {
    for file in [plain([0x10_0010, 0x10_0000, 0, 0x10_2000, 0x10_0020]), elf(1, 3, 3)] {
        for cut in 0..file.len() {
            let _ = Image::read(&file[..cut]);
        }
        for at in 0..file.len() {
            for byte in [0, 1, 0x7f, 0x80, 0xff] {
                let mut changed = file.clone();
                changed[at] = byte;
                let _ = Image::read(&changed);
            }
        }
    }
}

const AT: u64 = 0x5ff_e000;

fn word(block: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(block[at..at + 4].try_into().unwrap())
}

#[test]
fn a_kernel_finds_all_that_was_handed_over() {
    let memory = [
        (0, 0x9_f000, true),
        (0x9_f000, 0xa_0000, false),
        (0x10_0000, 0x40_0000, true),
        (0x40_0000, 0x600_0000, true),
        (0x700_0000, 0x1_4000_0000, true),
    ];
    let memory = memory.map(|(start, end, usable)| Region { start, end, usable });
    let command_line = CommandLine::try_from("a=b").unwrap();
    let modules = [Module { start: 0x40_0000, end: 0x40_1234, command_line }];
    let handover = Handover {
        memory: &memory,
        command_line: "x=y",
        modules: &modules,
        rsdp: None,
        screen: None,
    };
    let image = Image::read(&elf(1, 3, 3)).unwrap();
    let mut block = vec![0xee; handover.bytes(&image)];
    let start = handover.write(&image, &mut block, AT).unwrap();
    let wanted = Start { eip: 0x10_0080, eax: MAGIC, ebx: AT as u32, ..Start::default() };
    assert_eq!(start, wanted);
    let place = |at: usize| word(&block, at) as usize - AT as usize;
    assert_eq!([word(&block, 0), word(&block, 4), word(&block, 8)], [0x24d, 636, 95 << 10]);
    assert_eq!(&block[place(16)..place(16) + 4], b"x=y\0");
    assert_eq!(word(&block, 20), 1);
    let module = place(24);
    assert_eq!([word(&block, module), word(&block, module + 4)], [0x40_0000, 0x40_1234]);
    assert_eq!(&block[place(module + 8)..place(module + 8) + 4], b"a=b\0");
    assert_eq!(word(&block, 44), 5 * 24);
    let last = place(48) + 4 * 24;
    let words: Vec<_> = (0..6).map(|i| word(&block, last + 4 * i)).collect();
    assert_eq!(words, [20, 0x700_0000, 0, 0x3900_0000, 1, 1]);
    assert_eq!(&block[place(64)..place(64) + 9], b"loadphys\0");
}
