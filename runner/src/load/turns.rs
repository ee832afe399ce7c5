//! Which journey an iteration takes and which rows it gets: a pure function of (seed, load entry, index of the iteration).
//! So the same iterations do the same with any number of workers, and a run can be repeated.
//!
//! The journey is a draw of its own for each index. A feeder gives its rows to the iterations *that take from it*, in their
//! order: the n-th of them gets the n-th row of the strategy. In a mix that n hangs on all draws before, so a worker goes
//! through the indices of the other workers too, as it does for Poisson arrivals.

use std::sync::Arc;

use brunt_scenario::plan::{Feeder, Load, Plan, Table};

use super::randomness::{self, Purpose, draw};
use super::rows::Order;

/// A feeder as templates see it.
#[derive(Debug, Clone)]
pub struct Named {
    /// Its name.
    pub name: Arc<str>,
    /// Its rows.
    pub table: Arc<Table>,
}

/// The journeys of a load entry, with their shares and feeders.
pub struct Mix {
    key: u64,
    /// In the order of the plan; never empty.
    parts: Vec<Part>,
    /// Every feeder that one of them takes from.
    feeds: Vec<Feed>,
}

/// One journey of a mix.
struct Part {
    /// Taken if the draw is below this and not below the one before.
    below: u64,
    journey: usize,
    /// Indices into [`Mix::feeds`].
    feeds: Vec<usize>,
    named: Option<Arc<[Named]>>,
}

/// A feeder as a load entry takes from it.
struct Feed {
    order: Order,
    /// Indices into [`Mix::parts`]: who takes from it.
    takers: Vec<usize>,
}

/// What one iteration does.
#[derive(Debug, Clone)]
pub struct Turn {
    /// Index into the plan's journeys.
    pub journey: usize,
    /// Its place in the mix.
    pub part: usize,
    /// A row of each of its feeders. Journeys without feeders have none, and nothing is allocated for them.
    pub rows: Vec<u32>,
}

impl Mix {
    /// The mix of a load entry; `tables` are the rows of the plan's feeders.
    pub fn new(plan: &Plan, index: usize, load: &Load, tables: &[Named]) -> Self {
        let mut feeds: Vec<(usize, Feed)> = Vec::new();
        let mut parts = Vec::with_capacity(load.mix.len());
        let mut sum = 0.0;
        for portion in load.mix.iter().filter(|portion| portion.share > 0.0) {
            sum += portion.share;
            let feed = plan.journeys.get(portion.journey).map_or(&[][..], |journey| &journey.feed);
            let mut own = Vec::with_capacity(feed.len());
            for &feeder in feed {
                let known = feeds.iter().position(|(known, _)| *known == feeder).unwrap_or_else(|| {
                    let order = order(plan, index, feeder, &plan.feeders[feeder]);
                    feeds.push((feeder, Feed { order, takers: Vec::new() }));
                    feeds.len() - 1
                });
                feeds[known].1.takers.push(parts.len());
                own.push(known);
            }
            let named = feed.iter().map(|feeder| tables[*feeder].clone()).collect();
            let named = (!feed.is_empty()).then_some(named);
            parts.push(Part { below: threshold(sum), journey: portion.journey, feeds: own, named });
        }
        // Rounding must not leave a draw to nobody.
        if let Some(last) = parts.last_mut() {
            last.below = u64::MAX;
        }
        let key = randomness::key(Purpose::Mix, plan.seed, index as u64, 0);
        Self { key, parts, feeds: feeds.into_iter().map(|(_, feed)| feed).collect() }
    }

    /// The feeders of one of its journeys; `None` if it has none.
    pub fn feeders(&self, part: usize) -> Option<Arc<[Named]>> {
        self.parts.get(part).and_then(|part| part.named.clone())
    }

