//! Files, directories and what is mounted.
#![expect(unsafe_code, reason = "system calls")]

use core::ffi::CStr;
use core::str;

use crate::failure::Failure;
use crate::system::{Call, call};

/// `O_RDONLY`.
pub const READ: usize = 0;
/// `O_WRONLY`.
pub const WRITE: usize = 1;
/// `O_RDWR`.
pub const READ_WRITE: usize = 2;
/// `O_NONBLOCK`: an error instead of waiting.
pub const NO_WAIT: usize = 0o4000;
/// `O_DIRECT`: past the page cache.
pub const DIRECT: usize = 0o40000;

/// An open file; it is closed when this is dropped.
#[derive(Debug)]
pub struct File(pub usize);

impl File {
    /// Opens a file in a mode such as [`READ`].
    pub fn open(path: &CStr, mode: usize) -> Result<Self, Failure> {
        let address = path.as_ptr().addr();
        // SAFETY: the path ends with a zero and is only read.
        unsafe { call(Call::Open, [address, mode, 0], name(path)) }.map(Self)
    }

    /// Reads as much as there is and has room.
    pub fn read(&self, room: &mut [u8]) -> Result<usize, Failure> {
        let place = [self.0, room.as_mut_ptr().addr(), room.len()];
        // SAFETY: the room is ours.
        unsafe { call(Call::Read, place, "read") }
    }

    /// Reads from a place in the file.
    pub fn read_at(&self, room: &mut [u8], offset: usize) -> Result<usize, Failure> {
        let place = [self.0, room.as_mut_ptr().addr(), room.len(), offset];
        // SAFETY: the room is ours.
        unsafe { call(Call::Pread, place, "pread") }
    }

    /// Writes all of it.
    pub fn write(&self, bytes: &[u8]) -> Result<(), Failure> {
        // SAFETY: the bytes are only read.
        let written =
            unsafe { call(Call::Write, [self.0, bytes.as_ptr().addr(), bytes.len()], "write") };
        whole(written?, bytes.len())
    }

    /// Has the disk keep what was written (`fsync(2)`).
    pub fn sync(&self) -> Result<(), Failure> {
        // SAFETY: the call takes no address.
        unsafe { call(Call::Fsync, [self.0], "fsync") }.map(drop)
    }

    /// Writes all of it to a place in the file.
    pub fn write_at(&self, bytes: &[u8], offset: usize) -> Result<(), Failure> {
        let place = [self.0, bytes.as_ptr().addr(), bytes.len(), offset];
        // SAFETY: the bytes are only read.
        whole(unsafe { call(Call::Pwrite, place, "pwrite") }?, bytes.len())
    }
}

impl Drop for File {
    fn drop(&mut self) {
        // SAFETY: the call takes no address. A file that is read or written without delay closes well.
        let _ = unsafe { call(Call::Close, [self.0], "close") };
    }
}

fn whole(written: usize, wanted: usize) -> Result<(), Failure> {
    match written == wanted {
        true => Ok(()),
        false => Err(Failure::new(format_args!("only {written} of {wanted} bytes were written"))),
    }
}

fn name(path: &CStr) -> &str {
    path.to_str().unwrap_or("a file")
}

/// Opens a file and writes this to it.
pub fn put(path: &CStr, bytes: &[u8]) -> Result<(), Failure> {
    File::open(path, WRITE)?
        .write(bytes)
        .map_err(|why| Failure::new(format_args!("{}: {}", name(path), why)))
}

/// Reads a file that fits the room.
pub fn get<'r>(path: &CStr, room: &'r mut [u8]) -> Result<&'r str, Failure> {
    let file = File::open(path, READ)?;
    let mut used = 0;
    loop {
        match file.read(&mut room[used..])? {
            0 => break,
            more => used += more,
        }
    }
    str::from_utf8(&room[..used])
        .map_err(|_| Failure::new(format_args!("{} is no text", name(path))))
}

/// Makes a directory.
pub fn make_directory(path: &CStr) -> Result<(), Failure> {
    // SAFETY: the path ends with a zero and is only read.
    unsafe { call(Call::Mkdir, [path.as_ptr().addr(), 0o755], name(path)) }.map(drop)
}

/// Mounts a file system of the kernel's own on a directory.
pub fn mount(kind: &CStr, place: &CStr) -> Result<(), Failure> {
    let [kind, at] = [kind, place].map(|text| text.as_ptr().addr());
    // SAFETY: the texts end with a zero and are only read; no data is given.
    unsafe { call(Call::Mount, [kind, at, kind, 0, 0], name(place)) }.map(drop)
}

/// Loads a module with these parameters.
pub fn load_module(path: &CStr, parameters: &CStr) -> Result<(), Failure> {
    let file = File::open(path, READ)?;
    let arguments = [file.0, parameters.as_ptr().addr(), 0];
    // SAFETY: the parameters end with a zero and are only read.
    unsafe { call(Call::FinitModule, arguments, name(path)) }.map(drop)
}

/// Lets the kernel swap to a file or device that has the header of a swap area.
pub fn swap_on(path: &CStr) -> Result<(), Failure> {
    // SAFETY: the path ends with a zero and is only read.
    unsafe { call(Call::Swapon, [path.as_ptr().addr(), 0], name(path)) }.map(drop)
}
