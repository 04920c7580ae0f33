//! Where an image spells VMFUNC: in the gate's section, and nowhere else that can be executed. Other code that spelt it, even in
//! the middle of its own instructions, would be a second way into the views that the gate guards.

use std::path::Path;

use anyhow::{Context, Result, bail};
use elf::ElfBytes;
use elf::abi::PF_X;
use elf::endian::LittleEndian;

/// VMFUNC (SDM volume 3, "VMX Instruction Reference").
const SPELT: [u8; 3] = [0x0f, 0x01, 0xd4];

/// The section that may hold it.
const GATE: &str = ".gate";

/// Refuses a built program that spells it where it must not.
pub fn check(program: &Path) -> Result<()> {
    let bytes = std::fs::read(program).with_context(|| format!("read {}", program.display()))?;
    let stray = strays(&bytes).with_context(|| format!("{} is no ELF file", program.display()))?;
    match stray.first() {
        None => Ok(()),
        Some(address) => bail!(
            "{} spells VMFUNC (0f 01 d4) at {address:#x}, outside of section {GATE}: whoever jumps there is in another view; \
             change the code that has these bytes",
            program.display()
        ),
    }
}

/// The addresses of all that is spelt outside of the gate.
fn strays(bytes: &[u8]) -> Result<Vec<u64>> {
    let file = ElfBytes::<LittleEndian>::minimal_parse(bytes)?;
    let gate = file.section_header_by_name(GATE)?;
    let gate = gate.map_or(0..0, |it| it.sh_addr..it.sh_addr + it.sh_size);
    let mut found = Vec::new();
    for segment in file.segments().context("it has no segments")? {
        if segment.p_flags & PF_X != 0 {
            let code = file.segment_data(&segment)?;
            let at = code.windows(SPELT.len()).enumerate().filter(|(_, bytes)| *bytes == SPELT);
            found.extend(at.map(|(offset, _)| segment.p_vaddr + offset as u64));
        }
    }
    let end = SPELT.len() as u64 - 1;
    found.retain(|address| !(gate.contains(address) && gate.contains(&(address + end))));
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::{SPELT, strays};

    const BASE: u64 = 0x40_0000;
    /// Code and then the gate, as many bytes each.
    const BYTES: usize = 64;

    /// Appends fields of so many bytes each.
    fn put<const WIDTH: usize>(file: &mut Vec<u8>, fields: &[usize]) {
        fields.iter().for_each(|field| file.extend(&field.to_le_bytes()[..WIDTH]));
    }

    /// An ELF file of code, a gate if there is one, and what else is loaded after both.
    fn file(code: &[u8], has_gate: bool, flags: usize) -> Vec<u8> {
        let names = b"\0.gate\0.shstrtab\0";
        let (header, segment, section, base) = (64, 56, 64, BASE as usize);
        let code_at = header + segment;
        let names_at = code_at + code.len();
        let sections_at = names_at + names.len();
        let mut file = b"\x7fELF\x02\x01\x01".to_vec();
        file.resize(16, 0);
        put::<2>(&mut file, &[2, 62]);
        put::<4>(&mut file, &[1]);
        put::<8>(&mut file, &[0, header, sections_at]);
        put::<4>(&mut file, &[0]);
        put::<2>(&mut file, &[header, segment, 1, section, 3, 2]);
        put::<4>(&mut file, &[1, flags]);
        put::<8>(&mut file, &[code_at, base, base, code.len(), code.len(), 1]);
        file.extend(code);
        file.extend(names);
        file.resize(sections_at + section, 0);
        put::<4>(&mut file, &[usize::from(has_gate), 1]);
        put::<8>(&mut file, &[6, base + BYTES, code_at + BYTES, BYTES]);
        put::<4>(&mut file, &[0, 0]);
        put::<8>(&mut file, &[1, 0]);
        put::<4>(&mut file, &[7, 3]);
        put::<8>(&mut file, &[0, 0, names_at, names.len()]);
        put::<4>(&mut file, &[0, 0]);
        put::<8>(&mut file, &[1, 0]);
        file
    }

    fn code_with(places: &[usize]) -> Vec<u8> {
        let mut code = vec![0x90; 2 * BYTES];
        places.iter().for_each(|at| code[*at..*at + SPELT.len()].copy_from_slice(&SPELT));
        code
    }

    #[test]
    fn what_is_spelt_outside_of_the_gate_is_found() {
        let gate = [BYTES, 2 * BYTES - SPELT.len()];
        assert_eq!(strays(&file(&code_with(&gate), true, 5)).unwrap(), [0; 0]);
        let code = code_with(&[0, 17, gate[0], gate[1]]);
        assert_eq!(strays(&file(&code, true, 5)).unwrap(), [BASE, BASE + 17]);
        let everywhere = [0, 17, gate[0], gate[1]].map(|at| BASE + at as u64);
        assert_eq!(strays(&file(&code, false, 5)).unwrap(), everywhere);
    }

    #[test]
    fn what_begins_before_the_gate_or_ends_behind_it_is_outside() {
        let code = code_with(&[BYTES - 1]);
        assert_eq!(strays(&file(&code, true, 5)).unwrap(), [BASE + BYTES as u64 - 1]);
    }

    #[test]
    fn what_cannot_be_executed_may_spell_anything() {
        assert_eq!(strays(&file(&code_with(&[3]), true, 6)).unwrap(), [0; 0]);
    }

    #[test]
    fn what_is_no_program_is_refused() {
        strays(b"no program").unwrap_err();
    }
}