    /// Which of the parts an iteration takes.
    fn part(&self, iteration: u64) -> usize {
        if self.parts.len() == 1 {
            return 0;
        }
        let drawn = draw(self.key, iteration);
        self.parts.iter().position(|part| drawn < part.below).unwrap_or(self.parts.len() - 1)
    }

    /// Whether a mix has to be counted through to know a row.
    fn is_counted(&self) -> bool {
        self.parts.len() > 1 && !self.feeds.is_empty()
    }

    /// How many iterations it has rows for, if it runs out of them before `most`.
    pub fn ends_before(&self, most: u64) -> Option<u64> {
        if !self.is_counted() {
            let ends = self.feeds.iter().filter_map(|feed| feed.order.ends()).min()?;
            return (ends < most).then_some(ends);
        }
        self.feeds.iter().find(|feed| feed.order.ends().is_some())?;
        let mut turns = Turns::default();
        (0..most).find(|iteration| turns.count_to(self, *iteration + 1).is_none())
    }
}

fn order(plan: &Plan, load: usize, index: usize, feeder: &Feeder) -> Order {
    Order::new(feeder, randomness::key(Purpose::Rows, plan.seed, load as u64, index as u64))
}

/// A share as the draws below it.
fn threshold(share: f64) -> u64 {
    // 2^64 as a number of this kind; the cast keeps what is above within bounds.
    (share * 18_446_744_073_709_551_616.0) as u64
}

/// How far one worker has come through the iterations of one load entry.
#[derive(Debug, Default)]
pub struct Turns {
    /// All iterations before this one are counted.
    next: u64,
    /// How many of them each part of the mix got.
    taken: Vec<u64>,
}

impl Turns {
    /// What this iteration does. Indices must grow from call to call. `None`: some feeder has no row left for it or for one
    /// before it, and the load is over.
    pub fn take(&mut self, mix: &Mix, iteration: u64) -> Option<Turn> {
        let part = mix.part(iteration);
        let before = if mix.is_counted() {
            self.count_to(mix, iteration)?;
            None
        } else {
            Some(iteration)
        };
        let taken = &mix.parts[part];
        let mut rows = Vec::with_capacity(taken.feeds.len());
        for feed in &taken.feeds {
            let feed = &mix.feeds[*feed];
            rows.push(feed.order.row(before.unwrap_or_else(|| self.taken_from(feed)))?);
        }
        Some(Turn { journey: taken.journey, part, rows })
    }

    /// Counts all iterations before `iteration`.
    fn count_to(&mut self, mix: &Mix, iteration: u64) -> Option<()> {
        self.taken.resize(mix.parts.len(), 0);
        while self.next < iteration {
            let part = mix.part(self.next);
            for feed in &mix.parts[part].feeds {
                let feed = &mix.feeds[*feed];
                if feed.order.ends().is_some_and(|ends| self.taken_from(feed) >= ends) {
                    return None;
                }
            }
            self.taken[part] += 1;
            self.next += 1;
        }
        Some(())
    }

    fn taken_from(&self, feed: &Feed) -> u64 {
        feed.takers.iter().map(|part| self.taken[*part]).sum()
    }
}

#[cfg(test)]
mod tests {
    use brunt_scenario::{LoadOptions, load_text};

    use super::*;

    fn mix(seed: u64, more: &str) -> Mix {
        let text = format!(
            "version: 1\nseed: {seed}\ntargets: {{ site: {{ url: 'http://127.0.0.1:1' }} }}\n\
             journeys:\n  a: {{ steps: [ {{ get: / }} ] }}\n  b: {{ feed: rows, steps: [ {{ get: / }} ] }}\n  \
             c: {{ feed: rows, steps: [ {{ get: / }} ] }}\n{more}"
        );
        let scenario = load_text("mix", &text, &LoadOptions::default());
        let plan = scenario.unwrap_or_else(|problems| panic!("{problems}")).plan().unwrap();
        let table = Arc::new(Table::new(Vec::new(), String::new()));
        let tables: Vec<Named> = plan
            .feeders
            .iter()
            .map(|feeder| Named { name: feeder.name.as_str().into(), table: table.clone() })
            .collect();
        Mix::new(&plan, 0, &plan.load[0], &tables)
    }

