//! `network.corrupt`: in some packets a bit is turned round.
//!
//! *What the service feels*: a loss with another cause. The receiver's checksum finds the damage and throws the packet away
//! (1,008 of 1,008); the sender sends again. Damaged bytes reach a program only where it has switched checksums off.
//! *Privileges*: CAP_NET_ADMIN in the target's network namespace and CAP_SYS_ADMIN to enter it. *Rung*: NFQUEUE, by seed; the bit
//! lies behind the network header. *Verified*: the share of packets that were changed has the one that was asked for in its
//! 99.99 % interval. *Undone*: the table is removed; what was thrown away is lost.

use brunt_scenario::plan::Params;

use super::correlated;
use crate::error::Error;
use crate::fault::link::ways;
use crate::packets::{Effect, Treatment, queue};

/// The kind, as in the catalogue.
pub const KIND: &str = "network.corrupt";

/// Reads `corrupt`, `correlation` and `direction` (`both`).
pub fn from_params(with: &Params) -> Result<Treatment, Error> {
    let effect = Effect::Queued(queue::Treatment::Corrupt(correlated(KIND, with, "corrupt")?));
    Ok(Treatment { ways: ways(KIND, with, "both")?, peers: None, effect })
}
