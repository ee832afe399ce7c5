//! A person's hand in the run: holding the timeline, taking a fault off or putting it on again, notes, the end.
//!
//! While the timeline is held its time stands still: `baseline`, `for`, `pause` and `recover` go on where they were. The
//! timeline itself knows nothing of it. It is asked with instants from which the holds before them are taken away, and what
//! it answers gets them back.
//!
//! A hold ends by itself, so that a fault which is in place never stays because somebody went home.

use std::time::Duration;

use brunt_report::facts::{OperatorAct, OperatorFacts};
use brunt_report::results::Severity;
use brunt_scenario::units::Offset;

use super::{Orchestrator, Phase, Todo, humane};
use crate::operator::Operator;
use crate::timeline::{self, FaultPhase, World};

/// The longest hold.
pub const HOLD_AT_MOST: Duration = Duration::from_secs(30 * 60);

/// What people did so far.
#[derive(Debug)]
pub struct Hands {
    acts: Vec<OperatorFacts>,
    /// One entry a turn: it is in place because a person wanted it, since their act with this index.
    injected: Vec<Option<usize>>,
}

impl Hands {
    /// Nobody has touched a run with so many turns of faults.
    pub fn new(turns: usize) -> Self {
        Self { acts: Vec::new(), injected: vec![None; turns] }
    }

    fn holds(&self) -> impl DoubleEndedIterator<Item = &OperatorFacts> {
        self.acts.iter().filter(|act| act.act == OperatorAct::Hold)
    }

    /// When the hold began that is on now.
    pub fn held_since(&self) -> Option<Offset> {
        self.holds().next_back().filter(|hold| hold.to.is_none()).map(|hold| hold.from)
    }

    /// Whether the timeline stands still.
    pub fn is_holding(&self) -> bool {
        self.held_since().is_some()
    }

    fn note(&mut self, act: OperatorAct, from: Offset) {
        self.acts.push(OperatorFacts { act, from, to: None });
    }

    /// The hold is over, if there is one.
    pub fn let_go(&mut self, now: Offset) {
        let open = |act: &&mut OperatorFacts| act.act == OperatorAct::Hold && act.to.is_none();
        if let Some(hold) = self.acts.iter_mut().find(open) {
            hold.to = Some(now);
        }
    }

    /// A fault is off: if a person had put it on, that ends here.
    pub fn removed(&mut self, fault: usize, at: Offset) {
        if let Some(act) = self.injected[fault].take() {
            self.acts[act].to = Some(at);
        }
    }

    /// An instant of the run as the timeline counts: without the time for which it was held before.
    pub fn without_holds(&self, at: Offset) -> Offset {
        let held = |hold: &OperatorFacts| hold.to.map_or(at, |to| to.min(at)).since(hold.from.min(at));
        Offset(at.0.saturating_sub(self.held_nanos(held)))
    }

    /// The way back, for an instant that is still to come.
    pub fn with_holds(&self, at: Offset) -> Offset {
        Offset(at.0.saturating_add(self.held_nanos(|hold| hold.to.unwrap_or(hold.from).since(hold.from))))
    }

    fn held_nanos(&self, of: impl Fn(&OperatorFacts) -> Duration) -> u64 {
        u64::try_from(self.holds().map(of).sum::<Duration>().as_nanos()).unwrap_or(u64::MAX)
    }

    /// The same for the instants in the phases of faults.
    pub fn phases_without_holds(&self, phases: &[FaultPhase]) -> Vec<FaultPhase> {
        let of = |phase: &FaultPhase| match phase {
            FaultPhase::Active(since) => FaultPhase::Active(self.without_holds(*since)),
            other => *other,
        };
        phases.iter().map(of).collect()
    }

    /// For the report.
    pub fn into_facts(self) -> Vec<OperatorFacts> {
        self.acts
    }
}

impl Orchestrator {
    /// When the hold began that is on now; for the screen.
    pub fn held_since(&self) -> Option<Offset> {
        self.hands.held_since()
    }

    /// Does what a person asks for, or says why not.
    pub(super) fn operated(&mut self, asked: Operator, now: Offset) -> Vec<Todo> {
        match asked {
            Operator::Hold => self.hold_or_go_on(now),
            Operator::Fault(fault) => return self.toggle(fault, now),
            Operator::Note(text) => {
                self.say(now, "operator.note", "note", text.clone());
                self.hands.note(OperatorAct::Note(text), now);
            }
            Operator::Abort => {
                if self.signals == 0 {
                    self.hands.note(OperatorAct::Abort, now);
                }
                return self.signal(2, now);
            }
        }
        Vec::new()
    }

