//! Which packets are chosen: each on its own, in runs, or by a chain of states.
//!
//! The words are those of tc-netem(8). Its `correlation` averages each draw with the last one, which changes how many are
//! lost (5 % with correlation 25 % lose 3.6 %); here it is the correlation of each packet's fate with the one before it, and
//! the share stays what was asked for: after a packet that was chosen the next one is with probability `s + c (1 - s)`, after
//! another one with `s (1 - c)`.
//!
//! A chain's state belongs to the path, as a bad moment of a wire hits all that use it; the draws belong to each flow (see
//! `flows`). So for a single flow every fate follows from the seed, and for many it also depends on how they take turns.

use serde::{Deserialize, Serialize};

use crate::proxy::Draws;

/// A share of all packets, in runs if `correlation` is not 0. Both from 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Share {
    /// How many of all.
    pub share: f64,
    /// The correlation of each packet's fate with that of the one before.
    pub correlation: f64,
}

/// Which packets are lost. All numbers are from 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Loss {
    /// A share of them.
    Share(Share),
    /// A good state and a bad one (Gilbert, Capacity of a burst-noise channel, 1960; Elliott, Estimates of error rates for
    /// codes on burst-noise channels, 1963). If all are lost in the bad state and none in the good one, `1 / r` packets are
    /// lost in a row on average, and `p / (p + r)` of all.
    GilbertElliott {
        /// The chance to go from the good state to the bad one, at each packet.
        p: f64,
        /// The chance to go back.
        r: f64,
        /// What is lost in the good state.
        loss_good: f64,
        /// What is lost in the bad state.
        loss_bad: f64,
    },
    /// Four states (Salsano and others, Definition of a general and intuitive loss model for packet networks, 2010): 1 good,
    /// 2 good within a bad time, 3 lost within a bad time, 4 lost alone.
    FourStates {
        /// From good to a bad time.
        p13: f64,
        /// From lost in a bad time back to good.
        p31: f64,
        /// From lost to good within a bad time.
        p32: f64,
        /// From good to lost within a bad time.
        p23: f64,
        /// From good to lost alone, which the next packet never is.
        p14: f64,
    },
}

impl Loss {
    /// The share that is lost in the long run.
    pub fn share(self) -> f64 {
        match self {
            Self::Share(Share { share, .. }) => share,
            Self::GilbertElliott { p, r, loss_good, loss_bad } => {
                let bad = if p + r > 0.0 { p / (p + r) } else { 0.0 };
                bad * loss_bad + (1.0 - bad) * loss_good
            }
            Self::FourStates { .. } => {
                let [_, _, lost, alone] = self.stationary();
                lost + alone
            }
        }
    }

    /// How likely each of the four states is in the long run: the balance of what enters and leaves each.
    fn stationary(self) -> [f64; 4] {
        let Self::FourStates { p13, p31, p32, p23, p14 } = self else { return [1.0, 0.0, 0.0, 0.0] };
        // In units of the first state's: 4 is entered from 1 only, 3 and 2 feed each other, 3 goes back to 1.
        let lost = if p31 > 0.0 { p13 / p31 } else { 0.0 };
        let within = if p23 > 0.0 { lost * p32 / p23 } else { 0.0 };
        let sum = 1.0 + within + lost + p14;
        [1.0 / sum, within / sum, lost / sum, p14 / sum]
    }

    /// How much wider the number of losses spreads than that of losses on their own: `1 + 2 (r1 + r2 + ...)` times the variance,
    /// where `r` is the correlation of a packet's fate with that of the first, second, ... one behind it. So many packets tell as
    /// much of the share as one would on its own.
    pub fn runs(self) -> f64 {
        match self {
            Self::Share(share) => share.runs(),
            Self::GilbertElliott { p, r, loss_good, loss_bad } => {
                let (lost, stays) = (self.share(), 1.0 - p - r);
                let bad = if p + r > 0.0 { p / (p + r) } else { 0.0 };
                let by_state = bad * (1.0 - bad) * (loss_bad - loss_good).powi(2);
                let all = lost * (1.0 - lost);
                if all > 0.0 && stays < 1.0 { 1.0 + 2.0 * by_state / all * stays / (1.0 - stays) } else { 1.0 }
            }
            Self::FourStates { p13, p31, p32, p23, p14 } => {
                let share = self.share();
                let steps = [
                    [1.0 - p13 - p14, 0.0, p13, p14],
                    [0.0, 1.0 - p23, p23, 0.0],
                    [p31, p32, 1.0 - p31 - p32, 0.0],
                    [1.0, 0.0, 0.0, 0.0],
                ];
                // The chance to be lost so many steps after each state; it forgets the state soon.
                let mut chance = [0.0, 0.0, 1.0, 1.0];
                let [_, _, lost, alone] = self.stationary();
                let mut sum = 0.0;
                for _ in 0..100_000 {
                    chance = steps.map(|row| row.iter().zip(chance).map(|(step, chance)| step * chance).sum());
                    let covariance = lost * chance[2] + alone * chance[3] - share * share;
                    sum += covariance;
                    if covariance.abs() < 1e-12 {
                        break;
                    }
                }
                let all = share * (1.0 - share);
                if all > 0.0 { 1.0 + 2.0 * sum / all } else { 1.0 }
            }
        }
    }
}

