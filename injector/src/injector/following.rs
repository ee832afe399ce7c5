//! Faults that follow (`follow: true`): a pod that replaces a victim gets the fault, too.
//!
//! A thread for each such fault looks at the pods of its target, as long as the fault is active. A victim is gone when the cluster
//! does not list it among the pods that run. Another one takes its place that has the same owner, is ready, and was not there when
//! the victims were picked: so as many are hit as were picked, and never one that the seed has spared.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use brunt_kubernetes::{Identity, Object};
use brunt_scenario::plan::{Fault as PlannedFault, PodMatch};

use super::{Inner, Slot, locked};
use crate::error::Error;
use crate::event::Event;
use crate::target::Victim;
use crate::target::kubernetes::pods_now;

/// From one look to the next.
const LOOK: Duration = Duration::from_millis(500);

/// A target as it was when the victims were picked.
#[derive(Debug, Clone)]
pub(super) struct Followed {
    wanted: PodMatch,
    cluster: Identity,
    /// The UIDs of pods that replace nobody: they were there before, or have replaced somebody already.
    known: BTreeSet<String>,
}

impl Followed {
    pub fn new(wanted: &PodMatch, cluster: &Identity, alive: &[Victim]) -> Self {
        let known = alive.iter().filter_map(Victim::object).map(|pod| pod.uid.clone()).collect();
        Self { wanted: wanted.clone(), cluster: cluster.clone(), known }
    }

    /// Who replaces whom, of the pods that run now.
    fn replaced(&mut self, victims: &[Victim], now: &[Object], ready: &BTreeSet<String>) -> Vec<(Object, Object)> {
        let mut all = Vec::new();
        let gone = victims.iter().filter_map(Victim::object).filter(|pod| !now.iter().any(|one| one.uid == pod.uid));
        for gone in gone.filter(|pod| pod.owner.is_some()) {
            let replaces =
                |pod: &&Object| pod.owner == gone.owner && ready.contains(&pod.uid) && !self.known.contains(&pod.uid);
            if let Some(new) = now.iter().find(replaces) {
                self.known.insert(new.uid.clone());
                all.push((gone.clone(), new.clone()));
            }
        }
        all
    }
}

/// Follows, if the fault does.
pub(super) fn begin(inner: &Arc<Inner>, fault: &PlannedFault) -> Result<(), Error> {
    let Some(followed) = locked(&inner.followed).remove(&fault.id) else { return Ok(()) };
    let Some(slot) = inner.find(&fault.id) else { return Ok(()) };
    let (inner, fault) = (Arc::clone(inner), fault.clone());
    let follows = std::thread::Builder::new().name("brunt-follow".into());
    let begun = follows.spawn(move || follow(&inner, &slot, &fault, followed));
    begun.map(drop).map_err(|source| Error::Thread { what: "who follows", source })
}

/// Until the fault is over. A cluster that does not answer is asked again: nobody is known to be gone then.
fn follow(inner: &Inner, slot: &Slot, fault: &PlannedFault, mut followed: Followed) {
    while slot.is_open() {
        std::thread::sleep(LOOK);
        let Ok((now, ready)) = pods_now(fault, &followed.wanted, &followed.cluster) else { continue };
        let victims = locked(&slot.victims).clone();
        for (gone, new) in followed.replaced(&victims, &now, &ready) {
            let (gone, new) = (Victim::Kubernetes(Box::new(gone)), Victim::Kubernetes(Box::new(new)));
            let outcome = locked(&slot.active).follow(vec![new.clone()], inner);
            let (at, id) = (inner.watch.now(), fault.id.clone());
            inner.watch.tell(match outcome {
                Ok(()) => {
                    let mut victims = locked(&slot.victims);
                    victims.retain(|victim| *victim != gone);
                    victims.push(new.clone());
                    Event::Followed { fault: id, gone: gone.to_string(), victim: new.to_string(), at }
                }
                // It was taken off meanwhile.
                Err(_) if !slot.is_open() => return,
                Err(error) => Event::NotFollowed { fault: id, reason: format!("{new}: {error}"), at },
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use brunt_scenario::plan::Owner;

    use super::*;
    use brunt_kubernetes::Kind;

    fn pod(name: &str, owner: &str) -> Object {
        let cluster = Identity { context: None, files: Vec::new(), uid: "c0".into() };
        let (namespace, uid) = (Some("shop".into()), format!("uid-{name}"));
        let object = Object::new(Kind::Pod, namespace, name.into(), uid, cluster);
        Object { owner: Owner::parse(owner), grace: 30, ..object }
    }

    fn victims(pods: &[Object]) -> Vec<Victim> {
        pods.iter().map(|pod| Victim::Kubernetes(Box::new(pod.clone()))).collect()
    }

    #[test]
    fn only_a_new_pod_that_is_ready_and_of_the_same_owner_replaces_a_victim_and_only_one() {
        let [a, b, spared] = ["a", "b", "spared"].map(|name| pod(name, "deployment/payment"));
        let cluster = a.cluster.clone();
        let mut followed =
            Followed::new(&PodMatch::default(), &cluster, &victims(&[a.clone(), b.clone(), spared.clone()]));
        let hit = victims(&[a.clone(), b.clone()]);
        let new = pod("new", "deployment/payment");
        let other = pod("other", "deployment/other");
        let now = [b.clone(), spared.clone(), other.clone(), new.clone()];
        let ready = |pods: &[&Object]| pods.iter().map(|pod| pod.uid.clone()).collect::<BTreeSet<_>>();
        assert_eq!(followed.replaced(&hit, &now, &ready(&[&spared, &other])), [], "it is not ready yet");
        let all = ready(&[&b, &spared, &other, &new]);
        assert_eq!(followed.replaced(&hit, &now, &all), [(a.clone(), new.clone())]);
        assert_eq!(followed.replaced(&victims(&[b.clone(), new.clone()]), &now, &all), [], "all are there");
        assert_eq!(followed.replaced(&victims(&[a, b]), &now[1..], &all), [], "it has replaced one already");
        let alone = Object { owner: None, ..pod("alone", "x") };
        assert_eq!(followed.replaced(&victims(&[alone]), &now, &all), [], "nothing makes another one");
    }
}
