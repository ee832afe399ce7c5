//! Objects beside the pods of a target, of which only some matter: which those are shows while pods come. All of them are known,
//! boiled down, so that one can be told at once when a pod first leads to it.
//!
//! Reading them may take a right that pods do not; without it nothing is told of them, which is said once, and that is all.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;

use brunt_scenario::plan::PodMatch;
use kube::{Api, Resource};
use serde::de::DeserializeOwned;

use super::follow::{Change, Follow};

/// An object, boiled down.
pub(super) trait Boiled<K>: Clone {
    /// By the whole object.
    fn of(object: K) -> Self;

    /// What nothing else has.
    fn uid(&self) -> &str;

    /// What a pod that leads to it says: the name of its node, its owner.
    fn key(&self) -> &str;
}

/// One thing to tell of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Heard<N> {
    /// One that matters, as it is now.
    Now(N),
    /// One that mattered is no more; its UID.
    Gone(String),
    /// Nothing will be told of them; says why.
    Refused(String),
}

/// See the module.
pub(super) struct Beside<K, N> {
    follow: Option<Follow<K>>,
    /// By UID.
    all: BTreeMap<String, N>,
    /// The keys that pods have led to.
    matter: BTreeSet<String>,
    refused: bool,
}

impl<K, N> Default for Beside<K, N> {
    fn default() -> Self {
        Self { follow: None, all: BTreeMap::new(), matter: BTreeSet::new(), refused: false }
    }
}

impl<K, N> Beside<K, N>
where
    K: Resource + Clone + DeserializeOwned + Debug + Send + 'static,
    N: Boiled<K>,
{
    /// Lists them; tells those that matter, and that those are gone which did.
    pub async fn begin(&mut self, api: Api<K>) -> Result<Vec<Heard<N>>, kube::Error> {
        self.follow = None;
        let mut follow = match Follow::begin(api, &PodMatch::default()).await {
            Ok(follow) => follow,
            Err(error) => return self.refused(error).map(|heard| heard.into_iter().collect()),
        };
        let now: BTreeMap<String, N> =
            follow.listed.drain(..).map(N::of).map(|object| (object.uid().to_owned(), object)).collect();
        self.follow = Some(follow);
        Ok(self.replace(now))
    }

    fn replace(&mut self, now: BTreeMap<String, N>) -> Vec<Heard<N>> {
        let before = std::mem::replace(&mut self.all, now);
        let gone = before.iter().filter(|(uid, object)| self.matters(object) && !self.all.contains_key(*uid));
        let gone = gone.map(|(uid, _)| Heard::Gone(uid.clone()));
        gone.chain(self.all.values().filter(|object| self.matters(object)).cloned().map(Heard::Now)).collect()
    }

    /// A pod leads to those with this key; tells them if none has before.
    pub fn led_to(&mut self, key: &str) -> Vec<Heard<N>> {
        if !self.matter.insert(key.to_owned()) {
            return Vec::new();
        }
        self.all.values().filter(|object| object.key() == key).cloned().map(Heard::Now).collect()
    }

    /// The next thing to tell. Never ends where nothing is told. Safe to drop.
    pub async fn next(&mut self) -> Result<Heard<N>, kube::Error> {
        loop {
            let Some(follow) = &mut self.follow else { return std::future::pending().await };
            let heard = match follow.next().await {
                Ok(change) => self.changed(change),
                // One may list them, and not watch.
                Err(error) => {
                    let heard = self.refused(error)?;
                    self.follow = None;
                    heard
                }
            };
            if let Some(heard) = heard {
                return Ok(heard);
            }
        }
    }

    fn changed(&mut self, change: Change<K>) -> Option<Heard<N>> {
        match change {
            Change::Now(object) => {
                let now = N::of(object);
                self.all.insert(now.uid().to_owned(), now.clone());
                self.matters(&now).then_some(Heard::Now(now))
            }
            Change::Gone(object) => {
                let last = N::of(object);
                self.all.remove(last.uid());
                self.matters(&last).then(|| Heard::Gone(last.uid().to_owned()))
            }
        }
    }

    /// A right that is missing is told, once; any other error is one.
    fn refused(&mut self, error: kube::Error) -> Result<Option<Heard<N>>, kube::Error> {
        match error {
            kube::Error::Api(refused) if refused.code == 403 => {
                let told = std::mem::replace(&mut self.refused, true);
                Ok((!told).then_some(Heard::Refused(refused.message)))
            }
            other => Err(other),
        }
    }

    fn matters(&self, object: &N) -> bool {
        self.matter.contains(object.key())
    }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::core::v1::Node;
    use serde_json::json;

    use super::super::nodes::NodeNow;
    use super::*;

    fn node(name: &str, cordoned: bool) -> Node {
        let node =
            json!({"metadata": {"name": name, "uid": format!("uid-{name}")}, "spec": {"unschedulable": cordoned}});
        serde_json::from_value(node).unwrap()
    }

    fn listed(names: &[&str]) -> BTreeMap<String, NodeNow> {
        names.iter().map(|name| (format!("uid-{name}"), NodeNow::of(node(name, false)))).collect()
    }

    #[test]
    fn only_what_pods_lead_to_is_told_and_at_once_when_a_pod_first_does() {
        let mut nodes = Beside::<Node, NodeNow>::default();
        assert_eq!(nodes.replace(listed(&["a", "b"])), []);
        assert_eq!(nodes.changed(Change::Now(node("b", true))), None);
        let cordoned = Heard::Now(NodeNow::of(node("b", true)));
        assert_eq!(nodes.led_to("b"), [cordoned]);
        assert_eq!(nodes.led_to("b"), [], "it is known");
        let open = Heard::Now(NodeNow::of(node("b", false)));
        assert_eq!(nodes.changed(Change::Now(node("b", false))), Some(open));
        assert_eq!(nodes.changed(Change::Now(node("a", true))), None);
        assert_eq!(nodes.changed(Change::Gone(node("b", false))), Some(Heard::Gone("uid-b".into())));
    }

    #[test]
    fn what_went_while_nobody_looked_is_told_with_the_next_list() {
        let mut nodes = Beside::<Node, NodeNow>::default();
        nodes.replace(listed(&["a", "b", "c"]));
        nodes.led_to("a");
        nodes.led_to("b");
        let again = nodes.replace(listed(&["b"]));
        assert_eq!(again, [Heard::Gone("uid-a".into()), Heard::Now(NodeNow::of(node("b", false)))]);
    }

    #[test]
    fn a_missing_right_is_told_once_and_any_other_error_is_one() {
        let mut nodes = Beside::<Node, NodeNow>::default();
        let of = |code: u16| {
            let status = json!({"status": "Failure", "message": "no", "reason": "x", "code": code});
            kube::Error::Api(serde_json::from_value(status).unwrap())
        };
        assert_eq!(nodes.refused(of(403)).unwrap(), Some(Heard::Refused("no".into())));
        assert_eq!(nodes.refused(of(403)).unwrap(), None);
        assert!(nodes.refused(of(410)).is_err());
    }
}