impl Share {
    /// See [`Loss::runs`].
    pub fn runs(self) -> f64 {
        // At full correlation all packets share the fate of the first.
        (1.0 + self.correlation) / (1.0 - self.correlation).max(1e-9)
    }
}

/// Chooses a share, one packet after another.
#[derive(Debug)]
pub(super) struct Choosing {
    of: Share,
    last: Option<bool>,
}

impl Choosing {
    pub fn new(of: Share) -> Self {
        Self { of, last: None }
    }

    /// Whether the next one is chosen. One draw.
    pub fn next(&mut self, draws: &mut Draws) -> bool {
        let Share { share, correlation } = self.of;
        let chance = match self.last {
            None => share,
            Some(true) => share + correlation * (1.0 - share),
            Some(false) => share * (1.0 - correlation),
        };
        let chosen = draws.fraction() < chance;
        self.last = Some(chosen);
        chosen
    }
}

/// Decides what is lost, one packet after another.
#[derive(Debug)]
pub(super) enum Losing {
    Share(Choosing),
    GilbertElliott { p: f64, r: f64, loss: [f64; 2], bad: bool },
    FourStates { go: Loss, state: u8 },
}

impl Losing {
    /// Begins in a state that is as likely as it is in the long run. `first` draws it.
    pub fn new(loss: Loss, first: &mut Draws) -> Self {
        match loss {
            Loss::Share(share) => Self::Share(Choosing::new(share)),
            Loss::GilbertElliott { p, r, loss_good, loss_bad } => {
                let bad = first.fraction() * (p + r) < p;
                Self::GilbertElliott { p, r, loss: [loss_good, loss_bad], bad }
            }
            Loss::FourStates { .. } => {
                let mut left = first.fraction();
                let states = loss.stationary();
                let before = states.iter().take_while(|share| {
                    left -= **share;
                    left >= 0.0
                });
                Self::FourStates { go: loss, state: (before.count() as u8).min(3) + 1 }
            }
        }
    }

