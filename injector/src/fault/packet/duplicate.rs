//! `network.duplicate`: packets come twice.
//!
//! *What the service feels*: TCP throws the second one away and says so; a protocol of datagrams of its own may do things twice.
//! *Privileges*: CAP_NET_ADMIN in the target's network namespace and CAP_SYS_ADMIN to enter it. *Rung*: NFQUEUE, by seed; the
//! copy is sent by a raw socket, so only what leaves the target can be duplicated. Copies are marked and never copied again, and
//! there are at most 10,000 a second. *Verified*: the share of packets that were sent twice has the one that was asked for in its
//! 99.99 % interval. *Undone*: the table is removed.

use brunt_scenario::plan::Params;

use super::correlated;
use crate::error::Error;
use crate::fault::link::ways;
use crate::packets::{Effect, Treatment, queue};

/// The kind, as in the catalogue.
pub const KIND: &str = "network.duplicate";

/// Reads `duplicate`, `correlation` and `direction` (`from`, the only one).
pub fn from_params(with: &Params) -> Result<Treatment, Error> {
    let effect = Effect::Queued(queue::Treatment::Duplicate(correlated(KIND, with, "duplicate")?));
    let ways = ways(KIND, with, "from")?;
    if ways.to {
        let why = "what has arrived cannot be sent again: `direction: from` is the only one".into();
        return Err(Error::Unfit { kind: KIND.into(), why });
    }
    Ok(Treatment { ways, peers: None, effect })
}
