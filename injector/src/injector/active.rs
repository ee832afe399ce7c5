//! One fault from `inject` to `revert`: the order of the steps, the journal between them, and what is kept of the result.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use brunt_kubernetes::rights::acts_inside;
use brunt_kubernetes::{ANSWER as CLUSTER, Access, KubernetesError};
use brunt_scenario::plan::Fault as PlannedFault;

use super::{ANSWER, Edge, Inner};
use crate::agent::lease::boottime;
use crate::agent::pods::TO_BEGIN;
use crate::agent::protocol::{Answer, Ask, Order};
use crate::error::Error;
use crate::fault::deployment::template;
use crate::fault::disk::latency;
use crate::fault::exec::{Exec, Host};
use crate::fault::link::LinkFault;
use crate::fault::packet::{self, bandwidth};
use crate::fault::pool::exhaust;
use crate::fault::{Change, Fault, Reverted, Rung, Seen, Undo, container, deployment, namespace, node, pod, stress};
use crate::journal::Entry;
use crate::proxy::Proxy;
use crate::target::{Victim, Victims};

/// What an engine of containers takes at most, beside the time that it gives them to end.
const ENGINE: Duration = Duration::from_secs(5);

/// A fault that was resolved.
pub(super) struct Active {
    id: String,
    kind: &'static str,
    victims: Vec<Victim>,
    acting: Acting,
    state: State,
    /// Which mechanism serves it, by the agent's word.
    rung: Option<Rung>,
}

/// Where it acts.
enum Acting {
    OnLink(Box<dyn Fault<Arc<Proxy>>>),
    InAgent(Box<Order>),
    /// From the runner's own process; the agent holds the undo.
    OnHost(Box<Exec>),
    /// `allow_empty`, and nobody was there.
    OnNobody,
}

enum State {
    Planned,
    /// Its undo is in the journal.
    Active,
    Removed(Reverted),
    /// It could not be undone yet.
    Stuck(Reverted),
}

impl Active {
    /// Checks the parameters; touches nothing.
    pub fn new(fault: &PlannedFault, victims: &Victims, inner: &Inner) -> Result<Self, Error> {
        let acting = match victims.picked.first() {
            None => Acting::OnNobody,
            Some(_) if fault.kind == "exec" => {
                Acting::OnHost(Box::new(Exec::new(fault, victims, inner.watch.run_id())?))
            }
            Some(Victim::Listener { link, .. }) => {
                let listeners = victims.picked.iter().filter_map(|victim| match victim {
                    Victim::Listener { listener, .. } => Some(*listener),
                    _ => None,
                });
                Acting::OnLink(Box::new(LinkFault::new(fault, link, listeners.collect())?))
            }
            Some(first) => Acting::InAgent(Box::new(order(fault, first, victims, inner)?)),
        };
        let (id, kind, victims) = (fault.id.clone(), fault.kind, victims.picked.clone());
        Ok(Self { id, kind, victims, acting, state: State::Planned, rung: None })
    }

    /// Which mechanism serves it, where there are several; known once it is injected.
    pub fn rung(&self) -> Option<Rung> {
        self.rung.clone()
    }

    /// Whether it may hold its victims.
    pub fn is_open(&self) -> bool {
        matches!(self.state, State::Active | State::Stuck(_))
    }

    /// Why it could not be undone.
    pub fn failure(&self) -> Option<String> {
        match &self.state {
            State::Stuck(reverted) => Some(reverted.error.clone().unwrap_or_else(|| "not undone".into())),
            _ => None,
        }
    }

    /// prepare, journal, approach, inject, and a look until the change is seen in place; the edges are told between them.
    pub fn inject(&mut self, inner: &Inner, tell: &dyn Fn(Edge)) -> Result<(), Error> {
        let undo = self.prepare(inner)?;
        let entry = Entry { fault: self.id.clone(), kind: self.kind.to_owned(), undo: undo.clone() };
        if let Err(error) = inner.write_down(&entry) {
            // Nothing was changed; the agent forgets what it has prepared.
            self.revert_once(inner);
            return Err(error);
        }
        self.state = State::Active;
        if let Err(error) = self.hand_over(undo, inner) {
            self.revert(inner);
            return Err(error);
        }
        let made = self.approach(inner).and_then(|()| {
            tell(Edge::Begins);
            self.make(inner)
        });
        if let Err(cause) = made {
            let reverted = self.revert(inner);
            return Err(match reverted.error {
                None => cause,
                Some(residue) => Error::LeftBehind { cause: Box::new(cause), residue },
            });
        }
        tell(Edge::Made);
        self.settle(inner);
        Ok(())
    }