    /// Whether the next one is lost. As many draws for each packet, whatever becomes of it.
    pub fn next(&mut self, draws: &mut Draws) -> bool {
        match self {
            Self::Share(choosing) => choosing.next(draws),
            Self::GilbertElliott { p, r, loss, bad } => {
                let (lost, changes) = (draws.fraction(), draws.fraction());
                let lost = lost < loss[usize::from(*bad)];
                *bad ^= changes < if *bad { *r } else { *p };
                lost
            }
            Self::FourStates { go, state } => {
                let lost = matches!(state, 3 | 4);
                let Loss::FourStates { p13, p31, p32, p23, p14 } = *go else { return lost };
                let drawn = draws.fraction();
                *state = match *state {
                    1 if drawn < p14 => 4,
                    1 if drawn < p14 + p13 => 3,
                    2 if drawn < p23 => 3,
                    3 if drawn < p32 => 2,
                    3 if drawn < p32 + p31 => 1,
                    4 => 1,
                    same => same,
                };
                lost
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    const PACKETS: usize = 1_000_000;

    fn draws(stream: u64) -> Draws {
        Draws::new(9, stream, 1.0, true, Arc::default())
    }

    fn fates(loss: Loss) -> Vec<bool> {
        let mut losing = Losing::new(loss, &mut draws(0));
        let mut draws = draws(1);
        (0..PACKETS).map(|_| losing.next(&mut draws)).collect()
    }

    fn lost(fates: &[bool]) -> f64 {
        fates.iter().filter(|lost| **lost).count() as f64 / fates.len() as f64
    }

    /// How many are lost in a row, on average.
    fn run(fates: &[bool]) -> f64 {
        let began = fates.windows(2).filter(|two| !two[0] && two[1]).count() + usize::from(fates[0]);
        fates.iter().filter(|lost| **lost).count() as f64 / began as f64
    }

    fn near(found: f64, asked: f64, within: f64) {
        assert!((found / asked - 1.0).abs() < within, "{found} instead of {asked}");
    }

    #[test]
    fn a_share_is_kept_with_and_without_correlation_and_correlation_makes_runs() {
        for (share, correlation) in [(0.05, 0.0), (0.05, 0.25), (0.3, 0.5), (0.3, 0.9)] {
            let loss = Loss::Share(Share { share, correlation });
            let fates = fates(loss);
            near(lost(&fates), share, 0.05);
            near(run(&fates), 1.0 / ((1.0 - share) * (1.0 - correlation)), 0.04);
            near(loss.share(), share, 1e-9);
        }
        assert!(fates(Loss::Share(Share { share: 1.0, correlation: 0.3 })).iter().all(|lost| *lost));
        assert!(!fates(Loss::Share(Share { share: 0.0, correlation: 0.3 })).contains(&true));
    }

    #[test]
    fn bursts_of_gilbert_and_elliott_are_as_long_and_as_frequent_as_the_chain_says() {
        for (p, r) in [(0.01, 0.1), (0.05, 0.25), (0.002, 0.05)] {
            let loss = Loss::GilbertElliott { p, r, loss_good: 0.0, loss_bad: 1.0 };
            let fates = fates(loss);
            near(run(&fates), 1.0 / r, 0.05);
            near(lost(&fates), p / (p + r), 0.08);
            near(loss.share(), p / (p + r), 1e-9);
        }
        let loss = Loss::GilbertElliott { p: 0.02, r: 0.1, loss_good: 0.01, loss_bad: 0.5 };
        near(lost(&fates(loss)), loss.share(), 0.04);
    }

    #[test]
    fn four_states_lose_as_many_and_as_many_in_a_row_as_the_chain_says() {
        for [p13, p31, p32, p23, p14] in [
            [0.01, 0.1, 0.2, 0.4, 0.02],
            [0.02, 0.3, 0.0, 1.0, 0.0],
            [0.05, 0.4, 0.6, 0.3, 0.01],
            [0.1, 0.2, 0.1, 0.9, 0.3],
        ] {
            let loss = Loss::FourStates { p13, p31, p32, p23, p14 };
            // Where the chain is in the long run: what enters each state, again and again.
            let mut at = [1.0, 0.0, 0.0, 0.0];
            for _ in 0..10_000 {
                let [good, within, bad, alone] = at;
                at = [
                    good * (1.0 - p13 - p14) + bad * p31 + alone,
                    within * (1.0 - p23) + bad * p32,
                    bad * (1.0 - p31 - p32) + good * p13 + within * p23,
                    good * p14,
                ];
            }
            let [good, within, bad, alone] = at;
            near(loss.share(), bad + alone, 1e-6);
            let all = fates(loss);
            near(lost(&all), bad + alone, 0.04);
            // How often a run of losses begins, in a bad time and alone; the first kind ends with chance `ends` at each loss.
            let (begin, single, ends) = (good * p13 + within * p23, good * p14, p31 + p32);
            near(run(&all), (bad + alone) / (begin + single), 0.02);
            let ones = all.windows(3).filter(|three| three[..] == [false, true, false]).count();
            near(ones as f64 / all.len() as f64, begin * ends + single, 0.05);
            let twos = all.windows(4).filter(|four| four[..] == [false, true, true, false]).count();
            near(1.0 + twos as f64 / all.len() as f64, 1.0 + begin * (1.0 - ends) * ends, 0.002);
        }
        // Alone only: never two in a row.
        let alone = Loss::FourStates { p13: 0.0, p31: 0.1, p32: 0.0, p23: 0.0, p14: 0.1 };
        let all = fates(alone);
        near(run(&all), 1.0, 1e-9);
        near(lost(&all), 0.1 / 1.1, 0.03);
    }

    #[test]
    fn the_number_of_losses_spreads_as_much_as_is_said() {
        let all = [
            Loss::Share(Share { share: 0.1, correlation: 0.0 }),
            Loss::Share(Share { share: 0.1, correlation: 0.6 }),
            Loss::GilbertElliott { p: 0.02, r: 0.2, loss_good: 0.01, loss_bad: 0.8 },
            Loss::FourStates { p13: 0.01, p31: 0.1, p32: 0.2, p23: 0.4, p14: 0.02 },
        ];
        for loss in all {
            const PIECE: usize = 1000;
            let pieces: Vec<f64> = fates(loss).chunks(PIECE).map(lost).collect();
            let share = loss.share();
            let variance = pieces.iter().map(|piece| (piece - share).powi(2)).sum::<f64>() / pieces.len() as f64;
            near(variance, loss.runs() * share * (1.0 - share) / PIECE as f64, 0.15);
        }
    }

    #[test]
    fn the_same_draws_lose_the_same_packets() {
        let loss = Loss::GilbertElliott { p: 0.01, r: 0.1, loss_good: 0.001, loss_bad: 0.7 };
        assert_eq!(fates(loss), fates(loss));
    }
}
