//! `network.loss`: packets vanish on the way, each with a chance.
//!
//! *What the service feels*: a bad line. TCP sends again, after a round trip or two while others keep coming, after 200 ms and
//! more when it was the last one or the first (a lost SYN costs a second); so a few requests are late by very much. What is
//! lost is counted in packets as the kernel sees them: over a virtual device one may be as large as 64 KiB.
//! *Privileges*: CAP_NET_ADMIN in the target's network namespace and CAP_SYS_ADMIN to enter it. *Rung*: netem where the
//! kernel has it, without `correlation`, on a network namespace or a container (no sender is told). Else, where each packet is lost
//! on its own, nf_tables, which draws for each packet (`numgen random`), without a seed, and cannot be too slow; where a
//! loss depends on the ones before it (`correlation`, `model`), NFQUEUE, by seed, and a packet is a segment of what the wire
//! carries. *Verified*: the share that its counters show has the share that was asked for in its 99.99 % interval. *Undone*:
//! the table is removed; what is lost is lost.

use brunt_scenario::plan::Params;

use super::correlated;
use crate::error::Error;
use crate::fault::link::ways;
use crate::packets::{Effect, Loss, Treatment, queue};

/// The kind, as in the catalogue.
pub const KIND: &str = "network.loss";

/// Reads `loss`, `model`, what belongs to it, and `direction` (`both`).
pub fn from_params(with: &Params) -> Result<Treatment, Error> {
    let effect = match with.word("model").unwrap_or("uniform") {
        "gilbert_elliott" => Effect::Queued(queue::Treatment::Lose(gilbert_elliott(with)?)),
        "four_state" => Effect::Queued(queue::Treatment::Lose(four_states(with)?)),
        _ => {
            let share = correlated(KIND, with, "loss")?;
            if share.correlation > 0.0 {
                Effect::Queued(queue::Treatment::Lose(queue::Loss::Share(share)))
            } else {
                Effect::Lost(Loss::Uniform(share.share))
            }
        }
    };
    Ok(Treatment { ways: ways(KIND, with, "both")?, peers: None, effect })
}

fn gilbert_elliott(with: &Params) -> Result<queue::Loss, Error> {
    let chance = |name: &str| {
        let missing = || Error::Unfit { kind: KIND.into(), why: format!("`model: gilbert_elliott` needs `{name}`") };
        with.share(name).ok_or_else(missing)
    };
    let [loss_good, loss_bad] =
        [("loss_good", 0.0), ("loss_bad", 1.0)].map(|(name, or)| with.share(name).unwrap_or(or));
    Ok(queue::Loss::GilbertElliott { p: chance("p")?, r: chance("r")?, loss_good, loss_bad })
}

/// As tc-netem(8)'s `loss state`, but nothing is taken for granted: it would make `p31` what `p13` leaves.
fn four_states(with: &Params) -> Result<queue::Loss, Error> {
    let chance = |name: &str| {
        let missing = || Error::Unfit { kind: KIND.into(), why: format!("`model: four_state` needs `{name}`") };
        with.share(name).ok_or_else(missing)
    };
    let [p13, p31, p32] = [chance("p13")?, chance("p31")?, chance("p32")?];
    let [p23, p14] = [chance("p23")?, chance("p14")?];
    // Percentages add up to a hair more than the whole.
    const WHOLE: f64 = 1.0 + 1e-9;
    if p31 + p32 > WHOLE || p13 + p14 > WHOLE {
        let why =
            "`p31` and `p32` leave the same state, and so do `p13` and `p14`: together they are at most 100%".into();
        return Err(Error::Unfit { kind: KIND.into(), why });
    }
    Ok(queue::Loss::FourStates { p13, p31, p32, p23, p14 })
}

#[cfg(test)]
mod tests {
    use brunt_scenario::plan::ParamValue;
    use brunt_scenario::units::Share;

    use super::*;

    #[test]
    fn four_states_need_all_their_chances_and_those_that_leave_a_state_are_at_most_the_whole() {
        let read = |given: &[(&'static str, f64)]| {
            let shares = given.iter().map(|(name, share)| (*name, ParamValue::Percent(Share(*share))));
            let params = Params(shares.chain([("model", ParamValue::Word("four_state"))]).collect());
            from_params(&params).map(|treatment| treatment.effect).map_err(|error| error.to_string())
        };
        let all = [("p13", 0.1), ("p31", 0.7), ("p32", 0.3), ("p23", 0.5), ("p14", 0.2)];
        let loss = queue::Loss::FourStates { p13: 0.1, p31: 0.7, p32: 0.3, p23: 0.5, p14: 0.2 };
        assert_eq!(read(&all), Ok(Effect::Queued(queue::Treatment::Lose(loss))));
        for left_out in 0..all.len() {
            let some: Vec<_> =
                all.iter().copied().enumerate().filter(|(at, _)| *at != left_out).map(|(_, it)| it).collect();
            assert!(read(&some).is_err_and(|why| why.contains(all[left_out].0)), "without {}", all[left_out].0);
        }
        let more = |name| all.map(|(other, share)| (other, if other == name { 0.95 } else { share }));
        assert!(read(&more("p14")).is_err_and(|why| why.contains("at most 100%")));
        assert!(read(&more("p31")).is_err_and(|why| why.contains("at most 100%")));
    }
}
