//! When iterations start: a pure function of (seed, load index, arrival index).
//!
//! The rate curve is integrated to a count of arrivals N(t); arrival i is due at the instant where N(t) reaches its count
//! c_i, found by inverting N. So a ramp has no steps. With constant arrivals c_i = i. A Poisson process with that rate is
//! had by time rescaling: c_i is the sum of i + 1 unit exponentials (Devroye, Non-Uniform Random Variate Generation, 1986,
//! chapter VI.1.3).
//!
//! The schedule is the same with any number of workers: worker k of n takes the indices k, k + n, k + 2n, ... For Poisson
//! the sum is sequential, so every worker draws the whole sequence and keeps its own share: 20 ns for each arrival of the
//! load, which at 20,000/s is 0.04 % of a core for each worker.

use std::time::Duration;

use brunt_scenario::plan::{Load, Model, Plan, Stage};
use rand::Rng;
use rand_chacha::ChaCha8Rng;
use sha2::{Digest, Sha256};

use super::digest;
use super::randomness::{self, Purpose};

/// A linear piece of the level curve with everything before it summed up.
#[derive(Debug, Clone, Copy)]
struct Piece {
    /// Seconds from the start of the load.
    begins: f64,
    /// Seconds; infinite for an open-ended stage.
    length: f64,
    from: f64,
    /// Change of the level a second.
    slope: f64,
    /// Arrivals before this piece.
    before: f64,
    warmup: bool,
}

impl Piece {
    fn level(&self, at: f64) -> f64 {
        self.from + self.slope * (at - self.begins)
    }

    /// Arrivals in the first `x` seconds of this piece.
    fn count(&self, x: f64) -> f64 {
        x * (self.from + 0.5 * self.slope * x)
    }
}

/// The level of a load over time: a rate a second (open) or users (closed). Times are seconds from its start.
#[derive(Debug, Clone)]
pub struct Curve {
    pieces: Vec<Piece>,
}

impl Curve {
    /// Sums up the stages. A stage without a length lasts for ever, at its `from`.
    pub fn new(stages: &[Stage]) -> Self {
        let (mut begins, mut before) = (0.0, 0.0);
        let mut pieces = Vec::with_capacity(stages.len());
        for stage in stages {
            let length = stage.length.map_or(f64::INFINITY, |length| length.as_secs_f64());
            if length <= 0.0 {
                continue;
            }
            let slope = if length.is_finite() { (stage.to - stage.from) / length } else { 0.0 };
            let piece = Piece { begins, length, from: stage.from, slope, before, warmup: stage.warmup };
            pieces.push(piece);
            if !length.is_finite() {
                break;
            }
            begins += length;
            before += piece.count(length);
        }
        Self { pieces }
    }

    /// When the last stage ends; `None` if it is open-ended.
    pub fn ends(&self) -> Option<Duration> {
        let end = self.pieces.last().map_or(0.0, |last| last.begins + last.length);
        end.is_finite().then(|| Duration::from_secs_f64(end))
    }

    /// The level at an instant; 0 after the end.
    pub fn level(&self, at: f64) -> f64 {
        self.piece_at(at).map_or(0.0, |piece| piece.level(at))
    }

    /// The highest level of all stages.
    pub fn peak(&self) -> f64 {
        let end = |piece: &Piece| {
            if piece.length.is_finite() { piece.level(piece.begins + piece.length) } else { piece.from }
        };
        self.pieces.iter().map(|piece| piece.from.max(end(piece))).fold(0.0, f64::max)
    }

    /// Whether an instant lies in a warm-up stage.
    pub fn is_warmup(&self, at: f64) -> bool {
        self.piece_at(at).is_some_and(|piece| piece.warmup)
    }

    /// Arrivals until an instant (open model).
    pub fn count(&self, until: f64) -> f64 {
        match self.pieces.iter().rev().find(|piece| piece.begins <= until) {
            Some(piece) => piece.before + piece.count((until - piece.begins).min(piece.length)),
            None => 0.0,
        }
    }

    fn piece_at(&self, at: f64) -> Option<&Piece> {
        self.pieces.iter().find(|piece| at < piece.begins + piece.length)
    }

    /// The instant at which `count` arrivals have come, and whether it is in a warm-up stage; `None` if the curve never
    /// gets there. `from` is the piece to start looking at and is moved along, because counts only grow.
    fn invert(&self, count: f64, from: &mut usize) -> Option<(f64, bool)> {
        while let Some(piece) = self.pieces.get(*from) {
            let wanted = count - piece.before;
            // Half a thousandth of an arrival: sums of decimal rates miss whole numbers by rounding only.
            if piece.length.is_finite() && wanted >= piece.count(piece.length) - 5e-4 {
                *from += 1;
                continue;
            }
            if wanted <= 0.0 {
                return Some((piece.begins, piece.warmup));
            }
            // The root of slope/2 x^2 + from x = wanted, in the form that does not cancel for small slopes.
            let root = (piece.from * piece.from + 2.0 * wanted * piece.slope).max(0.0).sqrt();
            let x = 2.0 * wanted / (piece.from + root);
            return x.is_finite().then(|| (piece.begins + x.min(piece.length), piece.warmup));
        }
        None
    }
}

