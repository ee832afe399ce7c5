//! When objectives were lost, as a person sees it who looks at the charts.

use crate::results::{Results, SloData};

/// The spans in which what broke an objective lies.
///
/// `broken` in results.json holds the first and the last *beginning* of a span of `over_s` that was broken, so the first of
/// them begins before there was anything wrong: a fault at 10 s breaks the span that begins at 8. Trouble from `a` to `b` breaks
/// the spans that begin from `a - over` to `b`, so it lies from the end of the first to the beginning of the last. Trouble that
/// is only seen by spans that hold nearly all of it lies in what these have in common, and the two change places.
pub fn lost(slo: &SloData) -> Vec<[f64; 2]> {
    let trouble = |&[first, last]: &[f64; 2]| {
        let (a, b) = (first + slo.over_s, last);
        [a.min(b), a.max(b)]
    };
    slo.broken.iter().map(trouble).collect()
}

/// The same of all objectives together.
pub fn all_lost(results: &Results) -> Vec<[f64; 2]> {
    results.slos.iter().flat_map(lost).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slo(broken: &[[f64; 2]]) -> SloData {
        SloData {
            id: "fast".into(),
            metric: "latency.p95".into(),
            journey: None,
            step: None,
            bound: "max".into(),
            limit: 250.0,
            unit: "ms".into(),
            over_s: 2.0,
            broken: broken.to_vec(),
        }
    }

    #[test]
    fn an_objective_is_lost_where_its_trouble_lies_and_not_a_span_before() {
        // Slow from 10 to 16 s: every span of 2 s that begins from 8 to 16 holds some of it.
        assert_eq!(lost(&slo(&[[8.0, 16.0]])), [[10.0, 16.0]]);
        // A burst of half a second that only spans with all of it notice: those that begin from 8.5 to 10.
        assert_eq!(lost(&slo(&[[8.5, 10.0]])), [[10.0, 10.5]]);
        assert!(lost(&slo(&[])).is_empty());
    }
}
