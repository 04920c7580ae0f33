//! Bochs's debugger: what it is told before a boot, and what it has said of memory.

use anyhow::{Context, Result, ensure};

use crate::boot::Looks;

/// Bytes of a word, as memory is asked for.
const WORD: u64 = 4;

/// To continue, and to quit when the machine has stopped; in between, to look at memory.
pub fn script(looks: Option<&Looks>) -> String {
    let Some(Looks { times, memory, .. }) = looks else {
        return "c\nq\n".to_owned();
    };
    let words = |start, end| format!("xp /{}wx {start:#x}\n", (end - start) / WORD);
    let all: String = memory.iter().map(|range| words(range.start, range.end)).collect();
    format!("c\n{}q\n", format!("{all}c\n").repeat(*times))
}

/// What was seen, in the order in which it was looked at: as often as the place was come to, each of the ranges.
///
/// # Errors
/// If the machine was not stopped as often, or not all of the memory was shown.
pub fn seen(looks: &Looks) -> Result<Vec<Vec<Vec<u8>>>> {
    let said = std::fs::read(&looks.file).context("no word of the debugger")?;
    let said = String::from_utf8_lossy(&said);
    let mut bytes = said.lines().flat_map(words).flat_map(u32::to_le_bytes);
    let mut look = |start: u64, end: u64| -> Result<Vec<u8>> {
        let wanted = (end - start) as usize;
        let found: Vec<u8> = bytes.by_ref().take(wanted).collect();
        ensure!(found.len() == wanted, "the debugger has shown {} bytes of {wanted}", found.len());
        Ok(found)
    };
    let mut all = || looks.memory.iter().map(|it| look(it.start, it.end)).collect();
    (0..looks.times).map(|_| all()).collect()
}

/// The words of a line such as `0x0000000006000000 <bogus+ 0>: 0xe85250d6 0x00000000`, with tabs between the parts.
fn words(line: &str) -> Vec<u32> {
    let Some((_, words)) = line.split_once(">:").filter(|(place, _)| place.contains("<bogus+"))
    else {
        return Vec::new();
    };
    let word = |word: &str| u32::from_str_radix(word.strip_prefix("0x")?, 16).ok();
    words.split_whitespace().map_while(word).collect()
}

#[cfg(test)]
mod tests {
    use super::{script, seen, words};
    use crate::boot::Looks;

    fn looks(file: &std::path::Path) -> Looks {
        Looks { times: 2, memory: vec![0..8, 0x10..0x14], file: file.to_owned() }
    }

    #[test]
    fn the_debugger_is_told_to_look_each_time() {
        assert_eq!(script(None), "c\nq\n");
        let once = "xp /2wx 0x0\nxp /1wx 0x10\nc\n";
        let script = script(Some(&looks(std::path::Path::new("x"))));
        assert_eq!(script, format!("c\n{once}{once}q\n"));
    }

    #[test]
    fn what_it_says_is_read() {
        let line = "0x0000000006000000 <bogus+       0>:\t0xe85250d6\t0x00000000";
        assert_eq!(words(line), [0xe852_50d6, 0]);
        assert!(words("(0) Breakpoint 1, 0x0000000000405e9c in ?? ()").is_empty());
        let file = tempfile::NamedTempFile::new().unwrap();
        let line = |words| format!("[bochs]:\n0x0 <bogus+       0>:\t{words}\n");
        let once = line("0x00000001\t0x00000002") + &line("0x03020100");
        std::fs::write(file.path(), once.repeat(2)).unwrap();
        let first = vec![vec![1, 0, 0, 0, 2, 0, 0, 0], vec![0, 1, 2, 3]];
        assert_eq!(seen(&looks(file.path())).unwrap(), [first.clone(), first]);
        std::fs::write(file.path(), once).unwrap();
        assert!(seen(&looks(file.path())).is_err(), "it was stopped once only");
    }
}
