//! The guest's console, a file that grows.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

/// Reads lines from a file as they appear.
pub struct Console {
    path: PathBuf,
    file: Option<File>,
    unfinished: Vec<u8>,
}

impl Console {
    /// A console whose file need not exist yet.
    pub fn new(path: &Path) -> Self {
        Self { path: path.to_owned(), file: None, unfinished: Vec::new() }
    }

    /// Hands over the lines that have been finished since the last time.
    pub fn read(&mut self, mut line: impl FnMut(String)) {
        self.fill();
        while let Some(end) = self.unfinished.iter().position(|byte| *byte == b'\n') {
            let bytes: Vec<u8> = self.unfinished.drain(..=end).collect();
            line(plain(&bytes));
        }
    }

    /// Whether these texts come behind one another in the line that is not finished.
    pub fn has(&self, texts: &[&str]) -> bool {
        let line = plain(&self.unfinished);
        let mut rest = line.as_str();
        texts.iter().all(|text| match rest.split_once(text) {
            Some((_, behind)) => {
                rest = behind;
                true
            }
            None => false,
        })
    }

    /// Hands over the rest, a last line without an end among it.
    pub fn finish(mut self, mut line: impl FnMut(String)) {
        self.read(&mut line);
        let rest = plain(&self.unfinished);
        if !rest.is_empty() {
            line(rest);
        }
    }

    fn fill(&mut self) {
        if self.file.is_none() {
            self.file = File::open(&self.path).ok();
        }
        if let Some(file) = &mut self.file {
            // A file that cannot be read now is tried again the next time.
            let _ = file.read_to_end(&mut self.unfinished);
        }
    }
}

/// Text without control characters and the boot loader's escape sequences.
fn plain(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let mut characters = text.chars();
    let mut kept = String::new();
    while let Some(character) = characters.next() {
        match character {
            '\x1b' => drop(characters.by_ref().find(char::is_ascii_alphabetic)),
            '\t' => kept.push(' '),
            other if other.is_control() => {}
            other => kept.push(other),
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::{Console, plain};
    use std::io::Write;

    #[test]
    fn escape_sequences_are_left_out() {
        assert_eq!(plain(b"\x1b[H\x1b[J\x1b[1;1Hhello\r\n"), "hello");
    }

    #[test]
    fn texts_are_found_in_their_order_in_the_unfinished_line() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        let mut console = Console::new(file.path());
        file.write_all(b"one\nt\x1b[1;2Hwo three").unwrap();
        console.read(|_| ());
        assert!(console.has(&["two", "three"]));
        for absent in [&["three", "two"][..], &["one"], &["three", "three"]] {
            assert!(!console.has(absent), "{absent:?}");
        }
    }

    #[test]
    fn lines_come_when_they_are_finished() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        let mut console = Console::new(file.path());
        let mut lines = Vec::new();
        file.write_all(b"one\ntw").unwrap();
        console.read(|line| lines.push(line));
        assert_eq!(lines, ["one"]);
        file.write_all(b"o\nthree").unwrap();
        console.read(|line| lines.push(line));
        console.finish(|line| lines.push(line));
        assert_eq!(lines, ["one", "two", "three"]);
    }
}
