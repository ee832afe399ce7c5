//! Faults that act inside of pods: the verbs, passed on to the agent in each pod.
//!
//! Nothing here waits for a cluster. `inject` only asks; until all agents have said that the change is in place `verify` says
//! that the effect is absent, and on what it waits. `revert` waits for half a second at most, and is called again. What the agent
//! in a pod holds ends with that agent, which ends at its lease: so does the fault if nobody on this side is left.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use crate::agent::pods::{Life, Over, Place, Pods};
use crate::agent::protocol::{Answer, Ask, Order};
use crate::agent::services::Services;
use crate::error::Error;
use crate::fault::pod::objects;
use crate::fault::{Change, Fault, Reverted, Seen, Undo};
use crate::kubernetes::{Cluster, Kind, Object, ephemeral};
use crate::target::Victim;

/// How long a verb waits for an answer that is usually there by then.
const MOMENT: Duration = Duration::from_millis(50);
/// The same for the last one.
const PATIENCE: Duration = Duration::from_millis(500);

/// What will be answered.
type Coming = Receiver<Result<Answer, String>>;

/// See the module.
pub struct InPods {
    order: Order,
    image: String,
    run_id: String,
    cluster: Cluster,
    pods: Vec<Object>,
    agents: Arc<Pods>,
    inside: Vec<Inside>,
}

/// The fault in one of the pods.
struct Inside {
    agent: Arc<Place>,
    fault: String,
    /// Not answered yet, in their order: prepare, inject.
    beginning: Vec<Coming>,
    /// Why it could not begin.
    failed: Option<String>,
    verifying: Option<Coming>,
    reverting: Option<Coming>,
    /// What was seen last.
    last: Seen,
    reverted: Option<Reverted>,
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
        let (image, run_id) = (image.to_owned(), run_id.to_owned());
        Ok(Self { order, image, run_id, cluster, pods, agents, inside: Vec::new() })
    }
}

impl Fault<Services> for InPods {
    fn prepare(&mut self, _: &mut Services) -> Result<Vec<Undo>, Error> {
        let container = ephemeral::name_of(&self.run_id);
        Ok(vec![Undo::EndsInPods { pods: self.pods.clone(), container, lease: self.agents.lease() }])
    }

    fn inject(&mut self, _: &mut Services, change: Change) -> Result<(), Error> {
        for pod in self.pods.iter().skip(self.inside.len()) {
            let agent = self.agents.agent_in(&self.cluster, pod, &self.image);
            let agent = agent.map_err(|source| Error::Thread { what: "the agent in a pod", source })?;
            let fault = self.order.fault.clone();
            let order = Order { victims: vec![Victim::OwnNetwork { name: pod.to_string() }], ..self.order.clone() };
            let prepared = agent.ask(Ask::Prepare(Box::new(order)));
            let injected = agent.ask(Ask::Inject { fault: fault.clone(), change });
            self.inside.push(Inside {
                agent,
                fault,
                beginning: vec![prepared, injected],
                failed: None,
                verifying: None,
                reverting: None,
                last: Seen::Absent("it was not looked at yet".into()),
                reverted: None,
            });
        }
        Ok(())
    }

    fn verify(&mut self, _: &mut Services) -> Result<Seen, Error> {
        let seen = self.inside.iter_mut().map(|inside| Ok((inside.agent.pod.name.clone(), inside.look()?)));
        seen.collect::<Result<Vec<_>, Error>>().map(together)
    }

