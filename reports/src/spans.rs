//! Spans of time, in whatever unit their ends have.

use std::cmp::Ordering;

/// In order, and with those that touch or overlap made one.
pub fn merged<T: PartialOrd + Copy>(mut spans: Vec<(T, T)>) -> Vec<(T, T)> {
    spans.sort_by(|(a, _), (b, _)| a.partial_cmp(b).unwrap_or(Ordering::Equal));
    let mut apart: Vec<(T, T)> = Vec::with_capacity(spans.len());
    for (from, to) in spans {
        match apart.last_mut() {
            Some((_, end)) if from <= *end => *end = if to > *end { to } else { *end },
            _ => apart.push((from, to)),
        }
    }
    apart
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_that_touch_overlap_or_lie_in_each_other_become_one() {
        assert_eq!(merged(vec![(6, 9), (0, 4), (4, 5), (1, 2), (7, 8)]), [(0, 5), (6, 9)]);
        assert_eq!(merged(vec![(0.5, 1.0), (2.0, 3.0)]), [(0.5, 1.0), (2.0, 3.0)]);
    }
}
