//! `deployment.image`, `deployment.config`, `deployment.limits`: other pods than before, by another template, rolled out while
//! load goes on, and rolled back: undone by giving the template the field back that it had.
//!
//! The service feels a rollout, and then pods with another image (a bad version, or a good one), with other environment
//! variables, or with less processor and memory; a second rollout at the end. How fast either goes is up to the deployment's
//! strategy. A version that never gets ready is rolled out as far as that strategy lets it.
//!
//! Before anything is changed the API server is asked what it would make of it (`dryRun=All`): what admission refuses is
//! refused then, and what is stored is known, so that the undo can tell brunt's change from somebody else's. Rights: get and
//! patch of deployments, list of pods. Verified by a pod of the deployment that has it, by its kubelet's account.

use std::collections::BTreeMap;

use brunt_kubernetes::inverse::Inverse;
use brunt_kubernetes::template::{self, Field, Found, Made, Way};
use brunt_kubernetes::{ANSWER, Client, Cluster, KubernetesError, Object, change};
use brunt_scenario::plan::{Fault as PlannedFault, ParamValue};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::is_another;
use crate::error::Error;
use crate::fault::link::text;
use crate::fault::looking::Looking;
use crate::fault::put_back::put_all_back;
use crate::fault::{Change, Elsewhere, Fault, Reverted, Seen, Undo};

/// What becomes of a container.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wanted {
    /// Which one; `None`: the only one.
    pub container: Option<String>,
    /// What of it.
    pub what: What,
}

/// What of a container changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum What {
    /// Its image.
    Image(String),
    /// Environment variables: these get these values, others stay.
    Environment(Vec<(String, String)>),
    /// By resource (`cpu`, `memory`), as the API takes it: it may use so much. Others stay.
    Limits(BTreeMap<String, String>),
}

/// Reads the parameters; `None` if it is another kind.
///
/// # Errors
/// What does not make sense.
pub fn order(fault: &PlannedFault) -> Result<Option<Wanted>, Error> {
    let unfit = |why: &str| Error::Unfit { kind: fault.kind.into(), why: why.into() };
    let text = |name: &str| text(fault.kind, &fault.with, name);
    let what = match fault.kind {
        "deployment.image" => What::Image(text("image")?.ok_or_else(|| unfit("`image` must be given"))?),
        "deployment.config" => match fault.with.0.get("set") {
            Some(ParamValue::Pairs(pairs)) if !pairs.is_empty() => What::Environment(pairs.clone()),
            _ => return Err(unfit("`set` names at least one variable")),
        },
        "deployment.limits" => {
            let memory = fault.with.number("memory").map(|bytes| bytes.to_string());
            let given = [("cpu", text("cpu")?), ("memory", memory)];
            let limits: BTreeMap<String, String> =
                given.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect();
            if limits.is_empty() {
                return Err(unfit("give `cpu` or `memory`, or both"));
            }
            What::Limits(limits)
        }
        _ => return Ok(None),
    };
    Ok(Some(Wanted { container: text("container")?, what }))
}

impl What {
    /// The key of the container.
    fn field(&self) -> &'static str {
        match self {
            Self::Image(_) => "image",
            Self::Environment(_) => "env",
            Self::Limits(_) => "resources",
        }
    }

    /// What becomes of the field that was this.
    fn made_of(&self, was: &Value) -> Value {
        match self {
            Self::Image(image) => json!(image),
            Self::Environment(variables) => {
                let mut all = was.as_array().cloned().unwrap_or_default();
                all.retain(|one| !variables.iter().any(|(name, _)| one["name"] == *name));
                all.extend(variables.iter().map(|(name, value)| json!({ "name": name, "value": value })));
                Value::Array(all)
            }
            Self::Limits(limits) => with(was, "limits", limits),
        }
    }

    /// The same, where what a container asks for may not be more than what it may use.
    fn made_of_with_requests(&self, was: &Value) -> Option<Value> {
        let Self::Limits(limits) = self else { return None };
        let asked = was["requests"].as_object()?;
        let lower = limits.iter().filter(|(name, _)| asked.contains_key(*name));
        let lower: BTreeMap<_, _> = lower.map(|(name, value)| (name.clone(), value.clone())).collect();
        Some(with(&self.made_of(was), "requests", &lower))
    }

    /// Whether a pod has what the template says by now. Of resources the limits count, for requests are filled in.
    fn is_in(&self, container: &Value, is: &Value) -> bool {
        let now = &container[self.field()];
        match self {
            Self::Limits(_) => now["limits"] == is["limits"],
            _ => now == is,
        }
    }
}

