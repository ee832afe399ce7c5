//! What a pod may use of its node's processors.
//!
//! A kubelet gives the pod's cgroup a quota, in which a container that is added later lies, too, only where each of its
//! containers has a limit, or the pod itself. Where one has none, so has the pod, and whoever is added may use all of the node's.

use k8s_openapi::api::core::v1::{Container, PodSpec, ResourceRequirements};

/// Why a pod without a quota is not hit.
pub(super) const NO_QUOTA: &str = "not each of its containers has a limit of processors (`resources.limits.cpu`), so the pod has no quota: an \
                                   agent beside them would take the node's processors, and not theirs";

/// In thousandths of a processor; `None`: it has no quota.
pub(super) fn of(spec: &PodSpec) -> Option<u64> {
    if let Some(own) = limit(spec.resources.as_ref()) {
        return Some(own);
    }
    let each = |one: &Container| limit(one.resources.as_ref());
    let before: Vec<&Container> = spec.init_containers.iter().flatten().collect();
    let first = before.iter().map(|one| each(one)).collect::<Option<Vec<u64>>>()?;
    // One that is started again whenever it ends goes on beside the others.
    let beside = before.iter().zip(&first).filter(|(one, _)| one.restart_policy.as_deref() == Some("Always"));
    let beside: u64 = beside.map(|(_, limit)| limit).sum();
    let together = spec.containers.iter().map(each).sum::<Option<u64>>()? + beside;
    Some(first.into_iter().fold(together, u64::max)).filter(|limit| *limit > 0)
}

fn limit(resources: Option<&ResourceRequirements>) -> Option<u64> {
    thousandths(&resources?.limits.as_ref()?.get("cpu")?.0).filter(|limit| *limit > 0)
}

/// `200m`, `1.5`, `2`: as an API server writes it.
fn thousandths(quantity: &str) -> Option<u64> {
    if let Some(thousandths) = quantity.strip_suffix('m') {
        return thousandths.parse().ok();
    }
    let processors: f64 = quantity.parse().ok()?;
    (processors.is_finite() && processors >= 0.0).then_some((processors * 1e3).round() as u64)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn of_pod(containers: &[Option<&str>], init: &[(Option<&str>, bool)], own: Option<&str>) -> Option<u64> {
        let limits = |limit: &Option<&str>| limit.map_or(json!({}), |limit| json!({ "limits": { "cpu": limit } }));
        let containers: Vec<_> = containers.iter().map(|it| json!({ "name": "a", "resources": limits(it) })).collect();
        let one = |(limit, stays): &(Option<&str>, bool)| json!({ "name": "b", "resources": limits(limit), "restartPolicy": stays.then_some("Always") });
        let init: Vec<_> = init.iter().map(one).collect();
        let spec =
            json!({ "containers": containers, "initContainers": init, "resources": own.map(|own| limits(&Some(own))) });
        of(&serde_json::from_value(spec).unwrap())
    }

    #[test]
    fn a_pod_has_a_quota_where_each_container_has_a_limit() {
        assert_eq!(of_pod(&[Some("200m")], &[], None), Some(200));
        assert_eq!(of_pod(&[Some("200m"), Some("1.5")], &[], None), Some(1700));
        assert_eq!(of_pod(&[Some("1"), None], &[], None), None, "the other one may use all");
        assert_eq!(of_pod(&[Some("1")], &[(None, false)], None), None, "as kubelets have it");
        assert_eq!(of_pod(&[Some("1")], &[(Some("500m"), true), (Some("100m"), false)], None), Some(1500));
        assert_eq!(of_pod(&[Some("1")], &[(Some("3"), false)], None), Some(3000));
        assert_eq!(of_pod(&[None], &[], Some("2")), Some(2000), "the pod itself has one");
    }
}
