//! The fault in one of the pods: what was asked of the agent there, and what came of it.

mod mend;

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use brunt_kubernetes::Object;
use brunt_kubernetes::ephemeral::Purpose;

use super::{Way, stops};
use crate::agent::pods::{Life, Over, Place};
use crate::agent::protocol::{Answer, Ask, Order};
use crate::error::Error;
use crate::fault::{Change, Reverted, Seen, Undo};
use crate::target::Victim;

/// How long a verb waits for an answer that is usually there by then.
const MOMENT: Duration = Duration::from_millis(50);
/// The same for the last one.
const PATIENCE: Duration = Duration::from_millis(500);

/// What will be answered.
type Coming = Receiver<Result<Answer, String>>;

/// The fault in one of the pods.
pub(super) struct Inside {
    agent: Arc<Place>,
    purpose: Purpose,
    /// What it does outlives an agent that is killed.
    stops: bool,
    /// What is gone is replaced by another one.
    follows: bool,
    fault: String,
    /// It was asked to act.
    injected: bool,
    /// Not answered yet, in their order: prepare, inject.
    beginning: Vec<Coming>,
    /// Why it could not begin.
    failed: Option<String>,
    verifying: Option<Coming>,
    reverting: Option<Coming>,
    /// What undoes it there; known once it is prepared.
    undo: Option<Vec<Undo>>,
    /// Another agent in the same pod, which is asked to do that in place of one that was killed.
    mending: Option<(Arc<Place>, Coming)>,
    /// What was seen last.
    last: Seen,
    reverted: Option<Reverted>,
}

impl Inside {
    /// Asks for it in that pod: the agent there prepares it, once there is one.
    pub fn begin(order: &Order, way: &Way, pod: &Object) -> Result<Self, Error> {
        let agent = way.agent_in(pod)?;
        let victims = match way.purpose {
            Purpose::Packets => vec![Victim::OwnNetwork { name: pod.to_string() }],
            // The agent there looks for them, or needs none.
            Purpose::Processes | Purpose::Processors => Vec::new(),
        };
        let (process, container_id, processors) = (pod.process.clone(), pod.container_id.clone(), pod.processors);
        let asked = Order { victims, process, container_id, processors, ..order.clone() };
        let prepared = agent.ask(Ask::Prepare(Box::new(asked)));
        Ok(Self {
            agent,
            purpose: way.purpose,
            stops: stops(order),
            follows: order.follow,
            fault: order.fault.clone(),
            injected: false,
            beginning: vec![prepared],
            failed: None,
            verifying: None,
            reverting: None,
            undo: None,
            mending: None,
            last: Seen::Absent("it was not looked at yet".into()),
            reverted: None,
        })
    }

    /// Its name, for what is told of it.
    pub fn pod(&self) -> String {
        self.agent.pod.name.clone()
    }

    /// Asks the agent to act, once.
    pub fn inject(&mut self, change: Change) {
        if !self.injected {
            self.injected = true;
            self.beginning.push(self.agent.ask(Ask::Inject { fault: self.fault.clone(), change }));
        }
    }

    /// Tells the agent who is at the other end now. While the wire to it is broken it learns it later.
    ///
    /// # Errors
    /// It could not be done there.
    pub fn meet(&mut self, peers: &[IpAddr]) -> Result<(), Error> {
        let asked = self.agent.ask(Ask::Meet { fault: self.fault.clone(), peers: peers.to_vec() });
        match asked.recv_timeout(MOMENT) {
            Ok(Err(why)) => Err(Error::Agent(format!("in {}: {why}", self.agent.pod.place()))),
            _ => Ok(()),
        }
    }

    /// On what it waits, if the agent has not answered yet to what it was asked to do.
    pub fn begins(&mut self) -> Result<Option<String>, Error> {
        if let Some(why) = &self.failed {
            return Err(Error::Agent(why.clone()));
        }
        while let Some(coming) = self.beginning.first() {
            match coming.recv_timeout(MOMENT) {
                Ok(Ok(answer)) => {
                    self.beginning.remove(0);
                    if let Answer::Prepared { undo, .. } = answer {
                        self.undo = Some(undo);
                    }
                }
                Ok(Err(why)) => {
                    let why = format!("in {}: {why}", self.agent.pod.place());
                    self.failed = Some(why.clone());
                    return Err(Error::Agent(why));
                }
                Err(RecvTimeoutError::Timeout) => return Ok(Some(self.waits_for())),
                Err(RecvTimeoutError::Disconnected)
                    if self.injected && !matches!(self.at_the_end(), Seen::Absent(_)) =>
                {
                    self.beginning.clear();
                }
                Err(RecvTimeoutError::Disconnected) => return Err(Error::Agent(self.over())),
            }
        }
        Ok(None)
    }

