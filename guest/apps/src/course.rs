//! Courses: in which order a program touches its pages.
//!
//! The host counts the hits of victim choices on them, and a program of the guest follows them. A seed decides all that is
//! random; nothing is stored and nothing allocated, so a course can be as long as one likes.

/// A kind of course.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Course {
    /// Page after page, and again from the first one.
    Loop,
    /// Page after page up, and page after page down.
    Sweep,
    /// Three of four touches go to an eighth of the pages, the fourth to the next of the others.
    HotAndScan,
    /// Four of five touches go to a fifth of the pages, four of five of these to a fifth of that, and so on (the
    /// self-similar distribution, much like Zipf's).
    Skewed,
    /// As `Skewed`, but now and then every page is read once.
    SkewedAndScan,
    /// A quarter of the pages for a while, then another quarter that overlaps it by half.
    Phases,
}

/// A page is touched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Touch {
    /// Which page, from 0.
    pub page: u64,
    /// Whether it is written, too.
    pub write: bool,
}

/// What a program is told of the course that it follows; it comes in one register.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Route {
    /// Which course.
    pub course: Course,
    /// What decides all that is random; below 2^24.
    pub seed: u64,
    /// Touches, below 2^32.
    pub touches: u64,
}

impl Route {
    /// As one word, which is not 0 if there are any touches.
    pub const fn word(self) -> u64 {
        self.touches << 32 | self.seed << 8 | self.course as u64
    }

    /// From the word; nothing if there is no such course.
    pub fn from_word(word: u64) -> Option<Self> {
        let course = Course::from_number(word & 0xff)?;
        Some(Self { course, seed: word >> 8 & 0xff_ffff, touches: word >> 32 })
    }

    /// Its touches of so many pages.
    pub fn touches_of(self, pages: u64) -> impl Iterator<Item = Touch> {
        self.course.touches(pages, self.seed).take(self.touches as usize)
    }
}

impl Course {
    /// All of them, by number.
    pub const ALL: [Self; 6] = [
        Self::Loop,
        Self::Sweep,
        Self::HotAndScan,
        Self::Skewed,
        Self::SkewedAndScan,
        Self::Phases,
    ];

    /// The course with this number.
    pub fn from_number(number: u64) -> Option<Self> {
        Self::ALL.get(usize::try_from(number).ok()?).copied()
    }

    /// Its name in tables and records.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Loop => "loop",
            Self::Sweep => "sweep",
            Self::HotAndScan => "hot-and-scan",
            Self::Skewed => "skewed",
            Self::SkewedAndScan => "skewed-and-scan",
            Self::Phases => "phases",
        }
    }

    /// The touches of so many pages (at least [`LEAST_PAGES`], below 2^32), without end.
    pub fn touches(self, pages: u64, seed: u64) -> impl Iterator<Item = Touch> {
        let mut random = Random(seed << 1 | 1);
        (0..).map(move |step| {
            let page = self.page(step, pages, &mut random);
            Touch { page, write: random.below(4) == 0 }
        })
    }

    fn page(self, step: u64, pages: u64, random: &mut Random) -> u64 {
        match self {
            Self::Loop => step % pages,
            Self::Sweep => {
                let at = step % (2 * (pages - 1));
                if at < pages { at } else { 2 * (pages - 1) - at }
            }
            Self::HotAndScan => hot_and_scan(step, pages, random),
            Self::Skewed => scattered(random.skewed(pages), pages),
            Self::SkewedAndScan => match (step % (4 * pages)).checked_sub(3 * pages) {
                Some(scan) => scan,
                None => scattered(random.skewed(pages), pages),
            },
            Self::Phases => {
                let first = step / (2 * pages) * (pages / 8);
                (first + random.below(pages / 4)) % pages
            }
        }
    }
}

/// With fewer pages a course is not what it is called.
pub const LEAST_PAGES: u64 = 16;

fn hot_and_scan(step: u64, pages: u64, random: &mut Random) -> u64 {
    let hot = pages / 8;
    match step % 4 {
        3 => hot + step / 4 % (pages - hot),
        _ => random.below(hot),
    }
}

/// Spreads neighbours, so that pages that are touched often do not lie in a row. No two get the same place unless their
/// number is a multiple of the factor, a prime.
const fn scattered(page: u64, pages: u64) -> u64 {
    page * 1_000_003 % pages
}

/// A sequence of numbers that a seed decides (xorshift64*).
struct Random(u64);

impl Random {
    /// A number below `end`, which is below 2^32.
    const fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        ((self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 32) * end) >> 32
    }

    /// A number below `end`, of which the small ones are likely.
    const fn skewed(&mut self, end: u64) -> u64 {
        let mut end = end;
        while end > 5 && self.below(5) < 4 {
            end = end.div_ceil(5);
        }
        self.below(end)
    }
}

#[cfg(test)]
mod tests {
    use super::{Course, LEAST_PAGES, Route};
    use std::collections::HashMap;

    const PAGES: u64 = 1000;

    fn counts(course: Course, touches: usize) -> HashMap<u64, u64> {
        let mut counts = HashMap::new();
        for touch in course.touches(PAGES, 3).take(touches) {
            *counts.entry(touch.page).or_default() += 1;
        }
        counts
    }

    #[test]
    fn every_course_touches_all_its_pages_and_no_other() {
        for course in Course::ALL {
            let counts = counts(course, 40 * PAGES as usize);
            assert!(counts.keys().all(|page| *page < PAGES), "{}", course.name());
            assert!(counts.len() as u64 > PAGES * 9 / 10, "{}: {}", course.name(), counts.len());
        }
    }

    #[test]
    fn the_seed_decides_and_the_fewest_pages_do() {
        for course in Course::ALL {
            let some = |seed| course.touches(LEAST_PAGES, seed).take(500).collect::<Vec<_>>();
            assert_eq!(some(4), some(4));
            assert_ne!(some(4), some(5), "what is written is random in all");
        }
    }

    #[test]
    fn a_fifth_of_the_pages_gets_four_fifths_of_skewed_touches() {
        let counts = counts(Course::Skewed, 100_000);
        let mut often: Vec<u64> = counts.into_values().collect();
        often.sort_unstable_by(|a, b| b.cmp(a));
        let fifth: u64 = often.iter().take(PAGES as usize / 5).sum();
        assert!((78_000..90_000).contains(&fifth), "{fifth}");
    }

    #[test]
    fn courses_are_found_by_number() {
        for (number, course) in (0..).zip(Course::ALL) {
            assert_eq!(Course::from_number(number), Some(course));
        }
        assert_eq!(Course::from_number(6), None);
    }

    #[test]
    fn a_route_is_read_as_it_is_written() {
        for course in Course::ALL {
            let route = Route { course, seed: (1 << 24) - 1, touches: (1 << 32) - 1 };
            assert_eq!(Route::from_word(route.word()), Some(route));
            assert_eq!(Route { touches: 7, ..route }.touches_of(LEAST_PAGES).count(), 7);
        }
        assert_eq!(Route::from_word(6), None);
    }
}
