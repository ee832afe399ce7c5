//! Faults on whole namespaces, through the API of their cluster. They live in the agent.

mod quota;

use std::time::Duration;

use brunt_kubernetes::Kind;

use crate::agent::protocol::Order;
use crate::error::Error;
use crate::fault::pod::objects;
use crate::fault::{Elsewhere, Fault};

/// How long the cluster may take to count what a namespace has.
pub const SETTLE: Duration = Duration::from_secs(20);

/// The fault of this kind on this namespace.
pub fn on_namespaces(order: &Order, run_id: &str) -> Result<Box<dyn Fault<Elsewhere>>, Error> {
    let unfit = |why: &str| Error::Unfit { kind: order.kind.clone(), why: why.into() };
    let (cluster, mut namespaces) = objects(order, Kind::Namespace)?;
    let namespace = namespaces.pop().ok_or_else(|| unfit("it needs a namespace"))?;
    match order.kind.as_str() {
        "namespace.quota" => {
            let pods = order.pods.ok_or_else(|| unfit("`pods` must be given"))?;
            let quota = quota::named(namespace, &order.fault, run_id, pods);
            Ok(Box::new(quota::Shrink::new(cluster, quota)))
        }
        _ => Err(unfit("it does not act on namespaces")),
    }
}
