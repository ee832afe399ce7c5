//! Decisions by seed: which connection, which message, how much jitter.
//!
//! A decision is a function of (seed, link, listener, fault, connection, message), not of the order in which connections
//! happen to be served: the third message of the seventh connection meets the same fate in every run with that seed.

use std::sync::Arc;
use std::time::Duration;

use super::counters::FaultCounters;
use super::trace::Trace;

/// Mixes 64 bits so that each output bit depends on each input bit: the finaliser of SplitMix64 (Steele, Lea, Flood: Fast
/// splittable pseudorandom number generators, OOPSLA 2014).
fn mix(value: u64) -> u64 {
    let mut z = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// The seed of one fault at one listener.
pub(crate) fn fault_seed(seed: u64, link: &str, listener: usize, fault_id: &str) -> u64 {
    let words = [link.as_bytes(), fault_id.as_bytes()];
    let named = words.iter().fold(seed, |seed, word| {
        let word = word.iter().fold(mix(seed), |sum, byte| mix(sum ^ u64::from(*byte)));
        mix(word ^ 0xff)
    });
    mix(named ^ listener as u64)
}

/// What a fault draws for one connection: a stream of decisions, one after another.
pub(crate) struct Draws {
    seed: u64,
    drawn: u64,
    share: f64,
    effect: bool,
    counters: Arc<FaultCounters>,
    /// Where decisions are written down, if somebody asked.
    trace: Option<Box<Trace>>,
}

impl Draws {
    /// Decisions of the fault with `fault_seed` for the connection that was accepted as number `connection`. Without
    /// `effect` nothing is ever hit, though everything is looked at.
    pub fn new(fault_seed: u64, connection: u64, share: f64, effect: bool, counters: Arc<FaultCounters>) -> Self {
        Self { seed: mix(fault_seed ^ mix(connection)), drawn: 0, share, effect, counters, trace: None }
    }

    /// Writes its decisions down.
    pub fn traced(self, trace: Option<Trace>) -> Self {
        Self { trace: trace.map(Box::new), ..self }
    }

    /// Whether the next one (message, request, connection) is hit. Counts it as seen.
    pub fn hits(&mut self) -> bool {
        self.counters.seen.add(1);
        // Drawn in any case: the decisions that follow must not depend on this one.
        let drawn = self.fraction();
        let hit = self.effect && drawn < self.share;
        if let Some(trace) = &mut self.trace {
            trace.decided(hit);
        }
        hit
    }

    /// Decisions of their own for each direction: how the messages of the two happen to alternate must not matter.
    pub fn by_direction(mut self) -> [Self; 2] {
        let trace = self.trace.take();
        [("to.", 1), ("from.", 2)].map(|(word, way)| Self {
            seed: mix(self.seed ^ way),
            counters: Arc::clone(&self.counters),
            trace: trace.as_ref().map(|trace| Box::new(trace.of(word))),
            ..self
        })
    }

    /// The message that was decided about last is to be held for so long.
    pub fn held(&mut self, hold: Duration) {
        if let Some(trace) = &mut self.trace {
            trace.held(hold);
        }
    }

    /// From the standard normal distribution: two fractions by the transform of Box and Muller (A note on the generation of
    /// random normal deviates, 1958).
    pub fn normal(&mut self) -> f64 {
        let radius = (-2.0 * (1.0 - self.fraction()).ln()).sqrt();
        radius * (std::f64::consts::TAU * self.fraction()).cos()
    }

    /// Evenly in [0, 1): the upper 53 bits.
    pub fn fraction(&mut self) -> f64 {
        self.drawn += 1;
        (mix(self.seed ^ mix(self.drawn)) >> 11) as f64 / (1u64 << 53) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hits(connection: u64, share: f64) -> Vec<bool> {
        let seed = fault_seed(7, "orders-payments", 0, "slow");
        let mut draws = Draws::new(seed, connection, share, true, Arc::default());
        (0..1000).map(|_| draws.hits()).collect()
    }

    #[test]
    fn the_same_connection_meets_the_same_fate_in_every_run() {
        assert_eq!(hits(3, 0.3), hits(3, 0.3));
        assert_ne!(hits(3, 0.3), hits(4, 0.3));
    }

    #[test]
    fn a_share_is_kept_on_average() {
        let total: usize = (0..100).map(|n| hits(n, 0.3).iter().filter(|hit| **hit).count()).sum();
        assert!((29_000..31_000).contains(&total), "{total} of 100,000 at 30 %");
    }

    #[test]
    fn the_two_directions_draw_for_themselves() {
        let draws = || Draws::new(1, 1, 1.0, true, Arc::default()).by_direction();
        let [mut to, mut from] = draws();
        let (to, from): (Vec<_>, Vec<_>) = (0..100).map(|_| (to.fraction(), from.fraction())).unzip();
        assert_ne!(to, from);
        let [_, mut alone] = draws();
        assert_eq!(from, (0..100).map(|_| alone.fraction()).collect::<Vec<_>>(), "whatever the other one draws");
    }

    #[test]
    fn normal_draws_have_the_mean_and_the_spread_of_their_name() {
        let mut draws = Draws::new(1, 1, 1.0, true, Arc::default());
        let all: Vec<f64> = (0..100_000).map(|_| draws.normal()).collect();
        let mean = all.iter().sum::<f64>() / all.len() as f64;
        let variance = all.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / all.len() as f64;
        assert!(mean.abs() < 0.015 && (variance - 1.0).abs() < 0.02, "mean {mean}, variance {variance}");
        let beyond = all.iter().filter(|value| **value > 1.959_964).count();
        assert!((2_300..2_700).contains(&beyond), "{beyond} of 100,000 above the 97.5th percentile");
    }
}
