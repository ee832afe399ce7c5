//! What the runner's side knows about services, kept up to date by the agent's notices, and what it does when the agent is
//! lost: everything that the agent would have done.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use brunt_scenario::units::Offset;
use rustix::time::{ClockId, clock_gettime};
use tokio::sync::mpsc::UnboundedSender;

use super::{Clock, locked};
use crate::agent::handle::Notice;
use crate::agent::protocol::{Happening, Instance, StopReport};
use crate::agent::services::Key;
use crate::error::Error;
use crate::event::Event;
use crate::fault::Undo;
use crate::journal;
use crate::process::ProcessId;
use crate::target::{Members, Victim};
use crate::undo;

/// What came of undoing in place of an agent that was lost.
struct Recovered {
    /// What could not be undone.
    left: Vec<String>,
    /// What people should know of the rest.
    told: Vec<String>,
}

/// Shared by the injector and the thread that hears the agent.
pub(super) struct Watch {
    run_id: String,
    journal: PathBuf,
    events: UnboundedSender<Event>,
    clock: Clock,
    services_expected: AtomicBool,
    instances: Mutex<BTreeMap<Key, Known>>,
    /// How processes ended whose start was not known yet: the notice came before the answer. Locked after `instances`.
    overtook: Mutex<Vec<(ProcessId, String)>>,
    /// What undoes the faults that the agent holds.
    undo: Mutex<BTreeMap<String, Vec<Undo>>>,
    /// What could not be undone when the agent was lost.
    left: Mutex<Vec<String>>,
}

/// What is known about an instance.
struct Known {
    process: Option<ProcessId>,
    /// How it ended, when it has.
    status: Option<String>,
    /// The fault that took it down.
    down_by: Option<String>,
    stop_within: Duration,
}

impl Watch {
    pub fn new(run_id: String, journal: PathBuf, events: UnboundedSender<Event>, clock: Clock) -> Self {
        Self {
            run_id,
            journal,
            events,
            clock,
            services_expected: AtomicBool::new(false),
            instances: Mutex::default(),
            overtook: Mutex::default(),
            undo: Mutex::default(),
            left: Mutex::default(),
        }
    }

    pub fn run_id(&self) -> &str {
        &self.run_id
    }

    /// `true` the first time.
    pub fn expect_services(&self) -> bool {
        !self.services_expected.swap(true, Ordering::SeqCst)
    }

    /// From the answer to a start. The notice of its end may have overtaken it; if not, it is still to come, so that a
    /// process counts as running until it is known how it ended.
    pub fn started(&self, key: Key, process: ProcessId, stop_within: Duration) {
        let mut instances = locked(&self.instances);
        let mut overtook = locked(&self.overtook);
        let ended = overtook.iter().position(|(ended, _)| *ended == process).map(|at| overtook.swap_remove(at).1);
        let process = ended.is_none().then_some(process);
        instances.insert(key, Known { process, status: ended, down_by: None, stop_within });
    }

    pub fn stopped(&self, key: &Key) {
        if let Some(known) = locked(&self.instances).get_mut(key) {
            known.process = None;
        }
    }

    /// How an instance ended; `None` while it runs.
    pub fn ended(&self, key: &Key) -> Option<String> {
        let instances = locked(&self.instances);
        let known = instances.get(key).filter(|known| known.process.is_none())?;
        Some(known.status.clone().unwrap_or_else(|| "ended with the agent".into()))
    }

    /// Stopping all services one after the other takes at most so long.
    pub fn time_to_stop(&self) -> Duration {
        locked(&self.instances).values().map(|known| known.stop_within).sum()
    }

    pub fn stop_within(&self, key: &Key) -> Duration {
        locked(&self.instances).get(key).map_or(Duration::ZERO, |known| known.stop_within)
    }

    /// A report for each instance that should have been stopped and was not.
    pub fn not_stopped(&self, error: &Error) -> Vec<StopReport> {
        let instances = locked(&self.instances);
        let alive = instances.iter().filter(|(_, known)| known.process.is_some());
        let report = |(key, _): (&Key, &Known)| StopReport {
            service: key.0.clone(),
            index: key.1,
            status: format!("not stopped: {error}"),
            killed: false,
            took: Duration::ZERO,
        };
        alive.map(report).collect()
    }

    /// The instances of a service; those that a fault took down count as hit until they are back.
    pub fn instances_of(&self, name: &str, held: &[Victim]) -> Members {
        let instances = locked(&self.instances);
        let mut members = Members { alive: Vec::new(), total: 0, hit: Vec::new() };
        for ((service, index), known) in instances.iter().filter(|(key, _)| key.0 == name) {
            members.total += 1;
            let victim = Victim::Instance { service: service.clone(), index: *index, process: known.process };
            let is_held = held.iter().any(|held| held.instance() == victim.instance());
            if is_held || known.down_by.is_some() {
                members.hit.push(victim.clone());
            }
            if known.process.is_some() {
                members.alive.push(victim);
            }
        }
        members
    }

    /// The agent holds this fault from now on.
    pub fn holds(&self, fault: &str, undo: Vec<Undo>) {
        locked(&self.undo).insert(fault.to_owned(), undo);
    }

