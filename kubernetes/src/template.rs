//! One field of one container in the template by which a deployment makes its pods: looked at, changed, and put back.
//!
//! Everything goes as the JSON that the API server has, so that what brunt does not know of is not lost: the list of containers is
//! sent back whole, with the one field changed, tied to the version that was looked at.

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{ContainerState, Pod};
use kube::api::{DynamicObject, ListParams, Patch, PatchParams};
use kube::core::ApiResource;
use kube::{Api, Client};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::inverse::Back;
use crate::{Asking, KubernetesError, MANAGER, Object, change};

/// Where it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Field {
    /// The deployment.
    pub deployment: Object,
    /// The container, by its name.
    pub container: String,
    /// `image`, `resources`, `env`.
    pub name: String,
}

impl Field {
    /// What it is and where: ``the `image` of the container `web` of deployment shop/payment``.
    pub fn place(&self) -> String {
        let Self { deployment, container, name } = self;
        format!("the `{name}` of the container `{container}` of {}", deployment.place())
    }

    /// What it is in that deployment; null where it is not there.
    pub fn value(&self, found: &Found) -> Value {
        let containers = found.spec()["template"]["spec"]["containers"].as_array();
        let container = containers.into_iter().flatten().find(|one| one["name"] == *self.container);
        container.map_or(Value::Null, |container| container[&self.name].clone())
    }

    /// What a person would type to give it that value.
    pub fn by_hand(&self, value: &Value) -> String {
        let mut container = json!({ "name": self.container });
        container[&self.name] = value.clone();
        // Lists are otherwise merged with what is there, by the name of each entry; a mapping key by key.
        if value.is_object() {
            container[&self.name]["$patch"] = json!("replace");
        } else if let Some(entries) = container[&self.name].as_array_mut() {
            entries.push(json!({ "$patch": "replace" }));
        }
        let patch = json!({ "spec": { "template": { "spec": { "containers": [container] } } } });
        format!("`kubectl patch {} --patch '{patch}'`", self.deployment.by_hand())
    }
}

/// A deployment as the API server has it, with what brunt does not know of.
#[derive(Debug, Clone)]
pub struct Found(DynamicObject);

impl Found {
    /// What it should be.
    pub fn spec(&self) -> &Value {
        &self.0.data["spec"]
    }
}

/// A pod of the deployment that nobody has told to end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Made {
    /// What it was made with: the container of the field, if it has that.
    pub container: Option<Value>,
    /// Its kubelet has done something about that container.
    pub taken: bool,
    /// It takes requests.
    pub ready: bool,
}

impl Made {
    /// `None`: it was told to end.
    fn of(pod: &Pod, container: &str) -> Option<Self> {
        if pod.metadata.deletion_timestamp.is_some() {
            return None;
        }
        let spec = serde_json::to_value(&pod.spec).unwrap_or_default();
        let mut containers = spec["containers"].as_array().into_iter().flatten();
        let made = containers.find(|one| one["name"] == *container).cloned();
        let statuses = pod.status.as_ref().and_then(|status| status.container_statuses.as_ref());
        let own = statuses.into_iter().flatten().find(|one| one.name == container);
        let state = own.and_then(|own| own.state.as_ref());
        // Until it has done something about the container, its kubelet only says that it will.
        let only_planned = |state: &ContainerState| {
            let why = state.waiting.as_ref().and_then(|waiting| waiting.reason.as_deref());
            matches!(why, Some("ContainerCreating" | "PodInitializing"))
        };
        let taken = state.is_some_and(|state| !only_planned(state));
        Some(Self { container: made, taken, ready: own.is_some_and(|own| own.ready) })
    }
}

/// The pods that the deployment has made.
pub fn pods<'a>(client: &'a Client, field: &'a Field, found: &'a Found) -> Asking<'a, Vec<Made>> {
    Box::pin(async move {
        let labels = found.spec()["selector"]["matchLabels"].as_object().into_iter().flatten();
        let labels: Vec<String> =
            labels.map(|(name, value)| format!("{name}={}", value.as_str().unwrap_or_default())).collect();
        let pods: Api<Pod> = Api::namespaced(client.clone(), field.deployment.namespace());
        let listed = pods.list(&ListParams::default().labels(&labels.join(","))).await;
        let listed = listed.map_err(|error| KubernetesError::of("list pods", error))?;
        Ok(listed.items.iter().filter_map(|pod| Made::of(pod, &field.container)).collect())
    })
}

fn api(client: &Client, object: &Object) -> Api<DynamicObject> {
    Api::namespaced_with(client.clone(), object.namespace(), &ApiResource::erase::<Deployment>(&()))
}

/// A deployment, if it is the one that was picked.
pub fn get<'a>(client: &'a Client, object: &'a Object) -> Asking<'a, Option<Found>> {
    Box::pin(async move {
        let found = api(client, object).get_opt(&object.name).await;
        let found = found.map_err(|error| KubernetesError::of(format!("get {}", object.place()), error))?;
        Ok(found.filter(|found| found.metadata.uid.as_deref() == Some(&object.uid)).map(Found))
    })
}

/// Whether a change is made, or only what the API server would make of it is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// It is made.
    Make,
    /// With all that admits changes, and with defaults filled in.
    Try,
}

