//! `network.loss`: packets vanish on the way, each with a chance.
//!
//! *What the service feels*: a bad line. TCP sends again, after a round trip or two while others keep coming, after 200 ms and
//! more when it was the last one or the first (a lost SYN costs a second); so a few requests are late by very much. What is
//! lost is counted in packets as the kernel sees them: over a virtual device one may be as large as 64 KiB.
//! *Privileges*: CAP_NET_ADMIN in the target's network namespace and CAP_SYS_ADMIN to enter it. *Rung*: nf_tables, which draws
//! for each packet (`numgen random`), without a seed. *Verified*: the share that its counters show has the share that was asked
//! for in its 99.99 % interval. *Undone*: the table is removed; what is lost is lost.

use brunt_scenario::plan::Params;

use crate::error::Error;
use crate::fault::link::ways;
use crate::packets::{Loss, Treatment};

/// The kind, as in the catalogue.
pub const KIND: &str = "network.loss";

/// Reads `loss` and `direction` (`both`).
pub fn from_params(with: &Params) -> Result<Treatment, Error> {
    let unfit = |why: &str| Error::Unfit { kind: KIND.into(), why: why.into() };
    let share = with.share("loss").ok_or_else(|| unfit("`loss` is missing, as in `loss: 5%`"))?;
    match with.word("model") {
        None | Some("uniform") => {}
        Some(model) => return Err(unfit(&format!("`model: {model}` is not built yet; `uniform` is"))),
    }
    Ok(Treatment { ways: ways(KIND, with, "both")?, peers: None, loss: Loss::Uniform(share) })
}
