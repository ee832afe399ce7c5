//! `network.partition` on packets: none passes.
//!
//! *What the service feels*: the cable is pulled. Connections that are open stall and go on when it is back, as soon as TCP sends
//! again: the longer it was away, the longer that takes (its pause doubles, up to two minutes). New ones get no answer.
//! *Privileges*: CAP_NET_ADMIN in the target's network namespace and CAP_SYS_ADMIN to enter it. *Rung*: nf_tables. *Verified*:
//! every packet that came along was dropped, by the kernel's own counters. *Undone*: the table is removed.

use brunt_scenario::plan::Params;

use super::spares_none;
use crate::error::Error;
use crate::fault::link::ways;
use crate::packets::{Effect, Loss, Treatment};

/// The kind, as in the catalogue.
pub const KIND: &str = "network.partition";

/// Reads `direction` (`both`).
pub fn from_params(with: &Params) -> Result<Treatment, Error> {
    spares_none(KIND, with)?;
    Ok(Treatment { ways: ways(KIND, with, "both")?, peers: None, effect: Effect::Lost(Loss::All) })
}