/// An arrival of the schedule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Due {
    /// Its index in the load's schedule, over all workers.
    pub index: u64,
    /// Nanoseconds after the start of the load.
    pub at_ns: u64,
    /// In a warm-up stage.
    pub warmup: bool,
}

/// One worker's share of the arrivals of one load entry, in order. Ends with the last stage; an open-ended one never ends.
pub struct Arrivals {
    curve: Curve,
    piece: usize,
    index: u64,
    own: u64,
    workers: u64,
    poisson: Option<(ChaCha8Rng, f64)>,
}

impl Arrivals {
    /// Share `worker` of `workers` of the load with this index in the plan.
    pub fn new(seed: u64, index: usize, load: &Load, worker: usize, workers: usize) -> Self {
        let poisson = match load.model {
            Model::OpenPoisson => Some((randomness::stream(Purpose::Arrivals, seed, index as u64, 0), 0.0)),
            Model::OpenConstant | Model::Closed => None,
        };
        Self {
            curve: Curve::new(&load.stages),
            piece: 0,
            index: 0,
            own: worker as u64,
            workers: workers as u64,
            poisson,
        }
    }
}

impl Iterator for Arrivals {
    type Item = Due;

    fn next(&mut self) -> Option<Due> {
        let index = self.own;
        let count = match &mut self.poisson {
            None => index as f64,
            Some((rng, sum)) => {
                while self.index <= index {
                    *sum += unit_exponential(rng);
                    self.index += 1;
                }
                *sum
            }
        };
        let (at, warmup) = self.curve.invert(count, &mut self.piece)?;
        self.own += self.workers;
        Some(Due { index, at_ns: (at * 1e9).round() as u64, warmup })
    }
}

/// By inversion from 53 random bits in (0, 1]: never infinite.
pub(super) fn unit_exponential(rng: &mut ChaCha8Rng) -> f64 {
    let uniform = ((rng.next_u64() >> 11) + 1) as f64 / (1u64 << 53) as f64;
    -uniform.ln()
}

/// How many arrivals of each load the digest covers.
const DIGESTED: usize = 1000;

