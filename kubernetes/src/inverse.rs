//! What puts a change of an object back: data that stands in the journal before the change is made, so that it still works
//! when the process that made the change is gone.
//!
//! A cluster has other hands than ours. Each inverse first looks at what is there: the object must be the one that was
//! changed (UID), the field must still hold what brunt wrote, and the write carries the version that was looked at, so that
//! nothing that happens in between is lost. What somebody else has changed meanwhile is left alone and told.

use std::fmt;

use kube::Client;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::change::{
    again, autoscaler, deployment, images, is_cordoned, node, pod, replicas_of, scale, set_images, set_schedulable,
};
use crate::quota::{self, Quota};
use crate::template::{self, Field};
use crate::{ANSWER, Cluster, KubernetesError, Object, job};

/// See the module.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Inverse {
    /// A deployment gets its number of replicas back.
    Replicas {
        /// Which one.
        deployment: Object,
        /// What it had.
        from: i32,
        /// What brunt sets.
        to: i32,
    },
    /// A node takes new pods again.
    Schedulable {
        /// Which one.
        node: Object,
        /// What `spec.unschedulable` was; most often it is not there at all.
        was: Option<bool>,
    },
    /// The containers of a pod get their images back.
    Images {
        /// Which one.
        pod: Object,
        /// What each container had, by its name.
        were: Vec<(String, String)>,
        /// What brunt sets.
        are: String,
    },
    /// The job whose pods send the load of a run goes, and they with it.
    Workers {
        /// Which one. It stands here before it is made, so it has no UID.
        job: Object,
        /// The run, which its label must name.
        run_id: String,
    },
    /// A namespace loses the quota that brunt makes.
    Quota {
        /// Which one.
        quota: Quota,
    },
    /// A field of the template of a deployment becomes what it was.
    Template {
        /// Which one.
        field: Field,
        /// What it was; null: it was not there.
        was: Value,
        /// What the API server makes of what brunt sets.
        is: Value,
    },
}

/// What came of putting it back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Back {
    /// It is as it was before, in words.
    Restored(String),
    /// It was as before already, in words.
    AsBefore(String),
    /// Somebody else has changed it, or it is gone: it was left alone. With what a person may do.
    Left(String),
}

impl fmt::Display for Back {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self::Restored(text) | Self::AsBefore(text) | Self::Left(text)) = self;
        f.write_str(text)
    }
}

impl Inverse {
    /// The object that it puts right.
    pub fn object(&self) -> &Object {
        match self {
            Self::Replicas { deployment, .. } => deployment,
            Self::Schedulable { node, .. } => node,
            Self::Images { pod, .. } => pod,
            Self::Workers { job, .. } => job,
            Self::Quota { quota } => &quota.namespace,
            Self::Template { field, .. } => &field.deployment,
        }
    }

    /// What it would do, for who asks first.
    pub fn in_words(&self) -> String {
        let object = self.object();
        match self {
            Self::Replicas { from, to, .. } => {
                format!("give {} its {from} replicas back, if it still has {to} ({})", object.place(), object.cluster)
            }
            Self::Images { .. } => format!("give {} its images back ({})", object.place(), object.cluster),
            Self::Quota { quota } => format!("take {} away ({})", quota.place(), object.cluster),
            Self::Template { field, was, .. } => {
                format!("make {} {was} again, if it is what brunt has set ({})", field.place(), object.cluster)
            }
            Self::Schedulable { .. } => format!("let {} take new pods again ({})", object.place(), object.cluster),
            Self::Workers { .. } => format!("delete {}, if it is still there ({})", object.place(), object.cluster),
        }
    }

    /// What a person would type.
    pub fn by_hand(&self) -> String {
        match self {
            Self::Replicas { deployment, from, .. } => {
                format!("`kubectl scale {} --replicas {from}`", deployment.by_hand())
            }
            Self::Images { pod, were, .. } => {
                let images: Vec<String> = were.iter().map(|(name, image)| format!("{name}={image}")).collect();
                format!("`kubectl set image {} {}`", pod.by_hand(), images.join(" "))
            }
            Self::Quota { quota } => quota.by_hand(),
            Self::Template { field, was, .. } => field.by_hand(was),
            Self::Schedulable { node, .. } => {
                format!("`kubectl uncordon{} {}`", node.cluster.option(), node.name)
            }
            Self::Workers { job, .. } => format!("`kubectl delete {}`", job.by_hand()),
        }
    }

    /// Puts it back without the fault that made the change: for `cleanup`, and for the runner when its agent is gone. In
    /// sentences: what was done, or what a person must do.
    pub fn apply(&self) -> Result<String, String> {
        let cluster = Cluster::again(&self.object().cluster);
        let back = cluster.and_then(|cluster| self.put_back(&cluster));
        back.map(|back| back.to_string()).map_err(|error| {
            format!("{} could not be put back: {error}; run {}", self.object().place(), self.by_hand())
        })
    }

