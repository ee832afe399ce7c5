//! One field of one container in the template by which a deployment makes its pods: looked at, changed, and put back.
//!
//! Everything goes as the JSON that the API server has, so that what brunt does not know of is not lost: the list of containers is
//! sent back whole, with the one field changed, tied to the version that was looked at.

use k8s_openapi::api::apps::v1::Deployment;
use kube::api::{DynamicObject, Patch, PatchParams};
use kube::core::ApiResource;
use kube::{Api, Client};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::inverse::Back;
use crate::{KubernetesError, MANAGER, Object, change};

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
    pub fn value(&self, found: &DynamicObject) -> Value {
        let containers = found.data["spec"]["template"]["spec"]["containers"].as_array();
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

fn api(client: &Client, object: &Object) -> Api<DynamicObject> {
    Api::namespaced_with(client.clone(), object.namespace(), &ApiResource::erase::<Deployment>(&()))
}

/// A deployment, if it is the one that was picked.
pub async fn get(client: &Client, object: &Object) -> Result<Option<DynamicObject>, KubernetesError> {
    let found = api(client, object).get_opt(&object.name).await;
    let found = found.map_err(|error| KubernetesError::of(format!("get {}", object.place()), error))?;
    Ok(found.filter(|found| found.metadata.uid.as_deref() == Some(&object.uid)))
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
pub async fn set(
    client: &Client,
    field: &Field,
    seen: &DynamicObject,
    to: &Value,
    way: Way,
) -> Result<DynamicObject, KubernetesError> {
    let action = || format!("change {}", field.place());
    let mut containers = seen.data["spec"]["template"]["spec"]["containers"].clone();
    let all = containers.as_array_mut().into_iter().flatten();
    let Some(container) = all.filter_map(Value::as_object_mut).find(|one| one["name"] == *field.container) else {
        return Err(KubernetesError::Missing { action: action(), why: "there is no such container".into() });
    };
    match to {
        Value::Null => drop(container.remove(&field.name)),
        value => drop(container.insert(field.name.clone(), value.clone())),
    }
    let wanted = json!({ "spec": { "template": { "spec": { "containers": containers } } } });
    let wanted = change::tied(&seen.metadata, wanted);
    let how = PatchParams { field_manager: Some(MANAGER.into()), dry_run: way == Way::Try, ..PatchParams::default() };
    let changed = api(client, &field.deployment).patch(&field.deployment.name, &how, &Patch::Merge(&wanted)).await;
    changed.map_err(|error| KubernetesError::of(action(), error))
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
        let found: DynamicObject = serde_json::from_value(found).unwrap();
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
}
