//! Records on the console, one JSON object a line.

use loadphys_plan::records::{Count, LINE_BYTES, Name, Record};

use crate::console;

/// Writes a record.
pub fn record(record: &Record) {
    with_text(record, |text| console::write(format_args!("{text}\n")));
}

/// Writes a record after which nothing comes.
pub fn last(record: &Record) {
    with_text(record, |text| console::write_last_words(format_args!("{text}\n")));
}

/// Writes a count.
pub fn count(name: &str, count: u64) {
    record(&Record::Count(Count { name: self::name(name), count }));
}

/// A name in a record.
pub fn name(text: &str) -> Name {
    Name::try_from(text).expect("names are short")
}

fn with_text(record: &Record, write: impl FnOnce(&str)) {
    let mut room = [0; LINE_BYTES];
    let used = serde_json_core::to_slice(record, &mut room).expect("a record fits its line");
    write(core::str::from_utf8(&room[..used]).expect("JSON is UTF-8"));
}