    /// Puts it back, in the cluster that it is meant for and in no other one.
    pub fn put_back(&self, cluster: &Cluster) -> Result<Back, KubernetesError> {
        cluster.ask(ANSWER, async |client| {
            cluster.check(&client, &self.object().cluster).await?;
            match self {
                Self::Replicas { deployment, from, to } => replicas(&client, deployment, *from, *to).await,
                Self::Schedulable { node, was } => schedulable(&client, node, *was).await,
                Self::Images { pod, were, are } => put_images(&client, pod, were, are).await,
                Self::Workers { job, run_id } => job::delete(&client, job, run_id).await,
                Self::Quota { quota } => quota::take_away(&client, quota).await,
                Self::Template { field, was, is } => template::put_back(&client, field, was, is).await,
            }
        })
    }
}

async fn replicas(client: &Client, object: &Object, from: i32, to: i32) -> Result<Back, KubernetesError> {
    let place = object.place();
    again(async || {
        let Some(seen) = deployment(client, object).await? else {
            return Ok(Back::Left(format!("{place} (uid {}) is gone, so it was left alone", object.uid)));
        };
        let now = replicas_of(&seen);
        if now == from {
            return Ok(Back::AsBefore(format!("{place} has {from} replicas, as before")));
        }
        let by_hand = format!("`kubectl scale {} --replicas {from}`", object.by_hand());
        if now != to {
            return Ok(Back::Left(format!(
                "{place} has {now} replicas by now: brunt had set {to}, before that it had {from}; somebody else has \
                 changed it, so it was left alone; {by_hand} would give it what it had"
            )));
        }
        // Who may not list autoscalers is not kept from putting it back.
        if let Ok(Some(name)) = autoscaler(client, object.namespace(), &object.name).await {
            return Ok(Back::Left(format!(
                "{place} has got the autoscaler `{name}`, which decides about its replicas now, so it was left alone; \
                 before it had {from}; {by_hand} would give it what it had"
            )));
        }
        scale(client, object, &seen, from).await?;
        Ok(Back::Restored(format!("{place} has {from} replicas again")))
    })
    .await
}

async fn schedulable(client: &Client, object: &Object, was: Option<bool>) -> Result<Back, KubernetesError> {
    let place = object.place();
    again(async || {
        let Some(seen) = node(client, object).await? else {
            return Ok(Back::Left(format!("{place} (uid {}) is gone, so it was left alone", object.uid)));
        };
        if !is_cordoned(&seen) {
            return Ok(Back::AsBefore(format!("{place} takes new pods, as before")));
        }
        set_schedulable(client, object, &seen, was).await?;
        Ok(Back::Restored(format!("{place} takes new pods again")))
    })
    .await
}

async fn put_images(
    client: &Client,
    object: &Object,
    were: &[(String, String)],
    are: &str,
) -> Result<Back, KubernetesError> {
    let place = object.place();
    again(async || {
        let Some(seen) = pod(client, object).await? else {
            return Ok(Back::Left(format!("{place} (uid {}) is gone, and with it what was changed", object.uid)));
        };
        let now = images(&seen);
        if now == were {
            return Ok(Back::AsBefore(format!("{place} has its images, as before")));
        }
        if let Some((name, image)) = now.iter().find(|one| one.1 != are && !were.contains(one)) {
            return Ok(Back::Left(format!(
                "the container `{name}` of {place} has the image {image} by now: somebody else has changed it, so all of them \
                 were left alone"
            )));
        }
        set_images(client, object, &seen, were).await?;
        Ok(Back::Restored(format!("{place} has its images again")))
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Identity, Kind};

    fn object(kind: Kind, namespace: Option<&str>, name: &str) -> Object {
        let cluster = Identity { context: Some("lab".into()), files: Vec::new(), uid: "c0".into() };
        Object::new(kind, namespace.map(str::to_owned), name.into(), "u".into(), cluster)
    }

    #[test]
    fn an_inverse_survives_the_journal_and_says_what_a_person_would_type() {
        let scaled =
            Inverse::Replicas { deployment: object(Kind::Deployment, Some("shop"), "payment"), from: 3, to: 0 };
        let cordoned = Inverse::Schedulable { node: object(Kind::Node, None, "n2"), was: None };
        let namespace = object(Kind::Namespace, None, "shop");
        let (name, run) = ("brunt-2a-7-full-q".to_owned(), "2a-7".to_owned());
        let full = Inverse::Quota { quota: Quota { namespace, name, run, pods: 0 } };
        for inverse in [&scaled, &cordoned, &full] {
            let line = serde_json::to_string(inverse).unwrap();
            assert_eq!(serde_json::from_str::<Inverse>(&line).unwrap(), *inverse);
        }
        assert_eq!(scaled.by_hand(), "`kubectl scale --context lab --namespace shop deployment/payment --replicas 3`");
        assert_eq!(cordoned.by_hand(), "`kubectl uncordon --context lab n2`");
        assert_eq!(full.by_hand(), "`kubectl delete --context lab --namespace shop resourcequota/brunt-2a-7-full-q`");
        assert!(scaled.in_words().contains("if it still has 0"), "{}", scaled.in_words());
    }
}