    fn hold_or_go_on(&mut self, now: Offset) {
        if self.hands.is_holding() {
            self.go_on("a person let it go", now);
        } else if self.phase == Phase::Ending {
            self.say(now, "operator.refused", "hold", "the timeline is over".to_owned());
        } else {
            self.hands.note(OperatorAct::Hold, now);
            let limit = humane(HOLD_AT_MOST);
            self.say(now, "operator.hold", "timeline", format!("held by a person, for {limit} at most; load goes on"));
        }
    }

    fn go_on(&mut self, why: &str, now: Offset) {
        let Some(since) = self.hands.held_since() else { return };
        self.hands.let_go(now);
        let held = humane(now.since(since));
        self.say(now, "operator.resume", "timeline", format!("goes on after {held}: {why}"));
        let text = format!(
            "The timeline was held by a person for {held}: gates of windows that the hold lies in prove nothing."
        );
        self.finding(Severity::Warning, text, Some(since));
    }

    /// A hold has a limit.
    pub(super) fn let_go_in_time(&mut self, now: Offset) {
        if self.hands.held_since().is_some_and(|since| now >= since.after(HOLD_AT_MOST)) {
            self.go_on("no hold is longer than this", now);
        }
    }

    /// A load with a fixed length ends when it ends, however long the timeline was held.
    pub(super) fn load_ended_before_the_timeline(&mut self, now: Offset) -> Vec<Todo> {
        if self.hands.holds().next().is_some() {
            self.go_on("the load has ended", now);
            let text =
                "The load ended before the timeline, because the timeline had been held: what came after met no load.";
            self.finding(Severity::Warning, text.to_owned(), Some(now));
        }
        Vec::new()
    }

    fn toggle(&mut self, fault: usize, now: Offset) -> Vec<Todo> {
        let Some(facts) = self.faults.get(fault) else { return Vec::new() };
        let id = facts.id.clone();
        let refused = match (self.phases[fault], facts.instant) {
            _ if self.phase != Phase::Timeline => "faults are a matter of the timeline, and that does not run",
            (FaultPhase::Planned, _) => "its turn has not come",
            (FaultPhase::Injecting | FaultPhase::Removing, _) => "it is being changed at this moment",
            (FaultPhase::Active(_), true) => "what it did cannot be taken back; its target is not whole again yet",
            (FaultPhase::Active(_), false) => {
                self.say_of(now, "operator.removes", fault, "taken off by a person".to_owned());
                if self.hands.injected[fault].is_none() {
                    self.hands.note(OperatorAct::Removed { fault: id.clone() }, now);
                    let text = format!("`{id}` was taken off by a person before its time: its gates prove nothing.");
                    self.finding(Severity::Warning, text, Some(now));
                }
                return self.begin_revert(fault, now);
            }
            (FaultPhase::Removed, _) => {
                self.say_of(now, "operator.injects", fault, "injected again by a person".to_owned());
                self.hands.injected[fault] = Some(self.hands.acts.len());
                self.hands.note(OperatorAct::Injected { fault: id.clone() }, now);
                let text =
                    format!("`{id}` was injected again by a person: gates of windows that this lies in prove nothing.");
                self.finding(Severity::Warning, text, Some(now));
                return self.begin_inject(fault);
            }
        };
        self.say_of(now, "operator.refused", fault, refused.to_owned());
        Vec::new()
    }

    /// Faults that a person injected stay for as long as the scenario says, counted anew.
    pub(super) fn revert_what_hands_injected(&mut self, now: Offset) -> Vec<Todo> {
        let due: Vec<usize> = self.hand_deadlines().filter(|(_, at)| now >= *at).map(|(fault, _)| fault).collect();
        due.into_iter().flat_map(|fault| self.begin_revert(fault, now)).collect()
    }

    /// Which of them end when, if nobody holds the timeline.
    fn hand_deadlines(&self) -> impl Iterator<Item = (usize, Offset)> + '_ {
        let turns = timeline::turns_of(&self.plan.timeline);
        turns.into_iter().enumerate().filter_map(|(index, turn)| {
            let FaultPhase::Active(since) = self.phases[index] else { return None };
            self.hands.injected[index]?;
            let end = self.hands.without_holds(since).after(turn.fault.lasts?);
            Some((index, self.hands.with_holds(end)))
        })
    }

    /// The next instant at which time alone decides something in the timeline.
    pub(super) fn timeline_deadline(&self) -> Option<Offset> {
        if let Some(since) = self.hands.held_since() {
            return Some(since.after(HOLD_AT_MOST));
        }
        let phases = self.hands.phases_without_holds(&self.phases);
        let next = self.timeline.next_deadline(World { faults: &phases, recovered: false });
        let next = next.map(|at| self.hands.with_holds(at));
        next.into_iter().chain(self.hand_deadlines().map(|(_, at)| at)).min()
    }
}