    /// What is seen of it now. While the wire to it is broken the last answer counts, for as long as the lease there lasts.
    pub fn look(&mut self) -> Result<Seen, Error> {
        if let Some(waits) = self.begins()? {
            // The others act meanwhile.
            return Ok(if self.follows { Seen::NotExercised(waits) } else { Seen::Absent(waits) });
        }
        let ask = || self.agent.ask(Ask::Verify { fault: self.fault.clone() });
        match self.verifying.get_or_insert_with(ask).recv_timeout(MOMENT) {
            Err(RecvTimeoutError::Timeout) => {
                return Ok(self.agent.is_lost().map_or_else(|| self.last.clone(), Seen::Absent));
            }
            Err(RecvTimeoutError::Disconnected) => self.last = self.at_the_end(),
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
        let with_it = match self.purpose {
            Purpose::Packets => "its network with it",
            Purpose::Processes => "its processes with it",
            Purpose::Processors => "what kept its processors busy with it",
        };
        match self.agent.life() {
            Life::Over(Over::PodGone) => format!("{place} is gone, and {with_it}"),
            Life::Over(Over::PodEnded(how)) => format!("{place} has ended ({how}), and {with_it}"),
            Life::Over(Over::Ended { how, code: 0, .. }) => {
                format!("the agent in {place} has ended ({how}), and has undone the fault")
            }
            Life::Over(Over::Ended { how, anew: true, .. }) if self.purpose == Purpose::Processes => {
                format!("the container in {place} has ended, its processes with it, and the agent beside it ({how})")
            }
            Life::Over(Over::Ended { how, .. }) if self.stops => {
                format!("the agent in {place} has ended ({how}), and has left stopped what it had stopped")
            }
            Life::Over(Over::Ended { how, .. }) if self.purpose == Purpose::Processors => {
                format!("the agent in {place} has ended ({how}), and its worker with it")
            }
            Life::Over(Over::Ended { how, .. }) if self.purpose == Purpose::Processes => {
                format!("the agent in {place} has ended ({how})")
            }
            Life::Over(Over::Ended { how, .. }) => {
                format!(
                    "the agent in {place} has ended ({how}); the kernel removed the fault with it, and lost what it held"
                )
            }
            Life::Over(Over::NeverBegan(why)) => why,
            _ => format!("the agent in {place} has ended"),
        }
    }

    /// What is seen of it when the agent has ended. Who kills what its container cannot be without has killed that, too.
    fn at_the_end(&self) -> Seen {
        let kills = self.purpose == Purpose::Processes && !self.stops;
        match self.agent.life() {
            Life::Over(Over::Ended { anew: true, .. } | Over::PodEnded(_)) if kills => Seen::Yes(self.over()),
            // Another one has taken its place, or will: that it acted before it went stays true.
            Life::Over(Over::PodGone | Over::PodEnded(_)) if self.follows => match &self.last {
                Seen::Yes(how) => Seen::Yes(format!("{how}, before it was gone")),
                _ => Seen::NotExercised(self.over()),
            },
            _ => Seen::Absent(self.over()),
        }
    }

    pub fn revert(&mut self, way: &Way) -> Reverted {
        if let Some(reverted) = &self.reverted {
            return reverted.clone();
        }
        let reverted = self.ask_to_revert(way);
        if reverted.rollback_verified != Some(false) {
            self.reverted = Some(reverted.clone());
        }
        reverted
    }

    fn ask_to_revert(&mut self, way: &Way) -> Reverted {
        let began = self.injected && self.beginning.is_empty();
        let seen = self.last.clone();
        let with = |effect, rollback_verified, error| {
            let residue = self.agent.residue().into_iter().collect();
            Reverted { effect, rollback_verified, residue, error }
        };
        if !began && self.agent.give_up() {
            let effect = if self.follows { Seen::NotExercised(self.over()) } else { Seen::Absent(self.over()) };
            return with(effect, None, None);
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
            Err(RecvTimeoutError::Disconnected) if self.is_left_stopped() => self.mend(way),
            // The kernel has removed it, with the pod or with the agent's sockets.
            Err(RecvTimeoutError::Disconnected) if self.purpose == Purpose::Processes && !self.stops => {
                with(self.at_the_end(), None, None)
            }
            Err(RecvTimeoutError::Disconnected) => with(self.at_the_end(), began.then_some(true), None),
            Err(RecvTimeoutError::Timeout) => match self.agent.is_given_up().filter(|_| !self.stops) {
                // With its node, as a rule: the fault did not last, and there is nothing to be done.
                Some(unseen) => {
                    let lost = self.agent.is_lost().unwrap_or_else(|| unseen.clone());
                    let mut reverted = with(Seen::Absent(lost), None, None);
                    reverted.residue.insert(0, unseen);
                    reverted
                }
                None => with(seen, Some(false), Some(self.agent.out_of_reach())),
            },
        }
    }
}
