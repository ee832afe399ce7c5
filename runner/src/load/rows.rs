//! Which row of a feeder comes when: a pure function of the seed and of how many came before, for each strategy.

use brunt_scenario::plan::{Feeder, Strategy};

use super::permutation::{below, place};
use super::randomness::draw;

/// The order in which one load entry takes the rows of one feeder.
///
/// A row of weight 8 stands for eight equal rows, in every strategy: it is drawn eight times as often, comes eight times in
/// each shuffled pass, and eight times in a row in a sequence.
#[derive(Debug, Clone)]
pub struct Order {
    strategy: Strategy,
    key: u64,
    /// How many rows there are, weights counted.
    count: u64,
    /// With weights: how many there are up to and with each row.
    upto: Vec<u64>,
}

impl Order {
    /// The order of a feeder; `key` decides what is random in it.
    pub fn new(feeder: &Feeder, key: u64) -> Self {
        let mut sum = 0;
        let upto: Vec<u64> = feeder
            .weights
            .iter()
            .map(|weight| {
                sum += weight;
                sum
            })
            .collect();
        let count = upto.last().copied().unwrap_or(feeder.rows.count() as u64);
        Self { strategy: feeder.strategy, key, count, upto }
    }

    /// The row that comes after `before` others; `None` if there is none left.
    pub fn row(&self, before: u64) -> Option<u32> {
        let (pass, at) = (before / self.count, before % self.count);
        let at = match self.strategy {
            Strategy::Sequential => at,
            Strategy::Unique if pass > 0 => return None,
            Strategy::Unique => at,
            Strategy::Random => below(draw(self.key, before), self.count),
            Strategy::Shuffle => place(draw(self.key, pass), self.count, at),
        };
        let row = if self.upto.is_empty() { at } else { self.upto.partition_point(|upto| *upto <= at) as u64 };
        u32::try_from(row).ok()
    }

    /// How often it can be asked; `None`: for ever.
    pub fn ends(&self) -> Option<u64> {
        (self.strategy == Strategy::Unique).then_some(self.count)
    }
}

#[cfg(test)]
mod tests {
    use brunt_scenario::plan::{Rows, Text};

    use super::*;

    fn order(strategy: Strategy, rows: usize, weights: &[u64]) -> Order {
        let values = (0..rows).map(|row| Text::literal(row.to_string())).collect();
        let feeder = Feeder { name: "skus".into(), rows: Rows::Values(values), weights: weights.to_vec(), strategy };
        Order::new(&feeder, 99)
    }

    fn rows(order: &Order, count: u64) -> Vec<u32> {
        (0..count).map_while(|before| order.row(before)).collect()
    }

    fn sorted(mut rows: Vec<u32>) -> Vec<u32> {
        rows.sort_unstable();
        rows
    }

    #[test]
    fn a_sequence_begins_again_and_unique_rows_end() {
        assert_eq!(rows(&order(Strategy::Sequential, 3, &[]), 7), [0, 1, 2, 0, 1, 2, 0]);
        assert_eq!(rows(&order(Strategy::Unique, 3, &[]), 7), [0, 1, 2]);
    }

    #[test]
    fn each_pass_of_a_shuffle_has_every_row_once_in_another_order() {
        let order = order(Strategy::Shuffle, 50, &[]);
        let passes: Vec<Vec<u32>> = rows(&order, 150).chunks(50).map(<[u32]>::to_vec).collect();
        for pass in &passes {
            assert_eq!(sorted(pass.clone()), (0..50).collect::<Vec<u32>>());
        }
        assert_ne!(passes[0], passes[1]);
        assert_ne!(passes[1], passes[2]);
    }

    #[test]
    fn weights_are_copies_of_a_row_in_every_strategy() {
        let weights = [3, 0, 1];
        assert_eq!(rows(&order(Strategy::Sequential, 3, &weights), 5), [0, 0, 0, 2, 0]);
        assert_eq!(rows(&order(Strategy::Unique, 3, &weights), 9), [0, 0, 0, 2]);
        assert_eq!(sorted(rows(&order(Strategy::Shuffle, 3, &weights), 4)), [0, 0, 0, 2]);
        let drawn = rows(&order(Strategy::Random, 3, &weights), 40_000);
        let of = |row| drawn.iter().filter(|seen| **seen == row).count() as f64;
        // Four standard deviations of a binomial with n = 40,000 and p = 3/4 are 346.
        assert!((of(0) - 30_000.0).abs() < 346.0, "{} times the row of weight 3", of(0));
        assert_eq!(of(1), 0.0);
    }

    #[test]
    fn random_rows_are_equally_likely() {
        let mut counts = [0f64; 10];
        rows(&order(Strategy::Random, 10, &[]), 100_000).iter().for_each(|row| counts[*row as usize] += 1.0);
        let chi: f64 = counts.iter().map(|count| (count - 10_000.0).powi(2) / 10_000.0).sum();
        assert!(chi < 33.7, "chi-square {chi} with 9 degrees of freedom, 99.99 % lie below 33.7");
    }
}