/// Changes the field in the deployment as it was looked at; null takes it away.
///
/// # Errors
/// [`KubernetesError::Changed`] if it is another version by now, [`KubernetesError::Refused`] for what it must not be.
pub fn set<'a>(client: &'a Client, field: &'a Field, seen: &'a Found, to: &'a Value, way: Way) -> Asking<'a, Found> {
    Box::pin(async move {
        let action = || format!("change {}", field.place());
        let mut containers = seen.spec()["template"]["spec"]["containers"].clone();
        let all = containers.as_array_mut().into_iter().flatten();
        let Some(container) = all.filter_map(Value::as_object_mut).find(|one| one["name"] == *field.container) else {
            return Err(KubernetesError::Missing { action: action(), why: "there is no such container".into() });
        };
        match to {
            Value::Null => drop(container.remove(&field.name)),
            value => drop(container.insert(field.name.clone(), value.clone())),
        }
        let wanted = json!({ "spec": { "template": { "spec": { "containers": containers } } } });
        let wanted = change::tied(&seen.0.metadata, wanted);
        let how =
            PatchParams { field_manager: Some(MANAGER.into()), dry_run: way == Way::Try, ..PatchParams::default() };
        let changed = api(client, &field.deployment).patch(&field.deployment.name, &how, &Patch::Merge(&wanted)).await;
        changed.map(Found).map_err(|error| KubernetesError::of(action(), error))
    })
}

/// Gives the field back what it `was`, if it still is what brunt has made of it.
pub(super) async fn put_back(client: &Client, field: &Field, was: &Value, is: &Value) -> Result<Back, KubernetesError> {
    let place = field.place();
    change::again(async || {
        let Some(seen) = get(client, &field.deployment).await? else {
            let Object { uid, .. } = &field.deployment;
            return Ok(Back::Left(format!("{} (uid {uid}) is gone, so it was left alone", field.deployment.place())));
        };
        let now = field.value(&seen);
        if now == *was {
            return Ok(Back::AsBefore(format!("{place} is as before")));
        }
        if now != *is {
            let by_hand = field.by_hand(was);
            return Ok(Back::Left(format!(
                "{place} is {now} by now: brunt had set {is}; somebody else has changed it, so it was left alone; {by_hand} would \
                 give it what it had"
            )));
        }
        set(client, field, &seen, was, Way::Make).await?;
        Ok(Back::Restored(format!("{place} is as before again, and its pods are made anew")))
    })
    .await
}

#[cfg(test)]
mod tests {
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

    use super::*;
    use crate::{Identity, Kind};

    fn field(name: &str) -> Field {
        let cluster = Identity { context: Some("lab".into()), files: Vec::new(), uid: "c".into() };
        let deployment = Object::new(Kind::Deployment, Some("shop".into()), "pay".into(), "u".into(), cluster);
        Field { deployment, container: "web".into(), name: name.into() }
    }

    #[test]
    fn a_field_is_that_of_the_container_with_the_name() {
        let containers = json!([{ "name": "log", "image": "log:1" }, { "name": "web", "image": "web:1" }]);
        let found = json!({
            "apiVersion": "apps/v1", "kind": "Deployment", "metadata": { "name": "pay" },
            "spec": { "template": { "spec": { "containers": containers } } }
        });
        let found = Found(serde_json::from_value(found).unwrap());
        assert_eq!(field("image").value(&found), "web:1");
        assert_eq!(field("env").value(&found), Value::Null);
    }

    #[test]
    fn a_person_would_replace_the_whole_field() {
        let image = field("image").by_hand(&json!("web:1"));
        let start = "`kubectl patch --context lab --namespace shop deployment/pay --patch '";
        assert!(image.starts_with(start) && image.contains(r#"{"image":"web:1","name":"web"}"#), "{image}");
        let env = field("env").by_hand(&json!([{ "name": "A", "value": "1" }]));
        assert!(env.contains(r#"{"$patch":"replace"}"#), "{env}");
        let resources = field("resources").by_hand(&json!({ "limits": { "cpu": "1" } }));
        assert!(resources.contains(r#""$patch":"replace""#), "{resources}");
    }

    /// A pod with this container `web`, in that state.
    fn pod(state: &Value) -> Pod {
        let status = json!({
            "name": "web", "image": "web:2", "imageID": "", "ready": true, "restartCount": 0, "state": state
        });
        let containers = json!([{ "name": "log", "image": "log:1" }, { "name": "web", "image": "web:2" }]);
        let pod = json!({
            "metadata": {}, "spec": { "containers": containers }, "status": { "containerStatuses": [status] }
        });
        serde_json::from_value(pod).unwrap()
    }

    #[test]
    fn a_pod_counts_once_its_kubelet_has_acted_on_the_container_and_no_more_once_it_is_told_to_end() {
        let taken = |state: Value| Made::of(&pod(&state), "web").unwrap().taken;
        assert!(!taken(json!({ "waiting": { "reason": "ContainerCreating" } })));
        // A version that cannot be had is rolled out, too.
        assert!(taken(json!({ "waiting": { "reason": "ErrImagePull" } })));
        let mut running = pod(&json!({ "running": { "startedAt": "2026-01-01T00:00:00Z" } }));
        let made = Made::of(&running, "web").unwrap();
        assert!(made.taken && made.ready && made.container.is_some_and(|it| it["image"] == "web:2"));
        let other = Made::of(&running, "db").unwrap();
        assert_eq!(other, Made { container: None, taken: false, ready: false });
        running.metadata.deletion_timestamp = Some(Time("2026-01-01T00:00:00Z".parse().unwrap()));
        assert_eq!(Made::of(&running, "web"), None);
    }
}
