//! The life of a fault as the orchestrator sees it: asked for, in place, looked at, undone, whole again.

use brunt_injector::{Reverted, Rung, Seen};
use brunt_report::facts::{Effect, FaultFacts, Stopped};
use brunt_report::results::Severity;
use brunt_scenario::metric::WindowName;
use brunt_scenario::plan::{Plan, Target, round_id};
use brunt_scenario::units::Offset;

use super::{Hit, Orchestrator, Phase, Todo};
use crate::timeline::{FaultPhase, Turn};

impl Orchestrator {
    pub(super) fn begin_inject(&mut self, fault: usize) -> Vec<Todo> {
        self.phases[fault] = FaultPhase::Injecting;
        self.whole_at[fault] = self.members_when_whole(fault);
        self.since_recover.push(fault);
        vec![Todo::Inject(fault)]
    }

    /// Its window is open since `at`. Victims may take a while to be found, in a cluster some tenths of a second: that is no
    /// part of it.
    pub(super) fn injecting(&mut self, fault: usize, at: Offset) -> Vec<Todo> {
        // A person may inject it again: its window has a second span then, and its times go from the first to the last.
        self.faults[fault].injecting_at.get_or_insert(at);
        let text = format!("{} on {}", self.faults[fault].kind, self.faults[fault].target);
        self.say_of(at, "fault.injecting", fault, text);
        Vec::new()
    }

    /// What acts at an instant has acted; what lasts is in place when that is seen, for its length counts from then.
    pub(super) fn made(&mut self, fault: usize, instances: &[String], at: Offset) -> Vec<Todo> {
        if self.faults[fault].instant {
            self.in_place(fault, instances, at);
        }
        Vec::new()
    }

    fn in_place(&mut self, fault: usize, instances: &[String], at: Offset) {
        self.faults[fault].active_at.get_or_insert(at);
        self.say_of(at, "fault.active", fault, format!("in place on {}", instances.join(", ")));
    }

    pub(super) fn begin_revert(&mut self, fault: usize, now: Offset) -> Vec<Todo> {
        let facts = &mut self.faults[fault];
        facts.removing_at = Some(now);
        self.phases[fault] = FaultPhase::Removing;
        if !facts.instant {
            self.say_of(now, "fault.removing", fault, "undoing".to_owned());
        }
        vec![Todo::Revert(fault)]
    }

    pub(super) fn injected(&mut self, fault: usize, outcome: Result<Hit, String>, now: Offset) -> Vec<Todo> {
        let id = self.faults[fault].id.clone();
        match outcome {
            Ok(Hit { instances, of, rung }) => {
                if let Some(rung) = &rung {
                    self.faults[fault].mechanism.clone_from(&rung.by);
                }
                if self.hits_strangers(fault) {
                    // Nobody tells how many strangers there are but a look at them, and the last one before the act counts.
                    self.whole_at[fault] = self.whole_at[fault].max(of);
                }
                if !self.faults[fault].instant {
                    self.in_place(fault, &instances, now);
                }
                if let Some(Rung { by, why_not_higher }) = rung {
                    let why = why_not_higher.map(|why| format!(": {why}"));
                    self.say_of(now, "fault.rung", fault, format!("by {by}{}", why.unwrap_or_default()));
                }
                self.faults[fault].instances = instances;
                self.phases[fault] = FaultPhase::Active(now);
                if self.phase == Phase::Ending { self.begin_revert(fault, now) } else { Vec::new() }
            }
            Err(why) => {
                let at = self.record.close_window(&WindowName::Fault(id.clone()));
                self.phases[fault] = FaultPhase::Removed;
                self.faults[fault].removed_at = Some(at);
                self.faults[fault].effect = Effect::Absent(format!("it could not be injected: {why}"));
                self.say_of(at, "fault.failed", fault, why.clone());
                let name = self.faults[fault].name();
                self.stop(Stopped::Invalid(format!("fault {name} could not be injected: {why}")), now)
            }
        }
    }

    pub(super) fn verified(&mut self, fault: usize, outcome: Result<Seen, String>, now: Offset) -> Vec<Todo> {
        self.verifying[fault] = false;
        if !matches!(self.phases[fault], FaultPhase::Active(_)) {
            // It was taken off meanwhile: what `revert` says of its effect counts.
            return Vec::new();
        }
        let name = self.faults[fault].name();
        match outcome {
            Ok(Seen::Yes(how)) => {
                if !matches!(self.faults[fault].effect, Effect::Verified(_)) {
                    self.say_of(now, "fault.verified", fault, how.clone());
                }
                self.faults[fault].effect = Effect::Verified(how);
                Vec::new()
            }
            Ok(Seen::NotExercised(why)) => {
                self.faults[fault].effect = Effect::NotExercised(why);
                Vec::new()
            }
            Ok(Seen::Absent(why)) => {
                self.say_of(now, "fault.absent", fault, why.clone());
                let sentence = format!("fault {name} is in place, but its effect is absent: {why}");
                self.faults[fault].effect = Effect::Absent(why);
                self.stop(Stopped::Invalid(sentence), now)
            }
            Err(why) => {
                self.say_of(now, "fault.unverifiable", fault, why.clone());
                self.faults[fault].effect = Effect::Absent(why.clone());
                self.stop(Stopped::Invalid(format!("the effect of fault {name} could not be looked at: {why}")), now)
            }
        }
    }

