//! `slos:` objectives over a sliding span.

use std::time::Duration;

use crate::decode::fields::exactly_one;
use crate::decode::{Spanned, record};
use crate::diagnostic::{Code, Problems};
use crate::metric::Metric;
use crate::yaml::Node;

record! {
    /// One objective.
    Slo, "an objective", check = check, schema = crate::schema::add_bounds;
    /// The requests of this journey only.
    optional journey: Spanned<String>,
    /// The requests of this step only.
    optional step: Spanned<String>,
    /// What is measured.
    required metric: Spanned<Metric>,
    /// At most.
    optional max: Node,
    /// At least.
    optional min: Node,
    /// The sliding span; default 5s.
    optional over: Spanned<Duration>,
}

/// Samples are kept in slices of 50 ms; a shorter span would hold none or one of them.
const SHORTEST_SPAN: Duration = Duration::from_millis(250);

fn check(slo: &Slo, problems: &mut Problems) {
    exactly_one(slo.span, "an objective", &[("max", slo.max.is_some()), ("min", slo.min.is_some())], problems);
    if let Some(over) = slo.over.as_ref().filter(|over| over.value < SHORTEST_SPAN) {
        problems.error(Code::E028, over.span, "the span is too short to look at", "at least 250ms");
    }
}
