//! Errors by class and series: how many, the first, the last, and what three of them looked like.

use std::collections::BTreeMap;

use brunt_scenario::units::Offset;

use crate::results::ErrorData;
use crate::sample::{ErrorClass, ErrorExample, Request, Series};

/// How many examples are kept of each class and series.
const EXAMPLES: usize = 3;

/// All errors outside warm-up.
#[derive(Debug, Clone, Default)]
pub struct Errors {
    kinds: BTreeMap<(u16, ErrorClass), Kind>,
}

#[derive(Debug, Clone, Default)]
struct Kind {
    count: u64,
    first: Option<Offset>,
    last: Option<Offset>,
    examples: Vec<ErrorExample>,
}

impl Errors {
    /// Counts a request that failed.
    pub fn count(&mut self, request: &Request, class: ErrorClass) {
        let kind = self.kinds.entry((request.series, class)).or_default();
        kind.count += 1;
        kind.first = Some(kind.first.map_or(request.done, |first| first.min(request.done)));
        kind.last = kind.last.max(Some(request.done));
    }

    /// Keeps the three earliest examples that differ, whichever worker they come from.
    pub fn keep(&mut self, example: ErrorExample) {
        let examples = &mut self.kinds.entry((example.series, example.class)).or_default().examples;
        if examples.iter().any(|kept| kept.text == example.text) {
            return;
        }
        let place = examples.partition_point(|kept| kept.at <= example.at);
        if place < EXAMPLES {
            examples.truncate(EXAMPLES - 1);
            examples.insert(place, example);
        }
    }

    /// Total by class, for the screen.
    pub fn by_class(&self) -> BTreeMap<ErrorClass, u64> {
        let mut all = BTreeMap::new();
        for ((_, class), kind) in &self.kinds {
            *all.entry(*class).or_insert(0) += kind.count;
        }
        all.retain(|_, count| *count > 0);
        all
    }

    /// Most frequent first.
    pub fn into_data(self, series: &[Series]) -> Vec<ErrorData> {
        let mut all: Vec<ErrorData> = self
            .kinds
            .into_iter()
            .filter(|(_, kind)| kind.count > 0)
            .filter_map(|((index, class), kind)| {
                let series = series.get(usize::from(index))?;
                Some(ErrorData {
                    class: class.word().to_owned(),
                    journey: series.journey.clone(),
                    step: series.step.clone(),
                    count: kind.count,
                    first_s: crate::results::seconds(kind.first?),
                    last_s: crate::results::seconds(kind.last?),
                    examples: kind.examples.into_iter().map(|example| example.text).collect(),
                })
            })
            .collect();
        all.sort_by_key(|error| std::cmp::Reverse(error.count));
        all
    }
}
