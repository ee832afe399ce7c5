//! Faults that act inside of pods: the verbs, passed on to the agent in each pod.
//!
//! Nothing here waits for a cluster. `approach` begins the agents, and says on what they wait. `inject` only asks; until all
//! agents have said that the change is in place `verify` says that the effect is absent. `revert` waits for half a second at
//! most, and is called again. What the agent in a pod holds ends with that agent, which ends at its lease: so does the fault if
//! nobody on this side is left.

mod inside;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use brunt_kubernetes::ephemeral::Purpose;
use brunt_kubernetes::{Cluster, Kind, Object, ephemeral};

use crate::agent::pods::{Place, Pods};
use crate::agent::protocol::Order;
use crate::error::Error;
use crate::fault::pod::objects;
use crate::fault::{Change, Elsewhere, Fault, Reverted, Seen, Undo};
use crate::target::Victim;
use inside::Inside;

/// See the module.
pub struct InPods {
    order: Order,
    run_id: String,
    pods: Vec<Object>,
    way: Way,
    inside: Vec<Inside>,
}

/// The way to agents in pods.
struct Way {
    cluster: Cluster,
    purpose: Purpose,
    image: String,
    agents: Arc<Pods>,
}

impl Way {
    /// The agent in that pod, begun if there is none (any more).
    fn agent_in(&self, pod: &Object) -> Result<Arc<Place>, Error> {
        let agent = self.agents.agent_in(&self.cluster, pod, &self.image, self.purpose);
        agent.map_err(|source| Error::Thread { what: "the agent in a pod", source })
    }
}

impl InPods {
    /// What the order asks for.
    ///
    /// # Errors
    /// A victim is no pod, or nothing leads to its cluster.
    pub fn new(order: &Order, image: &str, run_id: &str, agents: Arc<Pods>) -> Result<Self, Error> {
        let (cluster, pods) = objects(order, Kind::Pod)?;
        // The agents in the pods learn nothing that leads to the cluster.
        let order = Order { victims: Vec::new(), access: None, in_pods: None, ..order.clone() };
        let way = Way { cluster, purpose: Purpose::of(&order.kind), image: image.to_owned(), agents };
        Ok(Self { order, run_id: run_id.to_owned(), pods, way, inside: Vec::new() })
    }
}

/// Whether what is ordered outlives an agent that is killed: what is stopped stays so.
fn stops(order: &Order) -> bool {
    order.kind == "process.pause"
}

impl Fault<Elsewhere> for InPods {
    fn prepare(&mut self, _: &mut Elsewhere) -> Result<Vec<Undo>, Error> {
        // The containers of one target have one name, but for faults on processes of pods with one container each.
        let mut by_name: BTreeMap<String, Vec<Object>> = BTreeMap::new();
        for pod in &self.pods {
            let name = ephemeral::name_of(&self.run_id, self.way.purpose, pod.container.as_deref());
            by_name.entry(name).or_default().push(pod.clone());
        }
        let (lease, stops) = (self.way.agents.lease(), stops(&self.order));
        Ok(by_name.into_iter().map(|(container, pods)| Undo::EndsInPods { pods, container, lease, stops }).collect())
    }

    fn approach(&mut self, _: &mut Elsewhere) -> Result<Option<String>, Error> {
        for pod in self.pods.iter().skip(self.inside.len()) {
            self.inside.push(Inside::begin(&self.order, &self.way, pod)?);
        }
        for inside in &mut self.inside {
            if let Some(waits) = inside.begins()? {
                return Ok(Some(waits));
            }
        }
        Ok(None)
    }

    fn follow(&mut self, place: &mut Elsewhere, victims: &[Victim]) -> Result<Vec<Undo>, Error> {
        for pod in victims.iter().filter_map(Victim::object) {
            if !self.pods.iter().any(|known| known.uid == pod.uid) {
                self.pods.push(pod.clone());
            }
        }
        self.prepare(place)
    }

    fn inject(&mut self, _: &mut Elsewhere, change: Change) -> Result<(), Error> {
        self.inside.iter_mut().for_each(|inside| inside.inject(change));
        Ok(())
    }

    fn meet(&mut self, _: &mut Elsewhere, peers: &[IpAddr]) -> Result<(), Error> {
        // Those that follow learn it with their order.
        if let Some(packets) = &mut self.order.packets {
            packets.peers = Some(peers.to_vec());
        }
        self.inside.iter_mut().try_for_each(|inside| inside.meet(peers))
    }

    fn verify(&mut self, _: &mut Elsewhere) -> Result<Seen, Error> {
        let seen = self.inside.iter_mut().map(|inside| Ok((inside.pod(), inside.look()?)));
        seen.collect::<Result<Vec<_>, Error>>().map(together)
    }

    fn revert(&mut self, _: &mut Elsewhere) -> Reverted {
        let mut effects = Vec::new();
        let mut all = Reverted::nothing(Seen::NotExercised("it was never injected".into()));
        let mut errors = Vec::new();
        for inside in &mut self.inside {
            let Reverted { effect, rollback_verified, residue, error } = inside.revert(&self.way);
            effects.push((inside.pod(), effect));
            all.residue.extend(residue);
            errors.extend(error);
            all.rollback_verified = match (all.rollback_verified, rollback_verified) {
                (Some(false), _) | (_, Some(false)) => Some(false),
                (one, other) => one.or(other),
            };
        }
        if !effects.is_empty() {
            all.effect = together(effects);
        }
        all.error = (!errors.is_empty()).then(|| errors.join("; "));
        all
    }
}

/// What was seen in each pod, as one: it is absent where it is absent in one of them.
fn together(mut seen: Vec<(String, Seen)>) -> Seen {
    if let [(_, only)] = &mut seen[..] {
        return std::mem::replace(only, Seen::Absent(String::new()));
    }
    let absent = seen.iter().find(|(_, seen)| matches!(seen, Seen::Absent(_)));
    if let Some((pod, Seen::Absent(why))) = absent {
        return Seen::Absent(format!("{pod}: {why}"));
    }
    let acted = seen.iter().any(|(_, seen)| matches!(seen, Seen::Yes(_)));
    let words = seen.into_iter().map(|(pod, seen)| match seen {
        Seen::Yes(text) | Seen::NotExercised(text) | Seen::Absent(text) => format!("{pod}: {text}"),
    });
    let words = words.collect::<Vec<_>>().join("; ");
    if acted { Seen::Yes(words) } else { Seen::NotExercised(words) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn yes(text: &str) -> Seen {
        Seen::Yes(text.into())
    }

    #[test]
    fn an_effect_that_is_absent_in_one_pod_is_absent() {
        let of =
            |seen: &[(&str, Seen)]| together(seen.iter().map(|(pod, seen)| ((*pod).into(), seen.clone())).collect());
        assert_eq!(of(&[("a", yes("held 3 packets"))]), yes("held 3 packets"));
        assert_eq!(of(&[("a", yes("held 3")), ("b", yes("held 4"))]), yes("a: held 3; b: held 4"));
        let none = Seen::NotExercised("no packet came along".into());
        assert_eq!(of(&[("a", yes("held 3")), ("b", none.clone())]), yes("a: held 3; b: no packet came along"));
        assert!(matches!(of(&[("a", none.clone()), ("b", none)]), Seen::NotExercised(_)));
        let gone = Seen::Absent("pod shop/b is gone".into());
        assert_eq!(of(&[("a", yes("held 3")), ("b", gone)]), Seen::Absent("b: pod shop/b is gone".into()));
    }
}
