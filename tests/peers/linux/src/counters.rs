//! Texts of `/proc`: a name and a number a line, and the command line.

/// The number after a name in a text such as that of `/proc/vmstat`.
pub fn counter(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '))?;
    line.split_whitespace().next()?.parse().ok()
}

/// What a kernel's command line has for the first program: the words after a pair of dashes.
pub fn words_for_init(line: &str) -> &str {
    line.split_once(" -- ").map_or("", |(_, words)| words.trim())
}

#[cfg(test)]
mod tests {
    use super::{counter, words_for_init};

    #[test]
    fn a_counter_is_found_by_its_whole_name() {
        let text = "pswpin 7\npswpout_zero 1\npswpout 42\n";
        assert_eq!(counter(text, "pswpout"), Some(42));
        assert_eq!(counter(text, "pswp"), None);
        assert_eq!(counter("pswpout x\n", "pswpout"), None);
        assert_eq!(counter("MemTotal:   241 kB\n", "MemTotal:"), Some(241));
    }

    #[test]
    fn words_for_init_come_after_the_dashes() {
        assert_eq!(words_for_init("quiet -- sharers=1 pages=2\n"), "sharers=1 pages=2");
        assert_eq!(words_for_init("quiet"), "");
    }
}
