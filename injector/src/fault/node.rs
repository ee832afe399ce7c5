//! Faults on nodes, through the API of their cluster. They live in the agent.

mod cordon;
mod drain;

use std::time::Duration;

use brunt_kubernetes::change;
use brunt_kubernetes::inverse::Inverse;
use brunt_kubernetes::{ANSWER, Cluster, Kind, KubernetesError, Object};
use k8s_openapi::api::core::v1::Node;

use crate::agent::protocol::Order;
use crate::agent::services::Services;
use crate::error::Error;
use crate::fault::Fault;
use crate::fault::pod::{names, objects};

/// How long the cluster's controllers may take to say what they were told.
pub const SETTLE: Duration = Duration::from_secs(10);
/// How long the pods of a node may take to go, beyond what the slowest of them is given.
pub const DRAIN: Duration = Duration::from_secs(120);

/// What the cluster itself puts on a node that takes no new pods; its scheduler goes by this.
const TAINT: &str = "node.kubernetes.io/unschedulable";

/// The fault of this kind on these nodes.
pub fn on_nodes(order: &Order) -> Result<Box<dyn Fault<Services>>, Error> {
    let (cluster, nodes) = objects(order, Kind::Node)?;
    match order.kind.as_str() {
        "node.cordon" => Ok(Box::new(cordon::Cordon::new(cluster, nodes))),
        "node.drain" => Ok(Box::new(drain::Drain::new(cluster, nodes, order.grace))),
        kind => Err(Error::Unfit { kind: kind.into(), why: "it does not act on nodes".into() }),
    }
}

/// What lets these nodes take pods again, if all of them do now.
async fn inverses(cluster: &Cluster, client: &kube::Client, nodes: &[Object]) -> Result<Vec<Inverse>, KubernetesError> {
    let mut inverses = Vec::new();
    for object in nodes {
        cluster.check(client, &object.cluster).await?;
        let action = || format!("cordon {}", object.place());
        let gone = || KubernetesError::gone(action());
        let seen = change::node(client, object).await?.ok_or_else(gone)?;
        if change::is_cordoned(&seen) {
            let why = "it takes no new pods already, and not by this fault; uncordon it first, or pick another".into();
            return Err(KubernetesError::Refused { action: action(), status: 409, why });
        }
        let was = seen.spec.and_then(|spec| spec.unschedulable);
        inverses.push(Inverse::Schedulable { node: object.clone(), was });
    }
    Ok(inverses)
}

/// No new pod comes here from now on.
fn cordon(cluster: &Cluster, nodes: &[Object]) -> Result<(), KubernetesError> {
    cluster.ask(ANSWER, async |client| {
        for object in nodes {
            change::again(async || {
                let action = format!("cordon {}", object.place());
                let gone = || KubernetesError::gone(action);
                let seen = change::node(&client, object).await?.ok_or_else(gone)?;
                change::set_schedulable(&client, object, &seen, Some(true)).await
            })
            .await?;
        }
        Ok(())
    })
}

/// Whether the scheduler leaves a node out: by the taint that the cluster itself has put there.
fn is_left_out(node: &Node) -> bool {
    let taints = node.spec.as_ref().and_then(|spec| spec.taints.as_ref());
    change::is_cordoned(node) && taints.is_some_and(|taints| taints.iter().any(|taint| taint.key == TAINT))
}

/// Why the effect is absent, if it is.
async fn not_left_out(client: &kube::Client, nodes: &[Object]) -> Result<Option<String>, KubernetesError> {
    for object in nodes {
        match change::node(client, object).await? {
            None => return Ok(Some(format!("{} is gone", object.place()))),
            Some(node) if !change::is_cordoned(&node) => {
                return Ok(Some(format!("somebody has let {} take pods again", object.place())));
            }
            Some(node) if !is_left_out(&node) => {
                return Ok(Some(format!("the scheduler does not leave {} out yet", object.place())));
            }
            Some(_) => {}
        }
    }
    Ok(None)
}
