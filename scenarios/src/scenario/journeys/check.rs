//! `check:` what must hold of a reply.

use std::time::Duration;

use crate::decode::{OneOrMany, Pairs, Spanned, record};
use crate::diagnostic::{Code, Problems};
use crate::plan::Text;
use crate::units::Size;
use crate::yaml::Node;

record! {
    /// All given conditions must hold.
    Check, "a check", check = check;
    /// One of these; default: any below 400.
    optional status: Spanned<OneOrMany<u16>>,
    /// Header name and exact value.
    optional header: Pairs<Spanned<Text>>,
    /// JSONPath and the value there.
    optional body: Pairs<Node>,
    /// A regular expression that the body must match.
    optional regex: Spanned<String>,
    /// The size of the body: `{ max: 64KiB }`.
    optional size: SizeBounds,
    /// From the intended start: `{ max: 200ms }`.
    optional latency: LatencyBound,
}

fn check(check: &Check, problems: &mut Problems) {
    if let Some(status) = &check.status {
        check_statuses(status, problems);
    }
}

/// Tells a number that no server can answer with.
pub(super) fn check_statuses(status: &Spanned<OneOrMany<u16>>, problems: &mut Problems) {
    if let Some(wrong) = status.value.0.iter().find(|status| !(100..=599).contains(*status)) {
        problems.error(
            Code::E028,
            status.span,
            format!("{wrong} is not an HTTP status"),
            "a status is from 100 to 599",
        );
    }
}

record! {
    /// Bounds of a body's size.
    SizeBounds, "bounds of a size";
    /// At least.
    optional min: Size,
    /// At most.
    optional max: Size,
}

record! {
    /// The bound of a latency.
    LatencyBound, "the bound of a latency";
    /// At most.
    required max: Duration,
}
