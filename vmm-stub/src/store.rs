//! Instructions that store 32 bits to memory, as far as the stub does them for the guest: those by which kernels write to the
//! registers of a device (SDM volume 2, chapter 2 "Instruction Format"; "MOV", "MOVNTI", "XCHG").
//!
//! Where the store goes is known from the fault, so an operand in memory is only measured. A decoder of all instructions would be
//! ten thousand lines, with unsafe code, for bytes that the guest chooses; this one knows what it is asked for.

/// The size of addresses and operands that the code segment gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CodeSize {
    /// Real mode and 16-bit segments.
    Bits16,
    /// 32-bit segments.
    Bits32,
    /// 64-bit mode: addresses of 64 bits, operands of 32.
    Bits64,
}

/// Where the stored value comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// The low half of the general register with this number.
    Register(u8),
    /// The instruction itself.
    Immediate(u32),
}

/// A store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Store {
    /// Bytes of the instruction.
    pub bytes: u8,
    /// What is stored.
    pub source: Source,
    /// What was there before goes to the same register.
    pub exchanges: bool,
}

/// Bits of a REX prefix.
const REX_W: u8 = 1 << 3;
const REX_R: u8 = 1 << 2;

/// Bytes of an instruction, one after the other.
struct Reader<'a> {
    bytes: &'a [u8],
    read: usize,
}

impl Reader<'_> {
    fn byte(&mut self) -> Option<u8> {
        let byte = self.bytes.get(self.read).copied();
        self.read += 1;
        byte
    }

    fn skip(&mut self, bytes: usize) -> Option<()> {
        self.read += bytes;
        (self.read <= self.bytes.len()).then_some(())
    }

    fn immediate(&mut self) -> Option<u32> {
        let bytes = self.bytes.get(self.read..self.read + 4)?;
        self.read += 4;
        Some(u32::from_le_bytes(bytes.try_into().ok()?))
    }
}

/// What prefixes say.
struct Prefixes {
    operand_size: bool,
    address_size: bool,
    rex: u8,
    opcode: u8,
}

/// Reads prefixes and the first byte behind them. REP and LOCK go with none of these stores, except LOCK with XCHG, where it says
/// nothing new.
fn prefixes(reader: &mut Reader<'_>, size: CodeSize) -> Option<Prefixes> {
    let mut all = Prefixes { operand_size: false, address_size: false, rex: 0, opcode: 0 };
    loop {
        match reader.byte()? {
            0x66 => all.operand_size = true,
            0x67 => all.address_size = true,
            0x26 | 0x2e | 0x36 | 0x3e | 0x64 | 0x65 | 0xf0 => {}
            rex @ 0x40..=0x4f if size == CodeSize::Bits64 => {
                (all.rex, all.opcode) = (rex, reader.byte()?);
                return Some(all);
            }
            opcode => {
                all.opcode = opcode;
                return Some(all);
            }
        }
    }
}

/// The store that these bytes begin with; `None` if it is another instruction, or stores more or less than 32 bits.
pub fn decode(bytes: &[u8], size: CodeSize) -> Option<Store> {
    let mut reader = Reader { bytes, read: 0 };
    let Prefixes { operand_size, address_size, rex, opcode } = prefixes(&mut reader, size)?;
    let is_32_bits = operand_size == (size == CodeSize::Bits16) && rex & REX_W == 0;
    let address = match (size, address_size) {
        (CodeSize::Bits64, false) => 8,
        (CodeSize::Bits16, false) | (CodeSize::Bits32, true) => 2,
        _ => 4,
    };
    let high = if rex & REX_R != 0 { 8 } else { 0 };
    let exchanges = opcode == 0x87;
    let source = match opcode {
        0x89 | 0x87 => Source::Register(operand(&mut reader, address)? | high),
        0x0f if reader.byte()? == 0xc3 => Source::Register(operand(&mut reader, address)? | high),
        0xc7 if operand(&mut reader, address)? == 0 => Source::Immediate(reader.immediate()?),
        0xa3 => reader.skip(address).map(|()| Source::Register(0))?,
        _ => return None,
    };
    let bytes = u8::try_from(reader.read).ok()?;
    is_32_bits.then_some(Store { bytes, source, exchanges })
}

