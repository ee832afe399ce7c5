//! Pods as the other end of packets: the addresses at which they are met.
//!
//! Whoever calls a Service sends to the Service's address and has the answers from there: which pod stands behind it is put in on
//! the way, outside of the caller's network (kube-proxy), or as the caller connects (Cilium). So both are meant: the addresses of the
//! pods, and those of the Services that lead to one of them (rule 11). What such a Service leads to beside them is met there, too.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use brunt_scenario::plan::PodMatch;
use k8s_openapi::api::core::v1::Service;
use kube::api::ListParams;
use kube::{Api, Client};

use super::pod;
use crate::KubernetesError;

/// In no order that means anything, each once; none where no pod runs.
pub(super) async fn addresses(
    client: &Client,
    namespace: &str,
    wanted: &PodMatch,
) -> Result<Vec<IpAddr>, KubernetesError> {
    let mut pods = pod::list(client, namespace, wanted).await?;
    // One that is ending still has its last words to say.
    pods.retain(|pod| pod.phase == "Running");
    let services = Api::<Service>::namespaced(client.clone(), namespace).list(&ListParams::default()).await;
    let services = services.map_err(|error| KubernetesError::of("list services", error))?;
    let own = pods.iter().flat_map(|pod| pod.addresses.iter().copied());
    let leading = services.items.iter().filter(|service| pods.iter().any(|pod| leads_to(service, &pod.labels)));
    Ok(own.chain(leading.flat_map(of_service)).collect::<BTreeSet<_>>().into_iter().collect())
}

/// Whether a Service picks pods with these labels. One without a selector picks none: somebody writes down by hand where it leads.
fn leads_to(service: &Service, labels: &BTreeMap<String, String>) -> bool {
    let selector = service.spec.as_ref().and_then(|spec| spec.selector.as_ref());
    selector.is_some_and(|selector| {
        !selector.is_empty() && selector.iter().all(|(name, value)| labels.get(name) == Some(value))
    })
}

/// Of both families; a Service without an address (`clusterIP: None`) leads by the names of its pods.
fn of_service(service: &Service) -> impl Iterator<Item = IpAddr> {
    let spec = service.spec.as_ref();
    let all =
        spec.into_iter().flat_map(|spec| spec.cluster_ips.iter().flatten().chain(spec.external_ips.iter().flatten()));
    all.filter_map(|address| address.parse().ok())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn service(selector: &serde_json::Value, addresses: &[&str]) -> Service {
        serde_json::from_value(json!({ "spec": { "selector": selector, "clusterIPs": addresses } })).unwrap()
    }

    #[test]
    fn a_service_leads_to_pods_with_all_labels_that_it_asks_for_and_one_that_asks_for_none_leads_to_none() {
        let labels =
            BTreeMap::from([("app", "payments"), ("tier", "back")].map(|(name, value)| (name.into(), value.into())));
        let leads = |selector| leads_to(&service(&selector, &[]), &labels);
        assert!(leads(json!({ "app": "payments" })));
        assert!(leads(json!({ "app": "payments", "tier": "back" })));
        assert!(!leads(json!({ "app": "payments", "tier": "front" })));
        assert!(!leads(json!({ "app": "orders" })));
        assert!(!leads(json!({})));
        assert!(!leads_to(&Service::default(), &labels));
    }

    #[test]
    fn a_service_has_an_address_of_each_family_or_none() {
        let of = |addresses: &[&str]| -> Vec<IpAddr> { of_service(&service(&json!({}), addresses)).collect() };
        let [v4, v6]: [IpAddr; 2] = ["192.0.2.10", "2001:db8::10"].map(|address| address.parse().unwrap());
        assert_eq!(of(&["192.0.2.10", "2001:db8::10"]), [v4, v6]);
        assert_eq!(of(&["None"]), [] as [IpAddr; 0]);
    }
}
