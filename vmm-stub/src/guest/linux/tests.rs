use loadphys_boot::handoff::{CommandLine, Module, Region};

use super::{OLDEST, field, is, read};
use crate::guest::block::NoRoom;
use crate::guest::handover::{Handover, Start};
use crate::guest::image::{BadImage, Format, Image, Segment};
use crate::guest::screen::Screen;

const MIB: u64 = 1 << 20;

/// A kernel that wants to be at 16 MiB, takes 4 MiB, and has 64 bytes of code behind two sectors of setup.
fn file() -> Vec<u8> {
    let mut file = vec![0; 3 * 512];
    let fields: [(usize, &[u8]); 13] = [
        (field::SETUP_SECTORS, &[2]),
        (field::BOOT_FLAG, &[0x55, 0xaa]),
        (field::LENGTH, &[0x6a]),
        (field::MAGIC, b"HdrS"),
        (field::VERSION, &OLDEST.to_le_bytes()),
        (field::LOAD_FLAGS, &[1]),
        (field::MODULE_LAST, &0x7fff_ffff_u32.to_le_bytes()),
        (field::ALIGNMENT, &0x20_0000_u32.to_le_bytes()),
        (field::RELOCATABLE, &[1]),
        (field::MOST_LINE, &255_u32.to_le_bytes()),
        (field::PREFERRED, &(16 * MIB).to_le_bytes()),
        (field::BYTES_NEEDED, &(4 * MIB as u32).to_le_bytes()),
        (0x26b, &[0xab, 0xcd]),
    ];
    for (at, bytes) in fields {
        file[at..at + bytes.len()].copy_from_slice(bytes);
    }
    file.extend([0x90; 64]);
    file
}

fn with(at: usize, bytes: &[u8]) -> Result<Image, BadImage> {
    let mut file = file();
    file[at..at + bytes.len()].copy_from_slice(bytes);
    Image::read(&file)
}

const fn region(start: u64, end: u64) -> Region {
    Region { start, end, usable: true }
}

#[test]
fn a_good_file_is_understood() {
    let image = Image::read(&file()).unwrap();
    assert_eq!(image.entry, 0x100_0000);
    let segment = Segment { file: 1536..1600, memory: 16 * MIB..20 * MIB };
    assert_eq!(image.segments, [segment]);
    assert_eq!(image.modules_end(), 0x8000_0000);
    assert_eq!(image.check_line(&"x".repeat(255)), Ok(()));
    assert_eq!(image.check_line(&"x".repeat(256)), Err(BadImage::Line(255)));
}

#[test]
fn other_files_are_refused() {
    assert!(!is(&file()[..0x204]));
    assert_eq!(with(field::MAGIC, b"HdrT"), Err(BadImage::Unknown));
    assert_eq!(with(field::BOOT_FLAG, &[0]), Err(BadImage::Unknown));
    assert_eq!(with(field::VERSION, &[9]), Err(BadImage::Linux(0x0209)));
    let damaged = Err(BadImage::Header("setup header of Linux's boot protocol"));
    assert_eq!(with(field::SETUP_SECTORS, &[3]), damaged);
    assert_eq!(with(field::LOAD_FLAGS, &[0]), damaged);
    assert_eq!(with(field::ALIGNMENT, &[1]), damaged);
    assert_eq!(with(field::PREFERRED, &u64::MAX.to_le_bytes()), damaged);
    assert_eq!(with(field::PREFERRED, &0xffff_ffff_u64.to_le_bytes()), damaged);
}

#[test]
fn no_file_makes_the_reader_stumble() {
    let file = file();
    for cut in 0..file.len() {
        let _ = Image::read(&file[..cut]);
        let _ = read(&file[..cut]);
    }
    for at in HEADER_AND_MORE {
        for byte in [0, 1, 0x7f, 0x80, 0xff] {
            let _ = with(at, &[byte]);
        }
    }
}

const HEADER_AND_MORE: core::ops::Range<usize> = 0x1e0..0x2a0;

