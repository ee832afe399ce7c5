//! What the parts say about each other: names that must exist, rules that span several places.

mod isolation;
mod parameters;
mod probes;
mod references;
mod templates;
mod timeline;

pub(crate) use references::step_id;
pub(crate) use timeline::{fault_ids, for_each_fault, has_baseline, worst_case};

use crate::diagnostic::{Code, Problems};
use crate::interpolate::Filled;
use crate::scenario::Root;
use crate::source::{Sources, Span};
use crate::tables::Tables;

/// Tells every rule of the language that the scenario breaks as a whole.
pub(crate) fn validate(root: &Root, filled: &Filled, tables: &Tables, sources: &Sources, problems: &mut Problems) {
    references::check(root, filled, sources, problems);
    isolation::check(root, problems);
    probes::check(root, problems);
    templates::check(root, tables, problems);
    timeline::check(root, problems);
}

/// Tells that a regular expression does not compile.
pub(crate) fn regex(span: Span, error: &regex::Error, problems: &mut Problems) {
    let full = error.to_string();
    let why = full.lines().last().unwrap_or_default().trim().trim_start_matches("error: ");
    let message = format!("not a regular expression: {why}");
    problems.error(
        Code::E048,
        span,
        message,
        "the syntax is that of Rust's regex crate; escape special signs with `\\`",
    );
}
