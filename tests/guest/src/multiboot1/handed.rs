//! The information structure ("Multiboot Specification", version 0.6.96, section 3.3).
#![expect(unsafe_code, reason = "reads what the loader left in memory")]

use core::ffi::CStr;
use core::slice;

use loadphys_test_guests::say;

/// The structure, and what its fields lead to.
pub struct Handed {
    at: u32,
}

/// Bytes of an entry of the list of modules.
const MODULE: u32 = 16;

impl Handed {
    /// The one whose address was in EBX.
    pub const fn at(at: u32) -> Self {
        Self { at }
    }

    /// Says all of it.
    pub fn say(&self) {
        say!("handed: flags {:#x}", self.field(0));
        say!("handed: {} KiB below, {} KiB above", self.field(4), self.field(8));
        say!("handed: line '{}'", text(self.field(16)));
        say!("handed: loader '{}'", text(self.field(64)));
        say!("handed: {} modules", self.field(20));
        (0..self.field(20)).for_each(|number| say_module(self.field(24) + MODULE * number));
        say_map(self.field(48), self.field(48) + self.field(44));
    }

    fn field(&self, offset: u32) -> u32 {
        word(self.at + offset)
    }
}

/// Where it lies, its own line, and a sum over its bytes.
fn say_module(at: u32) {
    let (start, end) = (word(at), word(at + 4));
    let sum = bytes(start, end - start)
        .iter()
        .fold(0_u32, |sum, byte| sum.rotate_left(5) ^ u32::from(*byte));
    let whole = if start % 4096 == 0 { "at a whole page" } else { "inside a page" };
    say!(
        "handed: module of {} bytes, sum {sum:#x}, {whole}, line '{}'",
        end - start,
        text(word(at + 8))
    );
}

/// An entry's first word is the size of what follows it.
fn say_map(mut at: u32, end: u32) {
    while at < end {
        let wide = |offset| u64::from(word(at + offset)) | u64::from(word(at + offset + 4)) << 32;
        let (start, bytes) = (wide(4), wide(12));
        say!("handed: memory {start:#x} {:#x} kind {}", start + bytes, word(at + 20));
        at += 4 + word(at);
    }
}

fn word(at: u32) -> u32 {
    u32::from_le_bytes(bytes(at, 4).try_into().unwrap())
}

fn text(at: u32) -> &'static str {
    // SAFETY: as for `bytes`; a text of the structure ends with a zero.
    let text = unsafe { CStr::from_ptr(at as usize as *const _) };
    text.to_str().expect("a text of the loader's is UTF-8")
}

fn bytes(at: u32, count: u32) -> &'static [u8] {
    // SAFETY: the loader left it there, the first 4 GiB are mapped at their own addresses, and nothing is written to it.
    unsafe { slice::from_raw_parts(at as usize as *const u8, count as usize) }
}