/// A digest of the whole schedule: SHA-256 over the seed and, for each load entry, its model, its stages (levels and lengths
/// as bits), its first 1,000 arrivals, and its journeys with their shares and rows. Two runs with the same digest start the
/// same iterations at the same instants, with the same data. Addresses and ports are not part of it.
pub fn schedule_digest(plan: &Plan) -> String {
    let mut hash = Sha256::new();
    hash.update(plan.seed.to_le_bytes());
    for (index, load) in plan.load.iter().enumerate() {
        hash.update([match load.model {
            Model::OpenConstant => 0,
            Model::OpenPoisson => 1,
            Model::Closed => 2,
        }]);
        hash.update((load.stages.len() as u64).to_le_bytes());
        for stage in &load.stages {
            hash.update(stage.from.to_bits().to_le_bytes());
            hash.update(stage.to.to_bits().to_le_bytes());
            hash.update(stage.length.map_or(u128::MAX, |length| length.as_nanos()).to_le_bytes());
            hash.update([u8::from(stage.warmup)]);
        }
        digest::mix(plan, load, &mut hash);
        if load.model != Model::Closed {
            for due in Arrivals::new(plan.seed, index, load, 0, 1).take(DIGESTED) {
                hash.update(due.at_ns.to_le_bytes());
            }
        }
    }
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use brunt_scenario::plan::{Connections, Portion};

    use super::*;

    fn stage(from: f64, to: f64, seconds: f64) -> Stage {
        Stage { from, to, length: Some(Duration::from_secs_f64(seconds)), warmup: false }
    }

    fn load(model: Model, stages: Vec<Stage>) -> Load {
        let mix = vec![Portion { journey: 0, share: 1.0 }];
        let (drain, connections) = (Duration::from_secs(5), Connections::default());
        Load { name: "users".into(), mix, model, stages, max_in_flight: 10, drain, connections }
    }

    fn all(load: &Load, workers: usize) -> Vec<Due> {
        let mut all: Vec<Due> = (0..workers).flat_map(|worker| Arrivals::new(7, 0, load, worker, workers)).collect();
        all.sort_by_key(|due| due.index);
        all
    }

    #[test]
    fn a_constant_rate_is_evenly_spaced_and_starts_at_once() {
        let due = all(&load(Model::OpenConstant, vec![stage(100.0, 100.0, 10.0)]), 1);
        assert_eq!(due.len(), 1000);
        assert_eq!((due[0].at_ns, due[1].at_ns, due[999].at_ns), (0, 10_000_000, 9_990_000_000));
    }

    #[test]
    fn a_rate_that_is_no_whole_number_keeps_its_count() {
        for (rate, seconds, count) in [(33.3, 10.0, 333), (0.1, 30.0, 3), (7.0, 0.5, 4), (20_000.0, 3.0, 60_000)] {
            let due = all(&load(Model::OpenConstant, vec![stage(rate, rate, seconds)]), 1);
            assert_eq!(due.len(), count, "{rate}/s for {seconds} s");
        }
    }

    #[test]
    fn a_ramp_has_no_steps() {
        // 0 to 100/s over 10 s: N(t) = 5 t^2, so arrival i is due at sqrt(i / 5).
        let due = all(&load(Model::OpenConstant, vec![stage(0.0, 100.0, 10.0), stage(100.0, 100.0, 1.0)]), 1);
        assert_eq!(due.len(), 600);
        for i in [0, 1, 20, 125, 499] {
            let expected = (i as f64 / 5.0).sqrt();
            assert!((due[i].at_ns as f64 / 1e9 - expected).abs() < 1e-6, "arrival {i}");
        }
        assert_eq!(due[500].at_ns, 10_000_000_000, "the hold goes on where the ramp ended");
        let down = all(&load(Model::OpenConstant, vec![stage(100.0, 0.0, 10.0)]), 1);
        assert_eq!(down.len(), 500);
        assert!((down[499].at_ns as f64 / 1e9 - (10.0 - (1.0f64 / 5.0).sqrt())).abs() < 1e-6);
    }

    #[test]
    fn a_stage_of_silence_has_no_arrivals() {
        let due = all(
            &load(Model::OpenConstant, vec![stage(10.0, 10.0, 1.0), stage(0.0, 0.0, 5.0), stage(10.0, 10.0, 1.0)]),
            1,
        );
        assert_eq!(due.len(), 20);
        assert_eq!(due[9].at_ns, 900_000_000);
        assert_eq!(due[10].at_ns, 6_000_000_000);
    }

    #[test]
    fn warm_up_stages_mark_their_arrivals() {
        let warm = Stage { warmup: true, ..stage(10.0, 10.0, 1.0) };
        let due = all(&load(Model::OpenConstant, vec![warm, stage(10.0, 10.0, 1.0)]), 1);
        assert_eq!(due.iter().filter(|due| due.warmup).count(), 10);
        assert!(due[9].warmup && !due[10].warmup);
    }

    #[test]
    fn any_number_of_workers_has_the_same_schedule() {
        for model in [Model::OpenConstant, Model::OpenPoisson] {
            let load = load(model, vec![stage(0.0, 500.0, 2.0), stage(500.0, 500.0, 2.0), stage(500.0, 50.0, 1.0)]);
            let one = all(&load, 1);
            assert_eq!(one, all(&load, 2), "{model:?}");
            assert_eq!(one, all(&load, 3), "{model:?}");
            assert!(one.windows(2).all(|pair| pair[0].at_ns <= pair[1].at_ns), "in order");
        }
    }

    #[test]
    fn poisson_gaps_are_exponential() {
        let load = load(Model::OpenPoisson, vec![stage(1000.0, 1000.0, 20.0)]);
        let due = all(&load, 1);
        let gaps: Vec<f64> = due.windows(2).map(|pair| (pair[1].at_ns - pair[0].at_ns) as f64 / 1e6).collect();
        let n = gaps.len() as f64;
        let mean = gaps.iter().sum::<f64>() / n;
        let variance = gaps.iter().map(|gap| (gap - mean).powi(2)).sum::<f64>() / n;
        assert!((n - 20_000.0).abs() < 4.0 * 20_000f64.sqrt(), "{n} arrivals");
        assert!((mean - 1.0).abs() < 0.03, "mean gap {mean} ms");
        assert!((variance - 1.0).abs() < 0.1, "the variance of an exponential is its mean squared: {variance}");
    }

    #[test]
    fn an_open_ended_stage_goes_on() {
        let open = Stage { length: None, ..stage(50.0, 50.0, 1.0) };
        let load = load(Model::OpenConstant, vec![stage(0.0, 50.0, 2.0), open]);
        assert_eq!(Curve::new(&load.stages).ends(), None);
        let due = Arrivals::new(7, 0, &load, 0, 1).nth(50 + 50 * 100).unwrap();
        assert_eq!(due.at_ns, 102_000_000_000);
    }

    #[test]
    fn the_curve_counts_what_the_schedule_holds() {
        let load = load(Model::OpenConstant, vec![stage(0.0, 200.0, 1.0), stage(200.0, 200.0, 3.0)]);
        let curve = Curve::new(&load.stages);
        assert_eq!(curve.count(0.5), 25.0);
        assert_eq!(curve.count(4.0), 700.0);
        assert_eq!(curve.count(99.0), 700.0);
        assert_eq!((curve.peak(), curve.level(0.5), curve.level(4.5)), (200.0, 100.0, 0.0));
        assert_eq!(curve.ends(), Some(Duration::from_secs(4)));
    }
}