    /// Agents in pods take some seconds to begin: nobody feels anything of the fault before they have.
    fn approach(&self, inner: &Inner) -> Result<(), Error> {
        if !self.is_in_pods() {
            return Ok(());
        }
        let until = boottime() + TO_BEGIN + Duration::from_secs(5);
        loop {
            match inner.agent.ask(Ask::Approach { fault: self.id.clone() }, answers_within(self.kind))? {
                Answer::Waits(None) => return Ok(()),
                Answer::Waits(Some(why)) if boottime() > until => return Err(Error::Agent(why)),
                Answer::Waits(Some(_)) => std::thread::sleep(Duration::from_millis(20)),
                other => return Err(Error::Protocol(format!("`approach` was answered with {other:?}"))),
            }
        }
    }

    /// These replace victims that are gone: journal, approach, inject, as for those that were picked. Whether they get there is seen
    /// with the next look at the whole.
    ///
    /// # Errors
    /// It is not active any more, or it could not be asked for.
    pub fn follow(&mut self, new: Vec<Victim>, inner: &Inner) -> Result<(), Error> {
        if !matches!(self.state, State::Active) {
            return Err(Error::Refused("it is not active any more".into()));
        }
        let (fault, within) = (self.id.clone(), answers_within(self.kind));
        let undo = match inner.agent.ask(Ask::Follow { fault: fault.clone(), victims: new.clone() }, within)? {
            Answer::Prepared { undo, .. } => undo,
            other => return Err(Error::Protocol(format!("`follow` was answered with {other:?}"))),
        };
        inner.write_down(&Entry { fault: fault.clone(), kind: self.kind.to_owned(), undo: undo.clone() })?;
        inner.watch.holds(&fault, undo);
        self.victims.extend(new);
        inner.agent.ask(Ask::Approach { fault: fault.clone() }, within)?;
        inner.agent.ask(Ask::Inject { fault, change: inner.change }, within).map(drop)
    }

    /// Whom `from` meant when it was ordered; `None`: anybody.
    pub fn peers(&self) -> Option<Vec<IpAddr>> {
        match &self.acting {
            Acting::InAgent(order) => order.packets.as_ref()?.peers.clone(),
            _ => None,
        }
    }

    /// Whom `from` means has these addresses now.
    ///
    /// # Errors
    /// It is not active any more, or those from before still are meant.
    pub fn meet(&self, peers: Vec<IpAddr>, inner: &Inner) -> Result<(), Error> {
        if !matches!(self.state, State::Active) {
            return Err(Error::Refused("it is not active any more".into()));
        }
        inner.agent.ask(Ask::Meet { fault: self.id.clone(), peers }, answers_within(self.kind)).map(drop)
    }

    /// Whether it acts inside of pods.
    fn is_in_pods(&self) -> bool {
        matches!(&self.acting, Acting::InAgent(order) if order.in_pods.is_some())
    }

    /// Whoever undoes it when this process cannot learns how, before there is anything to undo.
    fn hand_over(&self, undo: Vec<Undo>, inner: &Inner) -> Result<(), Error> {
        match self.acting {
            Acting::InAgent(_) => inner.watch.holds(&self.id, undo),
            Acting::OnHost(_) => {
                inner.agent.ask(Ask::Hold { fault: self.id.clone(), undo: undo.clone() }, ANSWER)?;
                inner.watch.holds(&self.id, undo);
            }
            Acting::OnLink(_) | Acting::OnNobody => {}
        }
        Ok(())
    }

    fn prepare(&mut self, inner: &Inner) -> Result<Vec<Undo>, Error> {
        match &mut self.acting {
            Acting::OnLink(fault) => fault.prepare(&mut inner.proxy.clone()),
            Acting::InAgent(order) => match inner.agent.ask(Ask::Prepare(order.clone()), answers_within(self.kind))? {
                Answer::Prepared { undo, rung } => {
                    self.rung = rung;
                    Ok(undo)
                }
                other => Err(Error::Protocol(format!("`prepare` was answered with {other:?}"))),
            },
            Acting::OnHost(fault) => fault.prepare(&mut Host),
            Acting::OnNobody => Ok(Vec::new()),
        }
    }

