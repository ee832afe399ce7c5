//! Guardrails: when the run must stop. They are looked at from the first request on, in the warm-up and while the steady state
//! is waited for as well as under faults: what goes wrong there is as real.
//!
//! One that is broken at every look for its `for` stops the run: no arrivals any more, every fault comes off, exit 4. A look
//! that knows nothing (fewer than ten requests in the span) is not one that found it broken, so it begins anew.

use std::time::Duration;

use brunt_report::facts::{GuardrailFacts, Stopped, Tripped};
use brunt_report::recorder::live::GuardrailStatus;
use brunt_report::render::{format, words};
use brunt_scenario::plan::{Bound, Guardrail, Load};
use brunt_scenario::units::Offset;

use super::{Orchestrator, Phase, Todo, humane};

/// How a guardrail has fared so far.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Watch {
    /// Every look since this one found it broken.
    broken_since: Option<Offset>,
    worst: Option<(f64, Offset)>,
    tripped: Option<Tripped>,
}

impl Watch {
    /// Takes a look into account; says since when it has been broken.
    fn see(&mut self, status: GuardrailStatus, bound: Bound, now: Offset) -> Option<Offset> {
        if let Some(value) = status.value {
            let worse = |known: f64| match bound {
                Bound::Max(_) => value > known,
                Bound::Min(_) => value < known,
            };
            if self.worst.is_none_or(|(known, _)| worse(known)) {
                self.worst = Some((value, now));
            }
        }
        self.broken_since = if status.holds == Some(false) { self.broken_since.or(Some(now)) } else { None };
        self.broken_since
    }
}

impl Orchestrator {
    pub(super) fn look_at_guardrails(&mut self, now: Offset) -> Vec<Todo> {
        if self.plan.guardrails.is_empty() || self.stopped.is_some() || !self.requests_are_due(now) {
            return Vec::new();
        }
        let statuses = self.record.lock().recorder.guardrail_status(&self.plan, now);
        let plan = std::sync::Arc::clone(&self.plan);
        let mut todos = Vec::new();
        for (index, (guard, status)) in plan.guardrails.iter().zip(statuses).enumerate() {
            let was_broken = self.guardrails[index].broken_since.is_some();
            let Some(since) = self.guardrails[index].see(status, guard.bound, now) else {
                if was_broken {
                    self.say(now, "guardrail.holds", &guard.id, told(guard, status.value));
                }
                continue;
            };
            if now.since(since) < guard.lasts {
                if !was_broken {
                    let text = format!("{}; after {} it stops the run", told(guard, status.value), humane(guard.lasts));
                    self.say(now, "guardrail.broken", &guard.id, text);
                }
                continue;
            }
            // A broken state always has its value: it follows from one.
            let value = status.value.unwrap_or_default();
            self.guardrails[index].tripped = Some(Tripped { value, at: now, since });
            if todos.is_empty() {
                let text =
                    format!("{}, broken since {}", told(guard, status.value), format::seconds(since.as_secs_f64()));
                self.say(now, "guardrail.tripped", &guard.id, text.clone());
                todos = self.stop(Stopped::Guardrail(format!("`{}`: {text}", guard.id)), now);
            }
        }
        todos
    }

    /// Whether requests are still due: what is only drained cannot be protected any more.
    fn requests_are_due(&self, now: Offset) -> bool {
        let fixed = |load: &Load| load.stages.iter().map(|stage| stage.length).sum::<Option<Duration>>();
        self.phase != Phase::Ending
            || self.plan.load.iter().filter_map(fixed).any(|length| now < self.load_started.after(length))
    }

    pub(super) fn guardrail_facts(&self) -> Vec<GuardrailFacts> {
        let facts = |(guard, watch): (&Guardrail, &Watch)| GuardrailFacts {
            id: guard.id.clone(),
            tripped: watch.tripped,
            worst: watch.worst,
        };
        self.plan.guardrails.iter().zip(&self.guardrails).map(facts).collect()
    }
}

/// `error_rate of buy over 5 s was 83 %, the limit is at most 60 %`.
fn told(guard: &Guardrail, value: Option<f64>) -> String {
    let unit = guard.metric.unit().word();
    let scope = &guard.scope;
    let what = words::scoped(&guard.metric.to_string(), scope.journey.as_deref(), scope.step.as_deref());
    let (word, limit) = match guard.bound {
        Bound::Max(limit) => ("at most", limit),
        Bound::Min(limit) => ("at least", limit),
    };
    format!(
        "{what} over the last {} was {}, the limit is {word} {}",
        humane(guard.over),
        format::maybe(value, unit),
        format::value(limit, unit)
    )
}