    pub(super) fn reverted(&mut self, fault: usize, outcome: Reverted) -> Vec<Todo> {
        let id = self.faults[fault].id.clone();
        let instant = self.faults[fault].instant;
        let at = self.record.close_window(&WindowName::Fault(id.clone()));
        self.phases[fault] = FaultPhase::Removed;
        self.hands.removed(fault, at);
        let facts = &mut self.faults[fault];
        facts.rollback_verified = outcome.rollback_verified;
        facts.residue = outcome.residue;
        if !instant {
            facts.removed_at = Some(at);
        }
        // What was seen at the end replaces "not exercised yet", but never a verdict that was already reached.
        if !matches!(facts.effect, Effect::Absent(_)) {
            facts.effect = match outcome.effect {
                Seen::Yes(how) => Effect::Verified(how),
                Seen::NotExercised(why) => Effect::NotExercised(why),
                Seen::Absent(why) => Effect::Absent(why),
            };
        }
        match outcome.error {
            Some(error) => {
                self.say_of(at, "fault.stuck", fault, error.clone());
                let name = self.faults[fault].name();
                let text = format!("fault {name} could not be undone: {error}. Run `brunt cleanup`.");
                self.finding(Severity::Error, text, Some(at));
            }
            None if !instant => self.say_of(at, "fault.removed", fault, "undone".to_owned()),
            None => {}
        }
        Vec::new()
    }

    pub(super) fn members(&mut self, fault: usize, count: usize, now: Offset) -> Vec<Todo> {
        self.whole_again(fault, count, now)
    }

    /// Whether a fault hits processes, containers or pods that brunt did not start.
    pub(super) fn hits_strangers(&self, fault: usize) -> bool {
        matches!(
            self.plan.targets.get(&self.faults[fault].target),
            Some(Target::Process(_) | Target::Docker(_) | Target::Kubernetes(_))
        )
    }

    /// An instant fault's window ends when its target has as many ready members as before.
    pub(super) fn whole_again(&mut self, fault: usize, members: usize, now: Offset) -> Vec<Todo> {
        let waiting = self.faults[fault].instant && matches!(self.phases[fault], FaultPhase::Active(_));
        if !waiting || self.whole_at[fault] == 0 || members < self.whole_at[fault] {
            return Vec::new();
        }
        let id = self.faults[fault].id.clone();
        let at = self.record.close_window(&WindowName::Fault(id.clone()));
        self.faults[fault].removed_at = Some(at);
        self.say_of(at, "fault.removed", fault, "the target is whole again".to_owned());
        self.begin_revert(fault, now)
    }

    /// How many ready members make a fault's target whole: as many as it has now, or as many as it had before an earlier kill
    /// that it has not got over yet.
    fn members_when_whole(&self, fault: usize) -> usize {
        let target = &self.faults[fault].target;
        let hit = |other: &usize| matches!(self.phases[*other], FaultPhase::Active(_)) && self.faults[*other].instant;
        let same = |other: &usize| self.faults[*other].target == *target;
        let before = (0..self.phases.len()).filter(hit).filter(same).map(|other| self.whole_at[other]).max();
        self.ready_members(fault).max(before.unwrap_or(0))
    }

    /// The turn that is called so by the injector.
    pub(super) fn turn_of(&self, called: &str) -> Option<usize> {
        self.faults.iter().position(|facts| round_id(&facts.id, facts.round) == called)
    }

    /// Something happened to a turn of a fault.
    pub(super) fn say_of(&mut self, at: Offset, kind: &str, fault: usize, text: String) {
        let facts = &self.faults[fault];
        let text = if facts.rounds > 1 { format!("{text}, round {} of {}", facts.round, facts.rounds) } else { text };
        let id = facts.id.clone();
        self.say(at, kind, &id, text);
    }
}

/// A turn that has not come.
pub(super) fn planned(plan: &Plan, turn: Turn<'_>) -> FaultFacts {
    let fault = turn.fault;
    let target = plan.targets.get(&fault.target);
    let entry = target.and_then(|target| brunt_injector::catalogue::of_fault(fault, target.kind()));
    FaultFacts {
        id: fault.id.clone(),
        round: turn.round,
        rounds: fault.rounds(),
        kind: fault.kind.to_owned(),
        target: fault.target.clone(),
        instances: Vec::new(),
        mechanism: entry.map_or_else(String::new, |entry| entry.rung.to_owned()),
        instant: brunt_injector::is_instant(fault.kind),
        injecting_at: None,
        active_at: None,
        removing_at: None,
        removed_at: None,
        effect: Effect::NotInjected,
        rollback_verified: None,
        residue: Vec::new(),
    }
}
