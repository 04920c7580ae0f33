//! What a Markdown file links to, and the anchors of its headings.

use std::collections::{BTreeMap, BTreeSet};

use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};

/// As GitHub reads it.
const OPTIONS: Options = Options::ENABLE_TABLES.union(Options::ENABLE_GFM);

/// A link of a document.
pub struct Link {
    /// The line on which it begins, from 1.
    pub line: usize,
    pub target: String,
}

pub fn links(text: &str) -> Vec<Link> {
    let events = Parser::new_ext(text, OPTIONS).into_offset_iter();
    let link = events.filter_map(|(event, at)| match event {
        Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) => {
            let line = text[..at.start].matches('\n').count() + 1;
            Some(Link { line, target: dest_url.into_string() })
        }
        _ => None,
    });
    link.collect()
}

pub fn anchors(text: &str) -> BTreeSet<String> {
    let (mut anchors, mut before) = (BTreeSet::new(), BTreeMap::<_, u32>::new());
    for heading in headings(text) {
        let anchor = anchor(&heading);
        // The second of its name has -1 behind it, and so on.
        let count = before.entry(anchor.clone()).or_default();
        anchors.insert(if *count == 0 { anchor } else { format!("{anchor}-{count}") });
        *count += 1;
    }
    anchors
}

fn headings(text: &str) -> Vec<String> {
    let (mut headings, mut heading) = (Vec::new(), None::<String>);
    for event in Parser::new_ext(text, OPTIONS) {
        match event {
            Event::Start(Tag::Heading { .. }) => heading = Some(String::new()),
            Event::Text(part) | Event::Code(part) => {
                heading.iter_mut().for_each(|heading| heading.push_str(&part));
            }
            Event::End(TagEnd::Heading(_)) => headings.extend(heading.take()),
            _ => {}
        }
    }
    headings
}

/// Letters, digits, `-` and `_` stay, in lower case; a blank becomes `-`; the rest goes.
fn anchor(heading: &str) -> String {
    let lower = heading.to_lowercase();
    let kept = lower.chars().filter(|it| it.is_alphanumeric() || matches!(it, '-' | '_' | ' '));
    kept.map(|it| if it == ' ' { '-' } else { it }).collect()
}

#[cfg(test)]
mod tests {
    use super::{anchors, links};

    #[test]
    fn headings_have_the_anchors_that_github_gives_them() {
        let text = "# Guest, and `stub_run`!\n## 4 KiB - large\n## Same\ntext\n\n## Same\n```\n# none\n```\n";
        let found: Vec<_> = anchors(text).into_iter().collect();
        assert_eq!(found, ["4-kib---large", "guest-and-stub_run", "same", "same-1"]);
    }

    #[test]
    fn links_are_found_wherever_they_stand_but_in_code() {
        let text = "a [b](1)\n\n| c | [`d`](2#x) |\n|---|---|\n| ![e](3) | `[f](4)` |\n\n```\n[g](5)\n```\n\n- [h][i]\n\n[i]: 6\n";
        let found: Vec<_> = links(text).into_iter().map(|it| (it.line, it.target)).collect();
        let expected = [(1, "1"), (3, "2#x"), (5, "3"), (11, "6")];
        assert_eq!(found, expected.map(|(line, target)| (line, target.to_owned())));
    }
}