    fn revert(&mut self, _: &mut Services) -> Reverted {
        let mut effects = Vec::new();
        let mut all = Reverted::nothing(Seen::NotExercised("it was never injected".into()));
        let mut errors = Vec::new();
        for inside in &mut self.inside {
            let Reverted { effect, rollback_verified, residue, error } = inside.revert();
            effects.push((inside.agent.pod.name.clone(), effect));
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

impl Inside {
    /// What is seen of it now. While the wire to it is broken the last answer counts, for as long as the lease there lasts.
    fn look(&mut self) -> Result<Seen, Error> {
        if let Some(why) = &self.failed {
            return Err(Error::Agent(why.clone()));
        }
        while let Some(coming) = self.beginning.first() {
            match coming.recv_timeout(MOMENT) {
                Ok(Ok(_)) => drop(self.beginning.remove(0)),
                Ok(Err(why)) => {
                    let why = format!("in {}: {why}", self.agent.pod.place());
                    self.failed = Some(why.clone());
                    return Err(Error::Agent(why));
                }
                Err(RecvTimeoutError::Timeout) => return Ok(Seen::Absent(self.waits_for())),
                Err(RecvTimeoutError::Disconnected) => return Err(Error::Agent(self.over())),
            }
        }
        let ask = || self.agent.ask(Ask::Verify { fault: self.fault.clone() });
        match self.verifying.get_or_insert_with(ask).recv_timeout(MOMENT) {
            Err(RecvTimeoutError::Timeout) => {
                return Ok(self.agent.is_lost().map_or_else(|| self.last.clone(), Seen::Absent));
            }
            Err(RecvTimeoutError::Disconnected) => self.last = Seen::Absent(self.over()),
            Ok(Err(why)) => {
                self.verifying = None;
                return Err(Error::Agent(format!("in {}: {why}", self.agent.pod.place())));
            }
            Ok(Ok(Answer::Seen(seen))) => self.last = seen,
            Ok(Ok(other)) => return Err(Error::Protocol(format!("`verify` was answered with {other:?}"))),
        }
        self.verifying = None;
        Ok(self.last.clone())
    }

    fn waits_for(&self) -> String {
        let place = self.agent.pod.place();
        match self.agent.life() {
            Life::Beginning(waits) => format!("the agent in {place} begins: {waits}"),
            Life::Away(_, why) => format!("the agent in {place} is out of reach: {why}"),
            Life::There => format!("the agent in {place} is at it"),
            Life::Over(_) => self.over(),
        }
    }

    /// How the agent in the pod ended, and what that means.
    fn over(&self) -> String {
        let place = self.agent.pod.place();
        match self.agent.life() {
            Life::Over(Over::PodGone) => format!("{place} is gone, and its network with it"),
            Life::Over(Over::Ended(how)) => {
                format!(
                    "the agent in {place} has ended ({how}); the kernel removed the fault with it, and lost what it held"
                )
            }
            Life::Over(Over::NeverBegan(why)) => why,
            _ => format!("the agent in {place} has ended"),
        }
    }

    fn revert(&mut self) -> Reverted {
        if let Some(reverted) = &self.reverted {
            return reverted.clone();
        }
        let reverted = self.ask_to_revert();
        if reverted.rollback_verified != Some(false) {
            self.reverted = Some(reverted.clone());
        }
        reverted
    }

    fn ask_to_revert(&mut self) -> Reverted {
        let began = self.beginning.is_empty();
        let seen = self.last.clone();
        let with = |effect, rollback_verified, error| {
            let residue = self.agent.residue().into_iter().collect();
            Reverted { effect, rollback_verified, residue, error }
        };
        if !began && self.agent.give_up() {
            return with(Seen::Absent(self.over()), None, None);
        }
        let ask = || self.agent.ask(Ask::Revert { fault: self.fault.clone() });
        match self.reverting.get_or_insert_with(ask).recv_timeout(PATIENCE) {
            Ok(Ok(Answer::Reverted(mut reverted))) => {
                self.reverting = None;
                reverted.residue.extend(self.agent.residue());
                reverted
            }
            Ok(Ok(other)) => with(seen, Some(false), Some(format!("`revert` was answered with {other:?}"))),
            // It could not be prepared, so there is nothing.
            Ok(Err(why)) if self.failed.is_some() || !began => with(Seen::Absent(why), None, None),
            Ok(Err(why)) => {
                self.reverting = None;
                with(seen, Some(false), Some(format!("{}: {why}", self.agent.pod.place())))
            }
            // The kernel has removed it, with the pod's network or with the agent's sockets.
            Err(RecvTimeoutError::Disconnected) => with(Seen::Absent(self.over()), began.then_some(true), None),
            Err(RecvTimeoutError::Timeout) => with(seen, Some(false), Some(self.agent.out_of_reach())),
        }
    }
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