    const ROWS: &str = "feeders: { rows: { values: [x, y, z], strategy: unique } }\n";
    const LOAD: &str = "load: { main: { mix: { a: 70%, b: 25%, c: 5% }, rate: 10/s, for: 3s } }\n";

    fn counts(mix: &Mix, iterations: u64) -> [f64; 3] {
        let mut counts = [0.0; 3];
        (0..iterations).for_each(|iteration| counts[mix.part(iteration)] += 1.0);
        counts
    }

    #[test]
    fn the_shares_of_a_mix_are_those_of_a_fair_draw() {
        let n = 100_000.0;
        // Twenty seeds: the sum of their chi-squares has 40 degrees of freedom, of which 99.99 % lie between 14.9 and 83.
        let chi: f64 = (0..20)
            .map(|seed| {
                let counts = counts(&mix(seed, &format!("{ROWS}{LOAD}")), n as u64);
                let wanted = [0.7 * n, 0.25 * n, 0.05 * n];
                counts.iter().zip(wanted).map(|(seen, wanted)| (seen - wanted).powi(2) / wanted).sum::<f64>()
            })
            .sum();
        assert!((14.9..83.0).contains(&chi), "chi-square {chi}");
    }

    #[test]
    fn one_iteration_says_nothing_about_the_next() {
        let mix = mix(5, &format!("{ROWS}{LOAD}"));
        let n = 100_000;
        let pairs = (0..n).filter(|i| mix.part(*i) == 1 && mix.part(i + 1) == 1).count() as f64;
        // A binomial with p = 1/16 has a standard deviation of 77; neighbours overlap, which adds a little.
        assert!((pairs - f64::from(n as u32) / 16.0).abs() < 400.0, "{pairs} pairs");
    }

    #[test]
    fn rows_are_taken_in_turn_by_those_journeys_that_feed_and_end_with_the_last() {
        let mix = mix(5, &format!("{ROWS}{LOAD}"));
        let mut turns = Turns::default();
        let all: Vec<Turn> = (0..).map_while(|iteration| turns.take(&mix, iteration)).collect();
        let fed: Vec<u32> = all.iter().flat_map(|turn| turn.rows.clone()).collect();
        assert_eq!(fed, [0, 1, 2]);
        assert!(all.len() > 3, "others ran between them");
        assert_eq!(mix.ends_before(1000), Some(all.len() as u64));
        assert_eq!(mix.ends_before(all.len() as u64), None);
    }

    #[test]
    fn workers_that_skip_each_others_iterations_agree_on_every_turn() {
        let rows = "feeders: { rows: { values: [x, y, z], strategy: shuffle } }\n";
        let mix = mix(5, &format!("{rows}{LOAD}"));
        let of = |worker: usize, workers: usize| {
            let mut turns = Turns::default();
            let own = (worker as u64..600).step_by(workers);
            own.map(|i| (i, turns.take(&mix, i).map(|turn| (turn.journey, turn.rows)))).collect::<Vec<_>>()
        };
        let mut three: Vec<_> = (0..3).flat_map(|worker| of(worker, 3)).collect();
        three.sort_by_key(|(iteration, _)| *iteration);
        assert_eq!(of(0, 1), three);
    }

    #[test]
    fn a_load_with_one_journey_has_as_many_iterations_as_unique_rows() {
        let mix = mix(1, &format!("{ROWS}load: {{ main: {{ journey: b, rate: 10/s, for: 3s }} }}\n"));
        let mut turns = Turns::default();
        assert_eq!((0..9).filter_map(|iteration| turns.take(&mix, iteration)).count(), 3);
        assert_eq!((mix.ends_before(30), mix.ends_before(3)), (Some(3), None));
    }
}