/// Measures an operand in memory, given the bytes of an address; the register or the digit that stands beside it.
fn operand(reader: &mut Reader<'_>, address: usize) -> Option<u8> {
    let form = reader.byte()?;
    let (kind, memory) = (form >> 6, form & 7);
    let wide = if address == 2 { 2 } else { 4 };
    let base = if address != 2 && memory == 4 { reader.byte()? & 7 } else { memory };
    // What stands for "no register, a displacement instead".
    let without = if address == 2 { 6 } else { 5 };
    let displacement = match kind {
        0 if base == without => wide,
        0 => 0,
        1 => 1,
        2 => wide,
        _ => return None,
    };
    reader.skip(displacement)?;
    Some(form >> 3 & 7)
}

#[cfg(test)]
mod tests {
    use super::{CodeSize, Source, Store, decode};

    const EXIT: [u8; 3] = [0x90, 0x90, 0x90];

    fn store(bytes: &[u8], size: CodeSize) -> Option<Store> {
        let found = decode(&[bytes, &EXIT].concat(), size);
        assert!(found.is_none_or(|store| usize::from(store.bytes) == bytes.len()), "{bytes:x?}");
        found
    }

    #[test]
    fn what_compilers_write_is_known() {
        use CodeSize::{Bits16, Bits32, Bits64};
        let register = |number| Some(Source::Register(number));
        let immediate = |number| Some(Source::Immediate(number));
        for (bytes, size, source) in [
            (&[0x89, 0x08][..], Bits64, register(1)), // mov [rax], ecx
            (&[0x44, 0x89, 0x80, 0, 3, 0, 0], Bits64, register(8)), // mov [rax+0x300], r8d
            (&[0x89, 0x34, 0x25, 0, 0xb0, 0x5f, 0xff], Bits64, register(6)), // mov [0xffffffffff5fb000], esi
            (&[0x89, 0x05, 1, 2, 3, 4], Bits64, register(0)),                // mov [rip+...], eax
            (&[0x41, 0x89, 0x54, 0x24, 0x10], Bits64, register(2)),          // mov [r12+16], edx
            (&[0xc7, 0x80, 0xb0, 0, 0, 0, 5, 0, 0, 0], Bits64, immediate(5)), // mov [rax+0xb0], 5
            (&[0xc7, 0x04, 0x25, 0xb0, 0, 0, 0, 0, 0, 0, 0], Bits32, immediate(0)),
            (&[0x87, 0x0a], Bits32, register(1)), // xchg [edx], ecx
            (&[0xa3, 0, 3, 0xe0, 0xfe], Bits32, register(0)), // mov [0xfee00300], eax
            (&[0x0f, 0xc3, 0x01], Bits64, register(0)), // movnti [rcx], eax
            (&[0x66, 0x67, 0x89, 0x83, 0, 3, 0, 0], Bits16, register(0)), // mov [ebx+0x300], eax
            (&[0x66, 0x89, 0x0e, 0, 3], Bits16, register(1)), // mov [0x300], ecx
            (&[0x65, 0x89, 0x08], Bits64, register(1)), // mov gs:[rax], ecx
        ] {
            assert_eq!(store(bytes, size).map(|store| store.source), source, "{bytes:x?}");
        }
        assert!(store(&[0x87, 0x0a], Bits64).unwrap().exchanges);
        assert!(!store(&[0x89, 0x0a], Bits64).unwrap().exchanges);
    }

    #[test]
    fn other_sizes_and_instructions_are_not() {
        for (bytes, size) in [
            (&[0x48, 0x89, 0x08][..], CodeSize::Bits64), // 64 bits
            (&[0x66, 0x89, 0x08], CodeSize::Bits64),     // 16 bits
            (&[0x89, 0x08], CodeSize::Bits16),           // 16 bits
            (&[0x88, 0x08], CodeSize::Bits64),           // 8 bits
            (&[0x89, 0xc8], CodeSize::Bits64),           // to a register
            (&[0x8b, 0x08], CodeSize::Bits64),           // a load
            (&[0xc7, 0x08, 0, 0, 0, 0], CodeSize::Bits64),
            (&[0x0f, 0x11, 0x01], CodeSize::Bits64),
            (&[0xf3, 0xab], CodeSize::Bits64),
        ] {
            assert_eq!(decode(bytes, size), None, "{bytes:x?}");
        }
    }

    #[test]
    fn bytes_may_end_anywhere() {
        let all = [0x66, 0x67, 0x44, 0xc7, 0x84, 0x25, 0, 0, 0, 0, 1, 2, 3, 4];
        for size in [CodeSize::Bits16, CodeSize::Bits32, CodeSize::Bits64] {
            for end in 0..all.len() {
                assert!(decode(&all[..end], size).is_none_or(|s| usize::from(s.bytes) <= end));
            }
        }
    }
}
