//! When iterations start: a pure function of (seed, load index, arrival index).
//!
//! The rate curve is integrated to a count of arrivals N(t); arrival i is due at the instant where N(t) reaches its count
//! c_i, found by inverting N. So a ramp has no steps. With constant arrivals c_i = i. A Poisson process with that rate is
//! had by time rescaling: c_i is the sum of i + 1 unit exponentials (Devroye, Non-Uniform Random Variate Generation, 1986,
//! chapter VI.1.3).
//!
//! A load change of the timeline ([`Change`]) multiplies the written curve by a factor from an instant on. N(t) goes on from
//! where it stood, with another slope, so indices and counts go on as well: what was due before stays, and what comes after
//! is a pure function of (seed, load index, arrival index, the changes so far).
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
#[derive(Debug, Clone, Copy, PartialEq)]
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
    /// Whole arrivals that miss its end by rounding only are not its own: half a thousandth where stages meet, nothing where
    /// a change has cut it, so that what comes before a change never depends on it.
    slack: f64,
}

/// Sums of decimal rates miss whole numbers by much less.
const SLACK: f64 = 5e-4;

impl Piece {
    fn level(&self, at: f64) -> f64 {
        self.from + self.slope * (at - self.begins)
    }

    fn ends(&self) -> f64 {
        self.begins + self.length
    }

    /// Arrivals in the first `x` seconds of this piece.
    fn count(&self, x: f64) -> f64 {
        x * (self.from + 0.5 * self.slope * x)
    }

    /// What is left of it from an instant on, `factor` times as high, after `before` arrivals.
    fn rest(&self, at: f64, factor: f64, before: f64) -> Self {
        let begins = at.max(self.begins);
        Self {
            begins,
            length: self.ends() - begins,
            from: self.level(begins) * factor,
            slope: self.slope * factor,
            before,
            warmup: self.warmup,
            slack: self.slack,
        }
    }
}

/// From an instant on a load is so many times its written curve.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Change {
    /// After the start of the load.
    pub at: Duration,
    /// Relative to the curve as it is written, not to what an earlier change made of it: `1x` ends them all.
    pub factor: f64,
}

/// The level of a load over time: a rate a second (open) or users (closed). Times are seconds from its start.
#[derive(Debug, Clone)]
pub struct Curve {
    /// As the scenario has it.
    written: Vec<Piece>,
    /// With all changes so far.
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
            let piece = Piece { begins, length, from: stage.from, slope, before, warmup: stage.warmup, slack: SLACK };
            pieces.push(piece);
            if !length.is_finite() {
                break;
            }
            begins += length;
            before += piece.count(length);
        }
        Self { written: pieces.clone(), pieces }
    }

    /// The curve after a change, which must not lie before an earlier one. What lies before it stays as it is.
    pub fn change(&mut self, change: Change) {
        let at = change.at.as_secs_f64();
        let mut before = self.count(at);
        self.pieces.retain(|piece| piece.begins < at);
        if let Some(cut) = self.pieces.last_mut()
            && at < cut.ends()
        {
            cut.length = at - cut.begins;
            cut.slack = 0.0;
        }
        for piece in self.written.iter().filter(|piece| piece.ends() > at) {
            let rest = piece.rest(at, change.factor, before);
            before += if rest.length.is_finite() { rest.count(rest.length) } else { 0.0 };
            self.pieces.push(rest);
        }
    }

    /// When the last stage ends; `None` if it is open-ended.
    pub fn ends(&self) -> Option<Duration> {
        let end = self.pieces.last().map_or(0.0, Piece::ends);
        end.is_finite().then(|| Duration::from_secs_f64(end))
    }

    /// The level at an instant; 0 after the end.
    pub fn level(&self, at: f64) -> f64 {
        self.piece_at(at).map_or(0.0, |piece| piece.level(at))
    }

    /// The highest level of all stages.
    pub fn peak(&self) -> f64 {
        let end = |piece: &Piece| {
            if piece.length.is_finite() { piece.level(piece.ends()) } else { piece.from }
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
        self.pieces.iter().find(|piece| at < piece.ends())
    }

    /// The instant at which `count` arrivals have come, and whether it is in a warm-up stage; `None` if the curve never
    /// gets there. `from` is the piece to start looking at and is moved along, because counts only grow.
    fn invert(&self, count: f64, from: &mut usize) -> Option<(f64, bool)> {
        while let Some(piece) = self.pieces.get(*from) {
            let wanted = count - piece.before;
            if piece.length.is_finite() && wanted >= piece.count(piece.length) - piece.slack {
                *from += 1;
                continue;
            }
            if !piece.length.is_finite() && piece.from <= 0.0 {
                return None;
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
/// A [`Change`] may come at any time before its instant, whatever was looked at already.
pub struct Arrivals {
    curve: Curve,
    piece: usize,
    index: u64,
    own: u64,
    workers: u64,
    poisson: Option<(ChaCha8Rng, f64)>,
    /// The count at which the next own arrival comes, once it was drawn.
    count: Option<f64>,
    /// The next own arrival by the curve as it is, once it was looked for: `Some(None)` if it never comes.
    due: Option<Option<Due>>,
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
            count: None,
            due: None,
        }
    }

    /// The next arrival, which stays the next one.
    pub fn peek(&mut self) -> Option<Due> {
        if let Some(due) = self.due {
            return due;
        }
        let count = self.count();
        let due = self.curve.invert(count, &mut self.piece);
        let due = due.map(|(at, warmup)| Due { index: self.own, at_ns: (at * 1e9).round() as u64, warmup });
        self.due = Some(due);
        due
    }

    /// From the change's instant on arrivals come by the changed curve. Those that were taken already stay taken.
    pub fn change(&mut self, change: Change) {
        self.curve.change(change);
        // The next one may lie in another piece now, before the one that was reached.
        self.piece = 0;
        self.due = None;
    }

    /// The count of the next own arrival; drawn once.
    fn count(&mut self) -> f64 {
        if let Some(count) = self.count {
            return count;
        }
        let count = match &mut self.poisson {
            None => self.own as f64,
            Some((rng, sum)) => {
                while self.index <= self.own {
                    *sum += unit_exponential(rng);
                    self.index += 1;
                }
                *sum
            }
        };
        self.count = Some(count);
        count
    }
}

impl Iterator for Arrivals {
    type Item = Due;

    fn next(&mut self) -> Option<Due> {
        let due = self.peek()?;
        self.own += self.workers;
        self.count = None;
        self.due = None;
        Some(due)
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
mod properties;
#[cfg(test)]
mod tests;
