//! Nodes: the one that `node:` names, or those on which the pods of a target run.

use std::collections::BTreeSet;
use std::net::IpAddr;

use brunt_scenario::plan::PodMatch;
use k8s_openapi::api::core::v1::Node;
use kube::api::ListParams;
use kube::{Api, Client};

use super::{Candidate, EXEMPT, pod};
use crate::KubernetesError;
use crate::own::is_own;

/// What nodes carry on which the control plane runs.
const CONTROL_PLANE: [&str; 2] = ["node-role.kubernetes.io/control-plane", "node-role.kubernetes.io/master"];

/// The label that says where a node stands.
const ZONE: &str = "topology.kubernetes.io/zone";

/// The names of the nodes of a zone. Nodes seldom move, so what the API server has at hand will do, and no page is needed.
pub(crate) async fn of_zone(client: &Client, zone: &str) -> Result<BTreeSet<String>, KubernetesError> {
    let asked = ListParams::default().labels(&format!("{ZONE}={zone}")).match_any();
    let found = Api::<Node>::all(client.clone()).list_metadata(&asked).await;
    let found = found.map_err(|error| KubernetesError::of(format!("list the nodes of the zone `{zone}`"), error))?;
    Ok(found.items.into_iter().filter_map(|node| node.metadata.name).collect())
}

/// Those that are meant. Where none is named, the control plane's are never.
pub(super) async fn of(client: &Client, namespace: &str, wanted: &PodMatch) -> Result<Vec<Candidate>, KubernetesError> {
    let nodes: Api<Node> = Api::all(client.clone());
    let names: BTreeSet<String> = match (&wanted.node, &wanted.zone) {
        (Some(node), _) => BTreeSet::from([node.clone()]),
        (None, Some(zone)) if wanted.is_whole_zone() => of_zone(client, zone).await?,
        _ => pod::list(client, namespace, wanted).await?.into_iter().filter_map(|pod| pod.node).collect(),
    };
    let mut found = Vec::new();
    for name in names {
        let node = nodes.get_opt(&name).await;
        let node = node.map_err(|error| KubernetesError::of(format!("get node {name}"), error))?;
        found.extend(node.map(|node| candidate(node, wanted.node.is_some())));
    }
    Ok(found)
}

fn candidate(node: Node, is_named: bool) -> Candidate {
    let labels = node.metadata.labels.unwrap_or_default();
    let addresses = node.status.and_then(|status| status.addresses).unwrap_or_default();
    let addresses = addresses.iter().filter_map(|one| one.address.parse::<IpAddr>().ok());
    let protected = if addresses.into_iter().any(is_own) {
        Some("brunt itself runs on it")
    } else if !is_named && CONTROL_PLANE.iter().any(|label| labels.contains_key(*label)) {
        Some("the control plane runs on it; name it with `node:` if that is meant")
    } else {
        None
    };
    Candidate {
        name: node.metadata.name.unwrap_or_default(),
        uid: node.metadata.uid.unwrap_or_default(),
        exempt: labels.get(EXEMPT).is_some_and(|value| value == "true"),
        protected: protected.map(str::to_owned),
        down: node.metadata.deletion_timestamp.map(|_| "is being deleted".to_owned()),
        ..Candidate::default()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn node(labels: serde_json::Value, address: &str, is_named: bool) -> Candidate {
        let node = json!({
            "metadata": {"name": "n2", "uid": "u", "labels": labels},
            "status": {"addresses": [{"type": "Hostname", "address": "n2"}, {"type": "InternalIP", "address": address}]}
        });
        candidate(serde_json::from_value(node).unwrap(), is_named)
    }

    #[test]
    fn the_control_plane_is_hit_only_by_its_name_and_the_node_of_brunt_never() {
        let control = json!({"node-role.kubernetes.io/control-plane": ""});
        assert!(node(control.clone(), "192.0.2.1", false).protected.is_some_and(|why| why.contains("control plane")));
        assert_eq!(node(control, "192.0.2.1", true).protected, None);
        assert_eq!(node(json!({}), "192.0.2.1", false).protected, None);
        assert_eq!(node(json!({}), "127.0.0.1", true).protected.as_deref(), Some("brunt itself runs on it"));
    }

    #[test]
    fn a_node_can_opt_out() {
        assert!(node(json!({"brunt/exempt": "true"}), "192.0.2.1", true).exempt);
    }
}
