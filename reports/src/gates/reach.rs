//! Whether a gate's window came about, whole and undisturbed.

use std::time::Duration;

use brunt_scenario::metric::{Metric, WindowName};
use brunt_scenario::plan::{Fault, Item};
use brunt_scenario::units::Offset;

use super::{Evidence, stop_word};
use crate::facts::{Effect, OperatorAct, OperatorFacts, Stopped};
use crate::render::format;

/// A window that is shorter than planned by less than this share is whole: edges are stamped by people's clocks and kernels.
const WHOLE: f64 = 0.999;

/// How much of its window a gate can be judged on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reach {
    /// All of it.
    Whole,
    /// The run ended during it; says so.
    CutShort(String),
    /// It never began.
    Never,
}

impl Evidence<'_> {
    /// How far the run got into a window.
    pub(super) fn reach(&self, name: &WindowName, metric: Metric) -> Reach {
        let Some(stopped) = &self.facts.stopped else {
            return if self.began(name) { Reach::Whole } else { Reach::Never };
        };
        // The run was given up before the part that gates are about.
        if matches!(stopped, Stopped::SteadyStateNotMet(_)) || !self.began(name) {
            return Reach::Never;
        }
        if metric == Metric::RecoveryTime && self.recover_cut_short(name) {
            return Reach::Never;
        }
        if self.is_whole(name) { Reach::Whole } else { Reach::CutShort(format!("cut short: {}", stop_word(stopped))) }
    }

    fn began(&self, name: &WindowName) -> bool {
        match name {
            WindowName::Fault(id) => {
                self.facts.faults.iter().any(|fault| fault.id == *id && fault.injecting_at.is_some())
            }
            _ => self.measured.windows.contains_key(name),
        }
    }

    fn recover_cut_short(&self, name: &WindowName) -> bool {
        let WindowName::Fault(id) = name else { return false };
        !self.recovered_whole(id)
    }

    fn recovered_whole(&self, id: &String) -> bool {
        self.facts.recovers.iter().any(|recover| recover.faults.contains(id) && !recover.cut_short)
    }

    fn is_whole(&self, name: &WindowName) -> bool {
        match name {
            WindowName::Warmup => true,
            WindowName::Run => false,
            WindowName::Baseline => {
                let planned: Duration = self.plan.timeline.iter().map(baseline_of).sum();
                self.measured.windows.get(name).is_some_and(|window| window.length_s() >= planned.as_secs_f64() * WHOLE)
            }
            WindowName::Recovery(id) => self.recovered_whole(id),
            WindowName::Fault(id) => self.fault_is_whole(id),
        }
    }

    /// It was active for as long as the plan says, in every round; an instant fault: its target became whole again.
    fn fault_is_whole(&self, id: &str) -> bool {
        let planned = self.plan.timeline.iter().find_map(|item| fault_in(item, id));
        let lasts = planned.and_then(|fault| fault.lasts);
        let long_enough =
            |active: Duration| lasts.is_none_or(|lasts| active.as_secs_f64() >= lasts.as_secs_f64() * WHOLE);
        let removed = self.facts.faults.iter().filter(|fault| fault.id == id && fault.removed_at.is_some());
        let whole = removed.filter(|fault| {
            fault.instant
                || fault.active_at.zip(fault.removing_at).is_some_and(|(from, to)| long_enough(to.since(from)))
        });
        whole.count() >= planned.map_or(1, |fault| fault.rounds() as usize)
    }

    /// Why what was measured in a window says nothing about the system that was asked about: a person had a hand in it, or
    /// an instance had ended by itself before the window began.
    pub(super) fn spoilt(&self, name: &WindowName) -> Option<String> {
        if let Some(told) = self.facts.operator.iter().find_map(|act| self.touched(name, act)) {
            return Some(told);
        }
        let begin = self.measured.windows.get(name)?.from().as_secs_f64();
        self.exit(|at_s| at_s < begin).map(|told| format!("{told}, before the window began"))
    }

    /// What a person did to a window, if this act touches it: a hold makes it longer than the scenario says, a fault that was
    /// put on or taken off by hand makes it another experiment.
    fn touched(&self, name: &WindowName, act: &OperatorFacts) -> Option<String> {
        let (from, to) = (act.from, act.to.unwrap_or(self.facts.ended));
        let meets = |until: Offset| {
            let spans = self.measured.windows.get(name).map(|window| window.spans.as_slice()).unwrap_or_default();
            spans.iter().any(|(begin, end)| from <= *end && until >= *begin)
        };
        let at = format::seconds(from.as_secs_f64());
        let until = format::seconds(to.as_secs_f64());
        let own = |fault: &String| {
            matches!(name, WindowName::Fault(id) | WindowName::Recovery(id) if id == fault) || *name == WindowName::Run
        };
        match &act.act {
            OperatorAct::Hold if meets(to) => Some(format!("a person held the timeline from {at} to {until}")),
            OperatorAct::Removed { fault } if own(fault) => Some(format!("a person took `{fault}` off at {at}")),
            OperatorAct::Injected { fault } if own(fault) || meets(to) => {
                Some(format!("a person injected `{fault}` again, from {at} to {until}"))
            }
            _ => None,
        }
    }

    /// Why a window cannot pass, though it may fail: an instance ended by itself in it.
    pub(super) fn lost_instance(&self, name: &WindowName) -> Option<String> {
        let end = self.measured.windows.get(name)?.to().as_secs_f64();
        self.exit(|at_s| at_s < end)
    }

    fn exit(&self, when: impl Fn(f64) -> bool) -> Option<String> {
        let exit = self.facts.events.iter().find(|event| event.kind == "service.exited" && when(event.at_s))?;
        Some(format!("`{}` ended by itself at {}", exit.subject, format::seconds(exit.at_s)))
    }

    /// Why a fault's window cannot pass: no traffic met the fault.
    pub(super) fn not_exercised(&self, name: &WindowName) -> Option<String> {
        let (WindowName::Fault(id) | WindowName::Recovery(id)) = name else { return None };
        self.facts.faults.iter().filter(|fault| fault.id == *id).find_map(|fault| match &fault.effect {
            Effect::NotExercised(why) => Some(format!("no traffic exercised the fault: {why}")),
            _ => None,
        })
    }
}

fn baseline_of(item: &Item) -> Duration {
    match item {
        Item::Baseline(length) => *length,
        Item::Parallel(members) => members.iter().map(|member| baseline_of(&member.item)).sum(),
        Item::Pause(_) | Item::Load(_) | Item::Recover { .. } | Item::Fault(_) => Duration::ZERO,
    }
}

/// The fault with an id, wherever it stands in an item of the timeline.
pub fn fault_in<'a>(item: &'a Item, id: &str) -> Option<&'a Fault> {
    match item {
        Item::Fault(fault) => (fault.id == id).then_some(fault),
        Item::Parallel(members) => members.iter().find_map(|member| fault_in(&member.item, id)),
        Item::Baseline(_) | Item::Pause(_) | Item::Load(_) | Item::Recover { .. } => None,
    }
}