fn with(was: &Value, key: &str, values: &BTreeMap<String, String>) -> Value {
    let mut all = was.as_object().cloned().unwrap_or_default();
    let entry = all.entry(key).or_insert_with(|| json!({}));
    for (name, value) in values {
        entry[name] = json!(value);
    }
    Value::Object(all)
}

/// See the module.
pub struct Template {
    cluster: Cluster,
    deployment: Object,
    wanted: Wanted,
    inverse: Option<(Field, Value, Value)>,
    looking: Option<Looking>,
    injected: bool,
}

impl Template {
    pub(super) fn new(cluster: Cluster, deployment: Object, wanted: Wanted) -> Self {
        Self { cluster, deployment, wanted, inverse: None, looking: None, injected: false }
    }

    fn inverses(&self) -> Vec<Inverse> {
        let of = |(field, was, is): (Field, Value, Value)| Inverse::Template { field, was, is };
        self.inverse.clone().map(of).into_iter().collect()
    }
}

/// The container that is meant: by its name, or the only one.
fn container(spec: &Value, wanted: &Wanted, place: &str) -> Result<String, String> {
    let containers = spec["template"]["spec"]["containers"].as_array();
    let names: Vec<&str> = containers.into_iter().flatten().filter_map(|one| one["name"].as_str()).collect();
    match (&wanted.container, names.as_slice()) {
        (None, [only]) => Ok((*only).to_owned()),
        (Some(name), _) if names.contains(&name.as_str()) => Ok(name.clone()),
        (Some(name), _) => Err(format!("{place} has no container `{name}`, only {}", names.join(", "))),
        (None, _) => Err(format!("{place} has the containers {}: name one with `container`", names.join(", "))),
    }
}

/// Why there would be nothing to roll out.
fn stands_still(spec: &Value, object: &Object) -> Option<String> {
    if spec["paused"] == true {
        let resume = format!("`kubectl rollout resume {}`", object.by_hand());
        return Some(format!("{} is paused, so it would not be rolled out; {resume} first", object.place()));
    }
    (spec["replicas"] == 0).then(|| format!("{} has no replicas, so nothing would be rolled out", object.place()))
}

/// What the API server would store.
async fn foreseen(client: &Client, field: &Field, seen: &Found, what: &What) -> Result<Value, KubernetesError> {
    let was = field.value(seen);
    let tried = template::set(client, field, seen, &what.made_of(&was), Way::Try).await;
    let tried = match (tried, what.made_of_with_requests(&was)) {
        // A container must not ask for more than it may use.
        (Err(KubernetesError::Refused { status: 422, .. }), Some(lower)) => {
            template::set(client, field, seen, &lower, Way::Try).await
        }
        (tried, _) => tried,
    };
    Ok(field.value(&tried?))
}

fn look(
    cluster: Cluster,
    (field, is): (Field, Value),
    what: What,
) -> impl FnMut() -> Result<Seen, KubernetesError> + Send + 'static {
    move || {
        cluster.ask(ANSWER, async |client| {
            let object = &field.deployment;
            let Some(found) = template::get(&client, object).await? else {
                return Ok(Seen::Absent(format!("{} is gone", object.place())));
            };
            if field.value(&found) != is {
                return Ok(Seen::Absent(format!("somebody else has changed {}", field.place())));
            }
            let pods = template::pods(&client, &field, &found).await?;
            Ok(judge(&pods, &field, &is, &what))
        })
    }
}

