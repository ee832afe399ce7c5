//! Faults on nodes, through the API of their cluster. They live in the agent.

mod cordon;
mod drain;

use std::time::Duration;

use brunt_kubernetes::Kind;

use crate::agent::protocol::Order;
use crate::error::Error;
use crate::fault::pod::{names, objects};
use crate::fault::{Elsewhere, Fault};

/// How long the cluster's controllers may take to say what they were told.
pub const SETTLE: Duration = Duration::from_secs(10);
/// How long the pods of a node may take to go, beyond what the slowest of them is given.
pub const DRAIN: Duration = Duration::from_secs(120);

/// The fault of this kind on these nodes.
pub fn on_nodes(order: &Order) -> Result<Box<dyn Fault<Elsewhere>>, Error> {
    let (cluster, nodes) = objects(order, Kind::Node)?;
    match order.kind.as_str() {
        "node.cordon" => Ok(Box::new(cordon::Cordon::new(cluster, nodes))),
        "node.drain" => Ok(Box::new(drain::Drain::new(cluster, nodes, order.grace))),
        kind => Err(Error::Unfit { kind: kind.into(), why: "it does not act on nodes".into() }),
    }
}
