//! `network.latency` on packets: every packet is held for a while.
//!
//! *What the service feels*: distance. Unlike a stream fault it also delays connecting, acknowledgements and the end of
//! connections. Packets of one flow keep their order, so one with a short delay waits for the one in front of it: a `jitter`
//! that is wider than the gap between packets makes all of them later.
//! *Privileges*: CAP_NET_ADMIN in the target's network namespace and CAP_SYS_ADMIN to enter it. *Rung*: netem where the
//! kernel has it, for one and the same latency up to 500 ms on a network namespace or a container; else NFQUEUE, by seed.
//! *Verified*, NFQUEUE: packets were held, and half of them went on within 5 ms (or 5 %) of when they should; netem: half of
//! brunt's own probes were. *Undone*: what is held goes on in order (NFQUEUE at once, netem at its time), and table and queue are
//! removed.

use brunt_scenario::plan::Params;

use super::spares_none;
use crate::error::Error;
use crate::fault::delay::Delays;
use crate::fault::link::ways;
use crate::packets::{Effect, Treatment, queue};

/// The kind, as in the catalogue.
pub const KIND: &str = "network.latency";

/// Reads what delays are drawn from, and `direction` (`from`).
pub fn from_params(with: &Params) -> Result<Treatment, Error> {
    spares_none(KIND, with)?;
    let effect = Effect::Queued(queue::Treatment::Delay(Delays::from_params(KIND, with)?));
    Ok(Treatment { ways: ways(KIND, with, "from")?, peers: None, effect })
}
