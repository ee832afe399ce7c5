//! Nodes that are to take no new pods: told so, looked at, and what lets them again.

use k8s_openapi::api::core::v1::Node;
use kube::Client;

use crate::inverse::Inverse;
use crate::{ANSWER, Asking, Cluster, KubernetesError, Object, change};

/// What the cluster itself puts on a node that takes no new pods; its scheduler goes by this.
const TAINT: &str = "node.kubernetes.io/unschedulable";

/// What lets these nodes take pods again, if all of them do now.
///
/// # Errors
/// [`KubernetesError::Refused`] if one takes none already; one is gone, or the cluster does not answer or is another one.
pub fn inverses<'a>(cluster: &'a Cluster, client: &'a Client, nodes: &'a [Object]) -> Asking<'a, Vec<Inverse>> {
    Box::pin(async move {
        let mut inverses = Vec::new();
        for object in nodes {
            cluster.check(client, &object.cluster).await?;
            let action = || format!("cordon {}", object.place());
            let gone = || KubernetesError::gone(action());
            let seen = change::node(client, object).await?.ok_or_else(gone)?;
            if change::is_cordoned(&seen) {
                let why =
                    "it takes no new pods already, and not by this fault; uncordon it first, or pick another".into();
                return Err(KubernetesError::Refused { action: action(), status: 409, why });
            }
            let was = seen.spec.and_then(|spec| spec.unschedulable);
            inverses.push(Inverse::Schedulable { node: object.clone(), was });
        }
        Ok(inverses)
    })
}

/// No new pod comes here from now on.
///
/// # Errors
/// One is gone, or the cluster does not take it.
pub fn cordon(cluster: &Cluster, nodes: &[Object]) -> Result<(), KubernetesError> {
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

/// Why one of these nodes may still get pods, if so.
pub fn not_left_out<'a>(client: &'a Client, nodes: &'a [Object]) -> Asking<'a, Option<String>> {
    Box::pin(async move {
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
    })
}