#[test]
fn it_goes_elsewhere_where_it_can_and_must() {
    let settled = |mut image: Image, map: &[Region], below: u64| {
        image.settle(map, below);
        assert_eq!(u64::from(image.entry), image.place().start);
        image.place()
    };
    let image = || Image::read(&file()).unwrap();
    let all = [region(MIB, 256 * MIB)];
    assert_eq!(settled(image(), &all, 96 * MIB), 16 * MIB..20 * MIB);
    // No memory at 18 MiB: the highest multiple of 2 MiB below the stub.
    let holed = [region(MIB, 18 * MIB), region(19 * MIB, 256 * MIB)];
    assert_eq!(settled(image(), &holed, 95 * MIB), 90 * MIB..94 * MIB);
    assert_eq!(settled(image(), &all, 19 * MIB), 14 * MIB..18 * MIB);
    let fixed = with(field::RELOCATABLE, &[0]).unwrap();
    assert_eq!(settled(fixed, &holed, 96 * MIB), 16 * MIB..20 * MIB);
    assert_eq!(settled(image(), &[region(MIB, 3 * MIB)], 96 * MIB), 16 * MIB..20 * MIB);
}

const AT: u64 = 0x5ff_e000;

fn number(block: &[u8], at: usize, bytes: usize) -> u64 {
    block[at..at + bytes].iter().rev().fold(0, |value, byte| value << 8 | u64::from(*byte))
}

#[test]
fn a_kernel_finds_all_that_was_handed_over() {
    let memory = [region(0, 0x9_f000), Region { start: 0x9_f000, end: 0xa_0000, usable: false }];
    let module = Module { start: 32 * MIB, end: 33 * MIB + 1, command_line: CommandLine::new() };
    let screen = Screen { mode: 3, columns: 80, lines: 25, points: 16, cursor: (1, 2) };
    let handover = Handover {
        memory: &memory,
        command_line: "quiet",
        modules: &[module],
        rsdp: Some(&[7; 20]),
        screen: Some(screen),
    };
    let image = Image::read(&file()).unwrap();
    let mut block = vec![0xee; handover.bytes(&image)];
    let start = handover.write(&image, &mut block, AT).unwrap();
    assert_eq!(start, Start { eip: 0x100_0000, esi: AT as u32, ..Start::default() });
    // The header as it was, but for what a loader fills in.
    assert_eq!(block[0x26b], 0xab);
    // It ends where its length says, and no byte behind it is passed on.
    assert_eq!(block[0x26c], 0);
    assert_eq!([number(&block, 0x210, 1), number(&block, 0x214, 4)], [0xff, 0x100_0000]);
    assert_eq!([number(&block, 0x218, 4), number(&block, 0x21c, 4)], [32 * MIB, MIB + 1]);
    let line = (number(&block, 0x228, 4) - AT) as usize;
    assert_eq!(&block[line..line + 6], b"quiet\0");
    let rsdp = (number(&block, 0x70, 8) - AT) as usize;
    assert_eq!(block[rsdp..rsdp + 20], [7; 20]);
    assert_eq!(number(&block, 0x1e8, 1), 2);
    let entry = |at: usize| [0, 8, 16].map(|o| number(&block, at + o, if o == 16 { 4 } else { 8 }));
    assert_eq!(entry(0x2d0), [0, 0x9_f000, 1]);
    assert_eq!(entry(0x2e4), [0x9_f000, 0x1000, 2]);
    assert_eq!(block[..2], [1, 2]);
    assert_eq!((block[6], block[7], block[0xe], block[0xf], block[0x10]), (3, 80, 25, 1, 16));
    // The sentinel tells that the page was cleared.
    assert_eq!(block[0x1ef], 0);
}

#[test]
fn a_memory_map_that_has_no_room_is_refused() {
    let image = Image::read(&file()).unwrap();
    assert!(matches!(image.format, Format::Linux(_)));
    for (count, fits) in [(128, true), (129, false)] {
        let memory: Vec<_> = (0..count).map(|i| region(i * 8192, i * 8192 + 4096)).collect();
        let handover =
            Handover { memory: &memory, command_line: "", modules: &[], rsdp: None, screen: None };
        let written = handover.write(&image, &mut [0; 8192], AT);
        assert_eq!(written.is_ok(), fits);
        assert!(fits || written == Err(NoRoom));
    }
}