    fn make(&mut self, inner: &Inner) -> Result<(), Error> {
        match &mut self.acting {
            Acting::OnLink(fault) => fault.inject(&mut inner.proxy.clone(), inner.change),
            Acting::InAgent(_) => {
                let ask = Ask::Inject { fault: self.id.clone(), change: inner.change };
                inner.agent.ask(ask, answers_within(self.kind)).map(drop)
            }
            Acting::OnHost(fault) => fault.inject(&mut Host, inner.change),
            Acting::OnNobody => Ok(()),
        }
    }

    /// A signal acts within microseconds as a rule, and a restart as fast as the service ends; the caller wants the change
    /// in place. If it does not come, the caller's own look says so.
    fn settle(&mut self, inner: &Inner) {
        let patience = match (&self.acting, self.kind) {
            _ if inner.change == Change::Skip => return,
            (Acting::OnLink(_) | Acting::OnNobody, _) => return,
            (Acting::OnHost(fault), _) => fault.patience(),
            (Acting::InAgent(_), "process.restart") => {
                let keys = self.victims.iter().filter_map(Victim::instance);
                keys.map(|key| inner.watch.stop_within(&key)).max().unwrap_or_default() + Duration::from_secs(2)
            }
            (Acting::InAgent(order), "container.restart" | "container.stop") => {
                order.grace.unwrap_or(container::GRACE) + ENGINE
            }
            (Acting::InAgent(_), "container.kill" | "container.pause") => ENGINE,
            (Acting::InAgent(order), "pod.kill" | "pod.evict" | "pod.fail") => {
                let graces = order.victims.iter().filter_map(Victim::object).map(|pod| Duration::from_secs(pod.grace));
                order.grace.or(graces.max()).unwrap_or_default() + pod::SETTLE
            }
            // The answer may wait for a wire that is broken for a moment.
            (Acting::InAgent(order), _) if order.in_pods.is_some() => Duration::from_secs(5),
            (Acting::InAgent(_), kind) if kind.starts_with("deployment.") => deployment::SETTLE,
            (Acting::InAgent(_), "node.cordon") => node::SETTLE,
            (Acting::InAgent(_), "node.drain") => node::DRAIN,
            (Acting::InAgent(_), "namespace.quota") => namespace::SETTLE,
            // Memory and room are taken as fast as the kernel gives them, and a use of processors is told over some time.
            (Acting::InAgent(order), _) if order.stress.is_some() => Duration::from_secs(10),
            // As long as it takes to open some ten thousand.
            (Acting::InAgent(_), exhaust::KIND) => Duration::from_secs(5),
            (Acting::InAgent(_), _) => Duration::from_secs(1),
        };
        let until = boottime() + patience;
        let mut pause = Duration::from_micros(200);
        while matches!(self.verify(inner), Ok(Seen::Absent(_))) && boottime() < until {
            std::thread::sleep(pause);
            pause = (pause * 2).min(Duration::from_millis(20));
        }
    }

    /// What is seen of it now, or was seen when it was removed.
    pub fn verify(&mut self, inner: &Inner) -> Result<Seen, Error> {
        if let State::Removed(reverted) = &self.state {
            return Ok(reverted.effect.clone());
        }
        match &mut self.acting {
            Acting::OnLink(fault) => fault.verify(&mut inner.proxy.clone()),
            Acting::InAgent(_) => match inner.agent.ask(Ask::Verify { fault: self.id.clone() }, ANSWER)? {
                Answer::Seen(seen) => Ok(seen),
                other => Err(Error::Protocol(format!("`verify` was answered with {other:?}"))),
            },
            Acting::OnHost(fault) => fault.verify(&mut Host),
            Acting::OnNobody => Ok(Seen::NotExercised("the target has no members".into())),
        }
    }

    /// A few attempts, then it stays stuck until the next call.
    pub fn revert(&mut self, inner: &Inner) -> Reverted {
        if let State::Removed(reverted) = &self.state {
            return reverted.clone();
        }
        let mut reverted = self.revert_once(inner);
        for pause in self.pauses() {
            if reverted.rollback_verified != Some(false) {
                break;
            }
            std::thread::sleep(Duration::from_millis(*pause));
            let again = self.revert_once(inner);
            // The first attempt has seen the effect; a later one sees what is left of it.
            reverted = Reverted { effect: reverted.effect, ..again };
        }
        if reverted.rollback_verified == Some(false) {
            self.state = State::Stuck(reverted.clone());
            return reverted;
        }
        inner.watch.let_go(&self.id);
        if let Err(error) = inner.note_undone(&self.id) {
            reverted.residue.push(format!("its journal entry stays open, harmlessly: {error}"));
        }
        if matches!(self.acting, Acting::OnHost(_)) {
            // An agent that is gone holds nothing, and reads in the journal what is undone.
            let _ = inner.agent.ask(Ask::LetGo { fault: self.id.clone() }, ANSWER);
        }
        self.state = State::Removed(reverted.clone());
        reverted
    }

