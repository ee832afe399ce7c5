//! Faults on deployments, through the API of their cluster. They live in the agent.

mod restart;
mod scale;
pub mod template;

use std::time::Duration;

use brunt_kubernetes::{Kind, Object};

use crate::agent::protocol::Order;
use crate::error::Error;
use crate::fault::pod::objects;
use crate::fault::{Elsewhere, Fault};

/// How long a controller may take to carry out what a deployment says.
pub const SETTLE: Duration = Duration::from_secs(60);

/// The fault of this kind on these deployments.
pub fn on_deployments(order: &Order) -> Result<Box<dyn Fault<Elsewhere>>, Error> {
    let unfit = |why: &str| Error::Unfit { kind: order.kind.clone(), why: why.into() };
    let (cluster, mut deployments) = objects(order, Kind::Deployment)?;
    let deployment = deployments.pop().ok_or_else(|| unfit("it needs a deployment"))?;
    match order.kind.as_str() {
        "deployment.restart" => Ok(Box::new(restart::Restart::new(cluster, deployment))),
        "deployment.scale" => {
            let to = order.replicas.ok_or_else(|| unfit("`replicas` must be given"))?;
            let to = i32::try_from(to).map_err(|_| unfit("`replicas` is more than any cluster has"))?;
            Ok(Box::new(scale::Scale::new(cluster, deployment, to)))
        }
        _ => {
            let wanted = order.template.clone().ok_or_else(|| unfit("it does not act on deployments"))?;
            Ok(Box::new(template::Template::new(cluster, deployment, wanted)))
        }
    }
}

/// Why a deployment cannot be used that is not there by its UID.
fn is_another(deployment: &Object) -> Error {
    let place = deployment.place();
    Error::Refused(format!("{place} is gone, or another one has its name, since it was picked"))
}
