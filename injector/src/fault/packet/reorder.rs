//! `network.reorder`: some packets overtake others.
//!
//! *What the service feels*: TCP takes a gap for a loss when three packets behind it have come, and sends again what was not
//! lost. As with tc-netem(8) the packets that are drawn go on at once, and all others are held for `latency`.
//! *Privileges*: CAP_NET_ADMIN in the target's network namespace and CAP_SYS_ADMIN to enter it. *Rung*: netem where the
//! kernel has it, without `correlation`, on a network namespace or a container; else NFQUEUE, by seed.
//! *Verified*: the share of packets that were let pass has the one that was asked for in its 99.99 % interval; whether there was
//! one to overtake depends on the traffic. *Undone*: what is held goes on at once, in order, and the table is removed.

use std::time::Duration;

use brunt_scenario::plan::Params;

use super::correlated;
use crate::error::Error;
use crate::fault::link::ways;
use crate::packets::{Effect, Treatment, queue};

/// The kind, as in the catalogue.
pub const KIND: &str = "network.reorder";

/// For how long those that are overtaken are held: longer than packets of one answer are apart.
const HOLD: Duration = Duration::from_millis(10);

/// Reads `reorder`, `latency` (10 ms), `correlation` and `direction` (`both`).
pub fn from_params(with: &Params) -> Result<Treatment, Error> {
    let share = correlated(KIND, with, "reorder")?;
    let effect = Effect::Queued(queue::Treatment::Reorder(share, with.duration("latency").unwrap_or(HOLD)));
    Ok(Treatment { ways: ways(KIND, with, "both")?, peers: None, effect })
}
