use loadphys_boot::handoff::Region;

use super::{BadImage, Image};

const LOAD: u32 = 1;
const NOTE: u32 = 4;
/// Where the notes of [`file`] begin.
const NOTES_AT: u64 = 64 + 4 * 56;

/// A program header: type, place in the file, place in memory, size in the file, size in memory.
type Header = (u32, u64, u64, u64, u64);

fn good() -> Vec<Header> {
    vec![
        (LOAD, 0, 0x20_0000, 0x100, 0x100),
        (LOAD, 0x100, 0x20_1000, 0x20, 0x3000),
        (NOTE, NOTES_AT, 0, 24, 24),
        (LOAD, 0, 0x40_0000, 0, 0),
    ]
}

fn note(kind: u32, name: &[u8; 4], entry: u64) -> Vec<u8> {
    let head = [4, 8, kind].map(u32::to_le_bytes).concat();
    [head, name.to_vec(), entry.to_le_bytes().to_vec()].concat()
}

/// An ELF file with four program headers and one note behind them.
fn file(headers: &[Header], note: &[u8]) -> Vec<u8> {
    let mut file = b"\x7fELF\x02\x01\x01".to_vec();
    file.resize(16, 0);
    file.extend([2_u16, 62].map(u16::to_le_bytes).concat());
    file.extend(1_u32.to_le_bytes());
    file.extend([0xffff_8000_u64, 64, 0].map(u64::to_le_bytes).concat());
    file.extend(0_u32.to_le_bytes());
    file.extend([64_u16, 56, headers.len() as u16, 64, 0, 0].map(u16::to_le_bytes).concat());
    for (kind, offset, address, in_file, in_memory) in headers {
        file.extend([*kind, 5].map(u32::to_le_bytes).concat());
        file.extend(
            [*offset, *address, *address, *in_file, *in_memory, 4].map(u64::to_le_bytes).concat(),
        );
    }
    file.resize(NOTES_AT as usize, 0);
    file.extend(note);
    file.resize(0x200, 0xcc);
    file
}

fn pvh() -> Vec<u8> {
    note(18, b"Xen\0", 0x20_0040)
}

#[test]
fn a_good_file_is_understood() {
    let image = Image::read(&file(&good(), &pvh())).unwrap();
    assert_eq!(image.entry, 0x20_0040);
    let places: Vec<_> =
        image.segments.iter().map(|s| (s.file.clone(), s.memory.clone())).collect();
    assert_eq!(places, [(0..0x100, 0x20_0000..0x20_0100), (0x100..0x120, 0x20_1000..0x20_4000)]);
    assert_eq!(image.place(), 0x20_0000..0x20_4000);
    assert!(image.overlaps(&(0x20_3fff..0x20_5000)) && !image.overlaps(&(0x20_4000..0x20_5000)));
}

#[test]
fn other_files_are_refused() {
    let good_file = file(&good(), &pvh());
    assert_eq!(Image::read(b"#!/bin/sh"), Err(BadImage::Unknown));
    assert_eq!(Image::read(&[]), Err(BadImage::Unknown));
    let with = |at: usize, byte: u8| {
        let mut changed = good_file.clone();
        changed[at] = byte;
        Image::read(&changed)
    };
    assert_eq!(with(18, 183), Err(BadImage::Machine(183)));
    assert_eq!(with(16, 1), Err(BadImage::Type(1)));
    // Of the other class its header is another.
    assert_eq!(with(4, 1), Err(BadImage::NoElf));
}

#[test]
fn without_a_pvh_note_there_is_no_entry() {
    for note in [note(1, b"Xen\0", 1), note(18, b"GNU\0", 1), note(18, b"Xen\0", 1 << 32), vec![]] {
        assert_eq!(Image::read(&file(&good(), &note)), Err(BadImage::NoNote));
    }
}

#[test]
fn segments_must_make_sense() {
    let with = |header: Header| {
        let mut headers = good();
        headers[0] = header;
        Image::read(&file(&headers, &pvh()))
    };
    assert_eq!(with((LOAD, 0x1ff, 0, 2, 2)), Err(BadImage::NoElf));
    assert_eq!(with((LOAD, u64::MAX, 0, 2, 2)), Err(BadImage::NoElf));
    assert_eq!(with((LOAD, 0, u64::MAX, 2, 2)), Err(BadImage::NoElf));
    assert_eq!(with((LOAD, 0, 0, 3, 2)), Err(BadImage::NoElf));
    let none = file(&[good()[2]], &pvh());
    assert_eq!(Image::read(&none), Err(BadImage::Segments(0)));
}

#[test]
fn segments_must_lie_in_memory_and_not_in_the_stub() {
    let image = Image::read(&file(&good(), &pvh())).unwrap();
    let map = [Region { start: 0x10_0000, end: 0x20_3000, usable: true }];
    let larger = [Region { end: 0x800_0000, ..map[0] }];
    let stub = 0x600_0000..0x620_0000;
    assert_eq!(image.check_places(&larger, &stub), Ok(()));
    let outside = Err(BadImage::Outside(0x20_1000..0x20_4000));
    assert_eq!(image.check_places(&map, &stub), outside);
    let over = image.check_places(&larger, &(0x20_3000..0x30_0000));
    assert_eq!(over, Err(BadImage::OverStub(0x20_1000..0x20_4000)));
}

#[test]
fn no_file_makes_the_reader_stumble() {
    let good_file = file(&good(), &pvh());
    for cut in 0..good_file.len() {
        let _ = Image::read(&good_file[..cut]);
    }
    for (at, byte) in
        (0..NOTES_AT as usize + 24).flat_map(|at| [0, 1, 0x7f, 0x80, 0xff].map(|b| (at, b)))
    {
        let mut changed = good_file.clone();
        changed[at] = byte;
        let _ = Image::read(&changed);
    }
}
