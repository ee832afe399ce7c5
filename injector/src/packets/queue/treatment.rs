//! What happens to the packets that wait, as data, and the decision about each.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::flows::Flow;
use super::loss::{Choosing, Losing, Loss, Share};
use super::names::Answers;
use super::rate::{Rate, Wire};
use crate::fault::delay::{Delay, Delays};
use crate::proxy::Draws;

/// What happens to each packet of a path.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Treatment {
    /// All are held for a while. Those of one flow keep their order: none goes on before the one in front of it.
    Delay(Delays),
    /// Some go no further.
    Lose(Loss),
    /// Some overtake others: these go on at once, all others are held for this long.
    Reorder(Share, Duration),
    /// In some a bit is turned round.
    Corrupt(Share),
    /// Some are sent twice.
    Duplicate(Share),
    /// Answers of name servers come late, never, or with something else in them. Of other packets nothing becomes.
    Answers(Answers),
    /// They go on one after another, no faster than this; what finds no room goes no further.
    Rate(Rate),
}

/// What becomes of one packet.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Fate {
    /// Nothing happens to it.
    Pass,
    /// It is gone.
    Lost,
    /// It goes on later, and not before those of its flow that are held.
    Held(Duration),
    /// It overtakes those that are held.
    Overtakes,
    /// The same as [`Fate::Held`], only so that others can overtake it.
    Overtaken(Duration),
    /// One of its bits changes: which, as a fraction of all.
    Changed(f64),
    /// It goes on, and once more.
    Twice,
    /// It goes on with these bytes in place of its own.
    Rewritten(Vec<u8>),
    /// It goes on when it has passed a wire that takes so many bytes of it, and perhaps waits for others in front of it.
    Carried { due: u64, bytes: u32, waits: bool },
    /// It is gone, for too many were in front of it.
    NoRoom,
}

/// Decides about one packet after another.
pub(super) enum Deciding {
    Delay(Delay),
    Lose(Losing),
    Reorder(Choosing, Duration),
    Corrupt(Choosing),
    Duplicate(Choosing),
    Answers(Answers),
    Rate(Wire),
}

impl Deciding {
    /// `first` draws the state in which it begins.
    pub fn new(treatment: &Treatment, first: &mut Draws) -> Self {
        match treatment {
            Treatment::Delay(delays) => Self::Delay(Delay::new(delays)),
            Treatment::Lose(loss) => Self::Lose(Losing::new(*loss, first)),
            Treatment::Reorder(share, hold) => Self::Reorder(Choosing::new(*share), *hold),
            Treatment::Corrupt(share) => Self::Corrupt(Choosing::new(*share)),
            Treatment::Duplicate(share) => Self::Duplicate(Choosing::new(*share)),
            Treatment::Answers(answers) => Self::Answers(answers.clone()),
            Treatment::Rate(rate) => Self::Rate(Wire::new(*rate)),
        }
    }

    /// The fate of the next packet, which belongs to this flow, by what was copied of it and when it was read
    /// (CLOCK_MONOTONIC, nanoseconds). Each packet of a flow takes as many draws as the others.
    pub fn next(&mut self, flow: &mut Flow, packet: &[u8], now: u64) -> Fate {
        let draws = &mut flow.draws;
        let or_pass = |chosen, fate| if chosen { fate } else { Fate::Pass };
        match self {
            Self::Delay(delay) => Fate::Held(delay.draw(draws)),
            Self::Lose(losing) => or_pass(losing.next(draws), Fate::Lost),
            Self::Reorder(choosing, hold) => {
                if choosing.next(draws) {
                    Fate::Overtakes
                } else {
                    Fate::Overtaken(*hold)
                }
            }
            Self::Corrupt(choosing) => {
                let (chosen, place) = (choosing.next(draws), draws.fraction());
                or_pass(chosen, Fate::Changed(place))
            }
            Self::Duplicate(choosing) => or_pass(choosing.next(draws), Fate::Twice),
            Self::Answers(answers) => answers.fate(packet),
            Self::Rate(wire) => wire.next(packet, now),
        }
    }
}
