//! Belady's optimum: the page that goes is the one that is touched again last.

use std::collections::{BTreeSet, HashMap};

use loadphys_apps::course::Touch;

/// Hits with so many frames of one that knows the future. No other can have more.
pub fn hits_of_belady(frames: usize, trace: &[Touch]) -> usize {
    let next = next_touches(trace);
    // The pages in memory, by when they are touched next.
    let mut resident = BTreeSet::new();
    let mut hits = 0;
    for (now, touch) in trace.iter().enumerate() {
        if resident.remove(&(now, touch.page)) {
            hits += 1;
        } else if resident.len() == frames {
            resident.pop_last();
        }
        resident.insert((next[now], touch.page));
    }
    hits
}

/// When the page of each touch is touched again; never is a time of its own after the end, for each.
fn next_touches(trace: &[Touch]) -> Vec<usize> {
    let mut seen = HashMap::new();
    let mut next = vec![0; trace.len()];
    for (now, touch) in trace.iter().enumerate().rev() {
        next[now] = seen.insert(touch.page, now).unwrap_or(usize::MAX);
    }
    next
}

#[cfg(test)]
mod tests {
    use super::{Touch, hits_of_belady};

    fn trace(pages: &[u64]) -> Vec<Touch> {
        pages.iter().map(|page| Touch { page: *page, write: false }).collect()
    }

    #[test]
    fn the_optimum_of_the_textbook() {
        // Silberschatz, "Operating System Concepts", page replacement: nine faults with three frames.
        let pages = trace(&[7, 0, 1, 2, 0, 3, 0, 4, 2, 3, 0, 3, 2, 1, 2, 0, 1, 7, 0, 1]);
        assert_eq!(pages.len() - hits_of_belady(3, &pages), 9);
    }
}
