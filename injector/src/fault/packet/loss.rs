//! `network.loss`: packets vanish on the way, each with a chance.
//!
//! *What the service feels*: a bad line. TCP sends again, after a round trip or two while others keep coming, after 200 ms and
//! more when it was the last one or the first (a lost SYN costs a second); so a few requests are late by very much. What is
//! lost is counted in packets as the kernel sees them: over a virtual device one may be as large as 64 KiB.
//! *Privileges*: CAP_NET_ADMIN in the target's network namespace and CAP_SYS_ADMIN to enter it. *Rung*: where each packet is
//! lost on its own, nf_tables, which draws for each packet (`numgen random`), without a seed, and cannot be too slow; where a
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
