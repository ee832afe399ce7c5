//! What the agent tells of the services: who ended, who came back, and what each ends with.

use brunt_report::facts::Stopped;
use brunt_report::results::{Finding, InstanceData, Severity};
use brunt_scenario::plan::Target;
use brunt_scenario::units::Offset;

use super::{Orchestrator, Todo};

impl Orchestrator {
    pub(super) fn injector_says(&mut self, event: brunt_injector::Event, now: Offset) -> Vec<Todo> {
        match event {
            brunt_injector::Event::InstanceExited { service, index, log_from, status, by_fault, .. } => {
                if let Some(ready) = self.ready.get_mut(&service).and_then(|ready| ready.get_mut(index)) {
                    *ready = false;
                }
                let name = format!("{service}#{index}");
                let mut todos = vec![Todo::SetReady { service: service.clone(), index, ready: false }];
                match by_fault {
                    Some(fault) => {
                        // As `round_id` has made it.
                        let by = match fault.split_once('#') {
                            Some((id, round)) => format!("`{id}`, round {round}"),
                            None => format!("`{fault}`"),
                        };
                        self.say(now, "service.killed", &name, format!("{status}, by fault {by}"));
                    }
                    None => {
                        self.say(now, "service.exited", &name, format!("{status}, without a fault"));
                        let text = format!("service `{service}`, instance {index}, exited by itself: {status}");
                        todos.push(self.found_instance(text, (service, index), Some(status), log_from, now));
                    }
                }
                todos
            }
            brunt_injector::Event::InstanceStarted { service, index, pid, log_from, .. } => {
                self.say(now, "service.started", &format!("{service}#{index}"), format!("again, as process {pid}"));
                vec![Todo::AwaitReady { service, index, log_from }]
            }
            brunt_injector::Event::InstanceNotStarted { service, index, reason, .. } => {
                self.say(now, "service.not_started", &format!("{service}#{index}"), reason.clone());
                let text = format!("service `{service}`, instance {index}, was not started again: {reason}");
                self.finding(Severity::Error, text, Some(now));
                Vec::new()
            }
            brunt_injector::Event::Followed { fault, gone, victim, at } => {
                if let Some(fault) = self.turn_of(&fault) {
                    self.say_of(at, "fault.followed", fault, format!("{victim} replaces {gone} and gets it"));
                    self.faults[fault].instances.push(victim);
                }
                Vec::new()
            }
            brunt_injector::Event::NotFollowed { fault, reason, at } => {
                if let Some(fault) = self.turn_of(&fault) {
                    let name = self.faults[fault].name();
                    self.say_of(at, "fault.not_followed", fault, reason.clone());
                    self.finding(Severity::Error, format!("fault {name} does not follow: {reason}"), Some(at));
                }
                Vec::new()
            }
            brunt_injector::Event::PeersChanged { fault, change, at } => {
                if let Some(fault) = self.turn_of(&fault) {
                    self.say_of(at, "fault.peers", fault, change);
                }
                Vec::new()
            }
            brunt_injector::Event::PeersUnknown { fault, reason, at } => {
                if let Some(fault) = self.turn_of(&fault) {
                    let name = self.faults[fault].name();
                    self.say_of(at, "fault.peers_unknown", fault, reason.clone());
                    let text = format!("whom `from` of fault {name} means was not known for a while: {reason}");
                    self.finding(Severity::Warning, text, Some(at));
                }
                Vec::new()
            }
            brunt_injector::Event::AgentLost { reason, .. } => {
                self.say(now, "agent.lost", "agent", reason.clone());
                self.stop(Stopped::Invalid(format!("the agent that holds the faults is gone: {reason}")), now)
            }
        }
    }

    pub(super) fn instance_ready(
        &mut self,
        (service, index): (String, usize),
        log_from: u64,
        outcome: Result<(), String>,
        now: Offset,
    ) -> Vec<Todo> {
        let name = format!("{service}#{index}");
        match outcome {
            Ok(()) => {
                if let Some(ready) = self.ready.get_mut(&service).and_then(|ready| ready.get_mut(index)) {
                    *ready = true;
                }
                self.say(now, "service.ready", &name, "answers again".to_owned());
                let mut todos = vec![Todo::SetReady { service, index, ready: true }];
                for fault in 0..self.phases.len() {
                    todos.extend(self.whole_again(fault, self.ready_members(fault), now));
                }
                todos
            }
            Err(why) => {
                self.say(now, "service.not_ready", &name, why.clone());
                let text = format!("service `{service}`, instance {index}, did not come back: {why}");
                vec![self.found_instance(text, (service, index), None, log_from, now)]
            }
        }
    }

    /// A finding about an instance; its last lines are asked for.
    fn found_instance(
        &mut self,
        text: String,
        (service, index): (String, usize),
        status: Option<String>,
        log_from: u64,
        now: Offset,
    ) -> Todo {
        let instance = InstanceData {
            service: service.clone(),
            index,
            status,
            log: format!("services/{service}-{index}.log"),
            last_lines: Vec::new(),
        };
        let at_s = Some(now.as_secs_f64());
        self.findings.push(Finding { severity: Severity::Error, text, at_s, instance: Some(instance) });
        self.logs_asked += 1;
        Todo::ReadLog { finding: self.findings.len() - 1, service, index, log_from }
    }

    /// Ready members of a fault's target, where it is a service; 0 for anything else.
    pub(super) fn ready_members(&self, fault: usize) -> usize {
        match self.plan.targets.get(&self.faults[fault].target) {
            Some(Target::Service(service)) => {
                self.ready.get(service).map_or(0, |ready| ready.iter().filter(|ready| **ready).count())
            }
            _ => 0,
        }
    }
}
