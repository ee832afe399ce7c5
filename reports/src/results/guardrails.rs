//! Guardrails as the plain data of results.json, and what is to be found about them.

use brunt_scenario::plan::{Bound, Guardrail, Plan};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Finding, Severity, seconds, seconds_of};
use crate::facts::{Facts, GuardrailFacts};

/// What a guardrail came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum GuardrailOutcome {
    /// It was looked at, and never broken for long enough.
    Held,
    /// It stopped the run.
    Tripped,
    /// No look found enough requests to know anything.
    Unknown,
}

/// One guardrail.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct GuardrailData {
    /// Its id.
    pub id: String,
    /// What it came to.
    pub outcome: GuardrailOutcome,
    /// `error_rate`.
    pub metric: String,
    /// Only this journey's requests.
    pub journey: Option<String>,
    /// Only this step's requests.
    pub step: Option<String>,
    /// `max` (written `above`) or `min` (written `below`).
    pub bound: String,
    /// Beyond it the guardrail is broken.
    pub limit: f64,
    /// ms, fraction, count or per_s.
    pub unit: String,
    /// The sliding span.
    pub over_s: f64,
    /// Broken for so long it stops the run.
    pub for_s: f64,
    /// The value that stopped the run; else the one that came nearest to the limit; null if none was known.
    pub actual: Option<f64>,
    /// When that was.
    pub at_s: Option<f64>,
    /// Broken at every look from here until it stopped the run; null if it did not.
    pub broken_since_s: Option<f64>,
    /// Line in the scenario file.
    pub source_line: Option<usize>,
}

/// Every guardrail of the plan, in its order.
pub fn guardrail_data(plan: &Plan, facts: &Facts) -> Vec<GuardrailData> {
    let fared = |guard: &Guardrail| facts.guardrails.iter().find(|fared| fared.id == guard.id);
    plan.guardrails.iter().map(|guard| data(guard, fared(guard).unwrap_or(&GuardrailFacts::default()))).collect()
}

fn data(guard: &Guardrail, fared: &GuardrailFacts) -> GuardrailData {
    let (bound, limit) = match guard.bound {
        Bound::Max(limit) => ("max", limit),
        Bound::Min(limit) => ("min", limit),
    };
    let seen = fared.tripped.map(|tripped| (tripped.value, tripped.at)).or(fared.worst);
    GuardrailData {
        id: guard.id.clone(),
        outcome: match (fared.tripped, fared.worst) {
            (Some(_), _) => GuardrailOutcome::Tripped,
            (None, Some(_)) => GuardrailOutcome::Held,
            (None, None) => GuardrailOutcome::Unknown,
        },
        metric: guard.metric.to_string(),
        journey: guard.scope.journey.clone(),
        step: guard.scope.step.clone(),
        bound: bound.to_owned(),
        limit,
        unit: guard.metric.unit().word().to_owned(),
        over_s: seconds_of(guard.over),
        for_s: seconds_of(guard.lasts),
        actual: seen.map(|(value, _)| value),
        at_s: seen.map(|(_, at)| seconds(at)),
        broken_since_s: fared.tripped.map(|tripped| seconds(tripped.since)),
        source_line: guard.line,
    }
}

/// A guardrail that stopped the run, and one that could not have: it was asked for, and protected nothing.
pub fn findings(guardrails: &[GuardrailData], facts: &Facts) -> Vec<Finding> {
    let finding = |guard: &GuardrailData| match guard.outcome {
        GuardrailOutcome::Tripped => Some(Finding {
            severity: Severity::Error,
            text: format!("Guardrail `{}` stopped the run.", guard.id),
            at_s: guard.at_s,
            instance: None,
        }),
        // A run that was stopped may not have come so far.
        GuardrailOutcome::Unknown if facts.stopped.is_none() => Some(Finding {
            severity: Severity::Warning,
            text: format!(
                "Guardrail `{}` protected nothing: no span of {} held the ten requests that it takes to know `{}`.",
                guard.id,
                crate::render::format::seconds(guard.over_s),
                guard.metric
            ),
            at_s: None,
            instance: None,
        }),
        GuardrailOutcome::Unknown | GuardrailOutcome::Held => None,
    };
    guardrails.iter().filter_map(finding).collect()
}