    /// What undoes this one, while it is held.
    pub fn held(&self, fault: &str) -> Vec<Undo> {
        locked(&self.undo).get(fault).cloned().unwrap_or_default()
    }

    /// It does not any more.
    pub fn let_go(&self, fault: &str) {
        locked(&self.undo).remove(fault);
    }

    /// What is left since the agent was lost.
    pub fn left_behind(&self) -> Vec<String> {
        locked(&self.left).clone()
    }

    /// The run's clock.
    pub fn now(&self) -> Offset {
        (self.clock)()
    }

    /// Tells the runner, if it still listens.
    pub fn tell(&self, event: Event) {
        let _ = self.events.send(event);
    }

    /// On the thread that reads what the agent says.
    pub fn hear(&self, notice: Notice) {
        let event = match notice {
            Notice::Happened(at, happening) => self.note(self.offset(at), happening),
            Notice::Lost(reason) => {
                let at = (self.clock)();
                let Recovered { left, told } = self.recover();
                let left = left.iter().map(|one| format!("; left behind: {one}"));
                let told = told.iter().map(|one| format!("; {one}"));
                Event::AgentLost { at, reason: left.chain(told).fold(reason, |text, one| text + &one) }
            }
        };
        // The runner has dropped its receiver: it is about to end, and the agent with it.
        let _ = self.events.send(event);
    }

    /// An instant on CLOCK_MONOTONIC as an offset on the run's clock.
    fn offset(&self, at: u64) -> Offset {
        let now = clock_gettime(ClockId::Monotonic);
        let now = now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64;
        Offset((self.clock)().0.saturating_sub(now.saturating_sub(at)))
    }

    fn note(&self, at: Offset, happening: Happening) -> Event {
        let mut instances = locked(&self.instances);
        match happening {
            Happening::Exited { instance, status, by_fault } => {
                let Instance { service, index, process, log_from } = instance;
                let known = instances.get_mut(&(service.clone(), index));
                match known.filter(|known| known.process.is_none_or(|known| known == process)) {
                    Some(known) => {
                        (known.process, known.status) = (None, Some(status.clone()));
                        known.down_by = by_fault.clone();
                    }
                    None => locked(&self.overtook).push((process, status.clone())),
                }
                Event::InstanceExited { service, index, pid: process.pid, log_from, at, status, by_fault }
            }
            Happening::Started(Instance { service, index, process, log_from }) => {
                if let Some(known) = instances.get_mut(&(service.clone(), index)) {
                    (known.process, known.status, known.down_by) = (Some(process), None, None);
                }
                Event::InstanceStarted { service, index, pid: process.pid, log_from, at }
            }
            Happening::NotStarted { service, index, reason } => {
                Event::InstanceNotStarted { service, index, at, reason }
            }
        }
    }

    /// Undoes what the agent held. It has done so itself if it could, and then there is nothing to do.
    fn recover(&self) -> Recovered {
        let (mut left, mut told) = (Vec::new(), Vec::new());
        let mut held = std::mem::take(&mut *locked(&self.undo));
        // Held up by the services that live in it.
        let network = held.remove_entry(journal::NETWORK);
        // What the agent has noted as undone may have changed again since, by somebody else's hand.
        let open = journal::read(&self.journal).ok().map(|found| found.open);
        let is_open = |fault: &str| open.as_ref().is_none_or(|open| open.iter().any(|entry| entry.fault == fault));
        for (fault, undo) in held.into_iter().filter(|(fault, _)| is_open(fault)) {
            left.extend(self.undo_in_its_place(&fault, &undo, &mut told).err());
        }
        match undo::end_marked(&self.run_id) {
            Ok(_) if self.services_expected.load(Ordering::SeqCst) => {
                let noted = journal::note_undone(&self.journal, journal::SERVICES, "runner");
                left.extend(noted.err().map(|error| error.to_string()));
            }
            Ok(_) => {}
            Err(error) => left.push(error),
        }
        if let Some((fault, undo)) = network.filter(|(fault, _)| is_open(fault)) {
            left.extend(self.undo_in_its_place(&fault, &undo, &mut told).err());
        }
        for known in locked(&self.instances).values_mut() {
            known.process = None;
        }
        locked(&self.left).extend(left.iter().cloned());
        Recovered { left, told }
    }

    /// Undoes a fault that the agent held, and notes it. What became of a cluster's objects goes to `told`: somebody else may
    /// have changed them meanwhile, and they are left alone then.
    fn undo_in_its_place(&self, fault: &str, undo: &[Undo], told: &mut Vec<String>) -> Result<(), String> {
        let mut failures = Vec::new();
        for one in undo {
            match undo::apply(one) {
                Ok(done) if matches!(one, Undo::Cluster { .. }) => told.extend(done),
                Ok(_) => {}
                Err(why) => failures.push(why),
            }
        }
        match failures.is_empty() {
            true => journal::note_undone(&self.journal, fault, "runner").map_err(|error| error.to_string()),
            false => Err(format!("{fault}: {}", failures.join("; "))),
        }
    }
}