/// By the pods that a kubelet has taken, and what it says of them.
fn judge(pods: &[Made], field: &Field, is: &Value, what: &What) -> Seen {
    let with_it = pods.iter().filter(|pod| pod.container.as_ref().is_some_and(|container| what.is_in(container, is)));
    let (mut new, mut taken, mut ready) = (0, 0, 0);
    for pod in with_it {
        new += 1;
        taken += usize::from(pod.taken);
        ready += usize::from(pod.ready);
    }
    let place = field.deployment.place();
    if taken == 0 {
        return Seen::Absent(format!(
            "{new} of {} pods of {place} are of the new template, and none is started",
            pods.len()
        ));
    }
    Seen::Yes(format!("{taken} of {} pods of {place} have the new `{}`, {ready} of them ready", pods.len(), field.name))
}

impl Fault<Elsewhere> for Template {
    fn prepare(&mut self, _: &mut Elsewhere) -> Result<Vec<Undo>, Error> {
        let (cluster, object, wanted) = (&self.cluster, &self.deployment, &self.wanted);
        let prepared = cluster.ask(ANSWER, async |client| {
            cluster.check(&client, &object.cluster).await?;
            let Some(seen) = template::get(&client, object).await? else { return Ok(None) };
            if let Some(why) = stands_still(seen.spec(), object) {
                return Ok(Some(Err(why)));
            }
            let container = match container(seen.spec(), wanted, &object.place()) {
                Ok(container) => container,
                Err(why) => return Ok(Some(Err(why))),
            };
            let field = Field { deployment: object.clone(), container, name: wanted.what.field().into() };
            let was = field.value(&seen);
            let is = foreseen(&client, &field, &seen, &wanted.what).await?;
            if is == was {
                return Ok(Some(Err(format!("{} is that already; nothing would change", field.place()))));
            }
            Ok(Some(Ok((field, was, is))))
        })?;
        self.inverse = Some(prepared.ok_or_else(|| is_another(object))?.map_err(Error::Refused)?);
        Ok(self.inverses().into_iter().map(|inverse| Undo::Cluster { inverse: Box::new(inverse) }).collect())
    }

    fn inject(&mut self, _: &mut Elsewhere, change: Change) -> Result<(), Error> {
        let Some((field, was, is)) = &self.inverse else { return Ok(()) };
        if self.injected || change == Change::Skip {
            return Ok(());
        }
        self.injected = true;
        self.looking =
            Some(Looking::new(look(self.cluster.clone(), (field.clone(), is.clone()), self.wanted.what.clone())));
        let changed = self.cluster.ask(ANSWER, async |client| {
            change::again(async || {
                let action = || format!("change {}", field.place());
                let gone = || KubernetesError::gone(action());
                let seen = template::get(&client, &field.deployment).await?.ok_or_else(gone)?;
                if field.value(&seen) != *was {
                    let why = "it is not what it was a moment ago: somebody else is at it".into();
                    return Err(KubernetesError::Refused { action: action(), status: 409, why });
                }
                template::set(&client, field, &seen, is, Way::Make).await
            })
            .await
        });
        changed.map(drop).map_err(Error::from)
    }

    fn verify(&mut self, _: &mut Elsewhere) -> Result<Seen, Error> {
        let nothing = || Ok(Seen::Absent("nothing was changed".into()));
        self.looking.as_mut().map_or_else(nothing, Looking::seen)
    }

    fn revert(&mut self, _: &mut Elsewhere) -> Reverted {
        let nothing = || Seen::Absent("nothing was changed".into());
        let mut reverted = Reverted::nothing(self.looking.as_mut().map_or_else(nothing, Looking::at_last));
        if self.injected {
            let place = self.deployment.place();
            reverted
                .residue
                .push(format!("the pods of {place} were made anew, and are once more: its revisions count both"));
        }
        let inverses = self.inverses();
        put_all_back(&self.cluster, &inverses, &mut self.injected, reverted)
    }
}

#[cfg(test)]
mod tests;