    /// Between attempts to undo, in milliseconds. The API server of a cluster may be away for a while.
    fn pauses(&self) -> &'static [u64] {
        if self.is_in_pods() || is_in_cluster(self.kind) { &[50, 150, 1000, 2000, 4000, 8000] } else { &[50, 150] }
    }

    fn revert_once(&mut self, inner: &Inner) -> Reverted {
        match &mut self.acting {
            Acting::OnLink(fault) => fault.revert(&mut inner.proxy.clone()),
            Acting::InAgent(_) => {
                match inner.agent.ask(Ask::Revert { fault: self.id.clone() }, answers_within(self.kind)) {
                    Ok(Answer::Reverted(reverted)) => reverted,
                    Ok(other) => not_undone(format!("`revert` was answered with {other:?}")),
                    // The agent, or the watch after it, has undone everything, or says what is left.
                    Err(Error::AgentGone(reason)) => lost(&reason, inner.watch.left_behind()),
                    Err(error) => not_undone(error.to_string()),
                }
            }
            Acting::OnHost(fault) => fault.revert(&mut Host),
            Acting::OnNobody => Reverted::nothing(Seen::NotExercised("the target has no members".into())),
        }
    }
}

/// What the agent is asked for.
fn order(fault: &PlannedFault, first: &Victim, victims: &Victims, inner: &Inner) -> Result<Order, Error> {
    let kept = &inner.kept;
    // A rate on a network namespace with a name the kernel's own queue may keep.
    let bandwidth = if matches!(first, Victim::Namespace { .. }) { bandwidth::order(fault)? } else { None };
    Ok(Order {
        fault: fault.id.clone(),
        kind: fault.kind.to_owned(),
        victims: victims.picked.clone(),
        restart_after: fault.with.duration("restart_after"),
        packets: if bandwidth.is_some() { None } else { packet::order(fault, inner.network.get())? },
        grace: fault.with.duration("grace"),
        bandwidth,
        stress: stress::order(fault, kept)?,
        slow: latency::order(fault, kept)?,
        pool: exhaust::order(fault)?,
        replicas: fault.with.number("replicas"),
        template: template::order(fault)?,
        pods: fault.with.number("pods"),
        access: access(&victims.picked)?,
        in_pods: (acts_inside(fault.kind) && first.object().is_some()).then(|| inner.image.clone()),
        follow: fault.follow,
        process: first.object().and_then(|pod| pod.process.clone()),
        // Each pod has its own.
        container_id: None,
        processors: None,
        seed: inner.seed,
    })
}

/// Whether a fault acts through the API of a cluster.
fn is_in_cluster(kind: &str) -> bool {
    ["pod.", "deployment.", "node.", "namespace."].iter().any(|group| kind.starts_with(group))
}

/// What leads to the cluster of the victims, if they have one.
fn access(victims: &[Victim]) -> Result<Option<Access>, KubernetesError> {
    victims.iter().find_map(Victim::object).map(|object| Access::again(&object.cluster)).transpose()
}

/// The agent waits for the engine of containers, or for a cluster, for a few calls at most.
fn answers_within(kind: &str) -> Duration {
    match kind {
        _ if kind.starts_with("container.") => ANSWER + ENGINE * 2,
        _ if is_in_cluster(kind) => ANSWER + CLUSTER * 2,
        _ => ANSWER,
    }
}

fn not_undone(why: String) -> Reverted {
    let effect = Seen::Absent("the agent could not be asked".into());
    Reverted { effect, rollback_verified: Some(false), residue: Vec::new(), error: Some(why) }
}

fn lost(reason: &str, left: Vec<String>) -> Reverted {
    Reverted {
        effect: Seen::Absent(format!("the agent was lost while it was active: {reason}")),
        rollback_verified: Some(left.is_empty()),
        residue: Vec::new(),
        error: (!left.is_empty()).then(|| left.join("; ")),
    }
}
