//! The steady state: how its objectives and probes stand, whether it held long enough to begin, whether it is back.

use brunt_report::facts::Stopped;
use brunt_report::render::format;
use brunt_scenario::plan::{Bound, SteadyState};
use brunt_scenario::units::Offset;

use super::{Orchestrator, Phase, Todo, humane};
use crate::timeline::FaultPhase;

impl Orchestrator {
    pub(super) fn probed(&mut self, probe: usize, outcome: Result<(), String>, now: Offset) -> Vec<Todo> {
        let state = &mut self.probes[probe];
        state.facts.asked += 1;
        let held = state.holds;
        state.holds = Some(outcome.is_ok());
        let id = state.facts.id.clone();
        match outcome {
            Ok(()) if held == Some(false) => self.say(now, "probe.holds", &id, "holds again".to_owned()),
            Ok(()) => {}
            Err(why) => {
                state.facts.failed += 1;
                state.facts.last_failure = Some(why.clone());
                if held != Some(false) {
                    self.say(now, "probe.failed", &id, why);
                }
            }
        }
        Vec::new()
    }

    pub(super) fn look_at_slos(&mut self, now: Offset) {
        let statuses = self.record.lock().recorder.slo_status(&self.plan, now);
        for (index, status) in statuses.into_iter().enumerate() {
            let before = std::mem::replace(&mut self.slos[index], status.holds);
            let id = self.plan.slos[index].id.clone();
            match (before, status.holds) {
                (Some(true) | None, Some(false)) => {
                    self.say(now, "slo.broken", &id, self.slo_text(index, status.value));
                }
                (Some(false) | None, Some(true)) => self.say(now, "slo.holds", &id, self.slo_text(index, status.value)),
                _ => {}
            }
        }
    }

    pub(super) fn slo_text(&self, slo: usize, value: Option<f64>) -> String {
        let slo = &self.plan.slos[slo];
        let unit = slo.metric.unit().word();
        let (word, limit) = match slo.bound {
            Bound::Max(limit) => ("at most", limit),
            Bound::Min(limit) => ("at least", limit),
        };
        let limit = format::value(limit, unit);
        format!("{} {}, {word} {limit} over {}", slo.metric, format::maybe(value, unit), humane(slo.over))
    }

    pub(super) fn steady_state(&self) -> Option<&SteadyState> {
        self.plan.steady_state.as_ref()
    }

    /// What of the steady state does not hold now, by name.
    pub(super) fn not_steady(&self) -> Vec<String> {
        let slos = self.steady_state().map(|steady| steady.slos.as_slice()).unwrap_or_default();
        let broken = slos.iter().filter(|slo| self.slos[**slo] != Some(true)).map(|slo| {
            let word = if self.slos[*slo].is_none() { " (too few requests to tell)" } else { "" };
            format!("{}{word}", self.plan.slos[*slo].id)
        });
        let failed = self.probes.iter().filter(|probe| probe.holds != Some(true)).map(|probe| probe.facts.id.clone());
        broken.chain(failed).collect()
    }

    pub(super) fn wait_for_steady_state(
        &mut self,
        since: Offset,
        holding_since: Option<Offset>,
        now: Offset,
    ) -> Vec<Todo> {
        let Some(before) = self.steady_state().and_then(|steady| steady.before) else { return Vec::new() };
        let broken = self.not_steady();
        let holding_since = if broken.is_empty() { holding_since.or(Some(now)) } else { None };
        self.phase = Phase::Before { since, holding_since };
        if holding_since.is_some_and(|from| now.since(from) >= before.hold_for) {
            let title = self.steady_state().map(|steady| steady.title.clone()).unwrap_or_default();
            self.say(
                now,
                "steady_state.held",
                "steady_state",
                format!("{title}: held for {}", humane(before.hold_for)),
            );
            self.phase = Phase::Timeline;
            return self.move_on(now);
        }
        if now.since(since) < before.within {
            return Vec::new();
        }
        let what = if broken.is_empty() { "it did not hold long enough".to_owned() } else { broken.join(", ") };
        self.stop(Stopped::SteadyStateNotMet(what), now)
    }

    /// Whether the steady state has held for a whole span since the last removal, and every fault is off.
    pub(super) fn has_recovered(&self, now: Offset) -> bool {
        let mut last = Offset::default();
        for fault in &self.since_recover {
            if self.phases[*fault] != FaultPhase::Removed {
                return false;
            }
            let facts = &self.faults[*fault];
            let removal = if facts.instant { facts.active_at } else { facts.removed_at };
            last = last.max(removal.unwrap_or_default());
        }
        let probes_hold = self.probes.iter().all(|probe| probe.holds == Some(true));
        let objectives = self.steady_state().map_or(self.plan.slos.len(), |steady| steady.slos.len());
        probes_hold && (objectives == 0 || self.record.lock().recorder.earliest_hold_since(last, now).is_some())
    }
}
