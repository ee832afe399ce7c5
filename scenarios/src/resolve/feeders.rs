//! Feeders: rows that were read, or written in the scenario.

use super::Resolver;
use crate::plan::{Feeder, Rows, Strategy};
use crate::scenario::feeders as written;

impl Resolver<'_> {
    /// All feeders whose rows are known. One whose file could not be used was told; the plan is not used then.
    pub(super) fn feeders(&mut self) -> Vec<Feeder> {
        let root = self.root;
        let mut feeders = Vec::new();
        for (name, feeder) in root.feeders.iter().flat_map(|feeders| feeders.iter()) {
            let rows = match (&feeder.csv, &feeder.values) {
                (Some(path), _) => {
                    let Some(table) = self.tables.get(&name.value) else { continue };
                    Rows::Table { path: path.value.clone(), table: table.clone() }
                }
                (None, Some(values)) => Rows::Values(values.iter().map(|value| value.value.clone()).collect()),
                (None, None) => continue,
            };
            let weights = feeder.weights.as_ref().map(|weights| weights.value.clone()).unwrap_or_default();
            let strategy = match feeder.strategy {
                Some(written::Strategy::Sequential) => Strategy::Sequential,
                Some(written::Strategy::Random) => Strategy::Random,
                Some(written::Strategy::Shuffle) => Strategy::Shuffle,
                Some(written::Strategy::Unique) => Strategy::Unique,
                // Who gives weights thinks of chances.
                None if !weights.is_empty() => Strategy::Random,
                None => Strategy::Sequential,
            };
            feeders.push(Feeder { name: name.value.clone(), rows, weights, strategy });
        }
        feeders
    }
}
