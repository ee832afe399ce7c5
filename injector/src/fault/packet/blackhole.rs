//! `network.blackhole` on packets: none passes.
//!
//! *What the service feels*: a peer behind a firewall that drops. On packets this is what a partition is, in the direction that
//! is meant: what is lost is sent again by TCP, so connections recover; on a link (`fault/network/blackhole.rs`) bytes are lost
//! for good. *Privileges*, *rung*, *verified*, *undone*: as [`super::partition`].

use brunt_scenario::plan::Params;

use super::spares_none;
use crate::error::Error;
use crate::fault::link::ways;
use crate::packets::{Effect, Loss, Treatment};

/// The kind, as in the catalogue.
pub const KIND: &str = "network.blackhole";

/// Reads `direction` (`both`).
pub fn from_params(with: &Params) -> Result<Treatment, Error> {
    spares_none(KIND, with)?;
    Ok(Treatment { ways: ways(KIND, with, "both")?, peers: None, effect: Effect::Lost(Loss::All) })
}
