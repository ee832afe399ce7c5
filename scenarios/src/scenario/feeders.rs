//! `feeders:` data rows for templates.

use crate::decode::fields::exactly_one;
use crate::decode::{Spanned, record, words};
use crate::diagnostic::{Code, Problems};
use crate::plan::{Piece, Text};

record! {
    /// Rows, one an iteration.
    Feeder, "a feeder", check = check;
    /// A CSV file with a head line, relative to this file.
    optional csv: Spanned<String>,
    /// Single values, used as `{{ name.value }}`.
    optional values: Vec<Spanned<Text>>,
    /// For how many rows each of `values` counts; default: one each.
    optional weights: Spanned<Vec<u64>>,
    /// In which order rows are taken; default `sequential`, with `weights` `random`.
    optional strategy: Strategy,
}

words! {
    /// In which order rows are taken.
    Strategy:
    /// As they stand, again from the beginning.
    Sequential = "sequential",
    /// Any row, any time.
    Random = "random",
    /// A random order, each once before any comes again.
    Shuffle = "shuffle",
    /// Each once, as they stand; when none is left the load ends.
    Unique = "unique",
}

/// All weights of a feeder together: rows are counted in numbers that are far from their end.
const MAX_WEIGHT: u64 = 1 << 32;

fn check(feeder: &Feeder, problems: &mut Problems) {
    let given = [("csv", feeder.csv.is_some()), ("values", feeder.values.is_some())];
    exactly_one(feeder.span, "a feeder", &given, problems);
    for value in feeder.values.iter().flatten() {
        if value.value.0.iter().any(|piece| matches!(piece, Piece::Literal(text) if text.contains("{{"))) {
            let help = "write the template at the step: `{{ name.value }}` there gives this text as it is";
            problems.error(Code::E028, value.span, "a row holds no templates", help);
        }
    }
    let Some(weights) = &feeder.weights else { return };
    match &feeder.values {
        None => {
            problems.error(
                Code::E066,
                weights.span,
                "`weights` go with `values`",
                "remove `weights`, or give `values`",
            );
        }
        Some(values) if values.len() != weights.value.len() => {
            let message = format!("{} weights for {} values", weights.value.len(), values.len());
            problems.error(Code::E066, weights.span, message, "give one weight for each value");
        }
        Some(_) if weights.value.iter().all(|weight| *weight == 0) => {
            problems.error(
                Code::E028,
                weights.span,
                "all weights are zero",
                "give at least one value a weight above 0",
            );
        }
        Some(_) if weights.value.iter().fold(0u64, |sum, weight| sum.saturating_add(*weight)) > MAX_WEIGHT => {
            let help = format!("at most {MAX_WEIGHT} together");
            problems.error(Code::E028, weights.span, "the weights are too large", help);
        }
        Some(_) => {}
    }
}
