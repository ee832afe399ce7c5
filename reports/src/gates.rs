//! Gates: what CI judges. No data is never a pass.

mod baseline;
mod noise;
pub(crate) mod reach;
pub mod so_far;

use brunt_scenario::metric::{Metric, WindowName};
use brunt_scenario::plan::{Bound, Gate, IfInconclusive, Limit, Plan};

use self::reach::Reach;
use crate::facts::{Facts, Stopped};
use crate::measured::Measured;
use crate::metric::{Value, measure};
use crate::render::format;
use crate::resilience::{Recovery, Unmeasured};
use crate::results::{GateData, GateVerdict};

/// Bounds are compared with this relative tolerance, so that 1 % of 200 requests is exactly 2.
const EPSILON: f64 = 1e-9;

/// What gates are judged by.
#[derive(Debug, Clone, Copy)]
pub struct Evidence<'a> {
    /// What was asked for.
    pub plan: &'a Plan,
    /// The numbers.
    pub measured: &'a Measured,
    /// What happened.
    pub facts: &'a Facts,
}

/// Judges every gate of the plan, in its order.
pub fn evaluate(evidence: Evidence<'_>) -> Vec<GateData> {
    evidence.plan.gates.iter().map(|gate| evidence.judge(gate)).collect()
}

/// What must hold, and how that came about.
#[derive(Debug, Clone, PartialEq)]
struct Demand {
    limit: f64,
    origin: String,
}

/// A verdict with its reason in words.
type Ruling = (GateVerdict, String);

impl Evidence<'_> {
    fn judge(&self, gate: &Gate) -> GateData {
        let value = measure(self.measured, gate.metric, &gate.scope, &gate.window);
        let demand = demand(self.measured, gate);
        let (verdict, note) = self.rule(gate, value, &demand);
        let judged = matches!(verdict, GateVerdict::Pass | GateVerdict::Fail);
        let interval = value
            .filter(|value| judged && value.value.is_some())
            .and_then(|value| noise::interval_of(self.measured, gate, value, demand.as_ref().ok()));
        GateData {
            id: gate.id.clone(),
            verdict,
            metric: gate.metric.to_string(),
            journey: gate.scope.journey.clone(),
            step: gate.scope.step.clone(),
            window: gate.window.to_string(),
            bound: if is_max(gate) { "max" } else { "min" }.to_owned(),
            actual: value.and_then(|value| value.value),
            limit: demand.as_ref().ok().map(|demand| demand.limit),
            unit: gate.metric.unit().word().to_owned(),
            samples: value.map_or(0, |value| value.samples),
            interval,
            note,
            source_line: gate.line,
            if_inconclusive: match gate.if_inconclusive {
                IfInconclusive::Fail => "fail",
                IfInconclusive::Warn => "warn",
                IfInconclusive::Pass => "pass",
            }
            .to_owned(),
        }
    }

    fn rule(&self, gate: &Gate, value: Option<Value>, demand: &Result<Demand, String>) -> Ruling {
        let reach = self.reach(&gate.window, gate.metric);
        if let Reach::Never = reach {
            return self.never_reached(gate);
        }
        if let Some(spoilt) = self.spoilt(&gate.window) {
            return (GateVerdict::Inconclusive, spoilt);
        }
        let Some(value) = value else { return self.never_reached(gate) };
        if gate.metric.is_resilience()
            && let Some(ruling) = self.rule_resilience(gate)
        {
            return ruling;
        }
        let demand = match demand {
            Ok(demand) => demand,
            Err(why) => return (GateVerdict::Inconclusive, why.clone()),
        };
        let Some(actual) = value.value.filter(|_| value.enough) else {
            return match reach {
                // There would have been enough if the run had gone on.
                Reach::CutShort(why) => (GateVerdict::NotReached, join(too_few(value), why)),
                Reach::Whole | Reach::Never => (GateVerdict::Inconclusive, too_few(value)),
            };
        };
        let holds = holds(gate, actual, demand.limit);
        let mut note = demand.origin.clone();
        if !holds {
            return (GateVerdict::Fail, note);
        }
        if let Some(why) = self.not_exercised(&gate.window).or_else(|| self.lost_instance(&gate.window)) {
            return (GateVerdict::Inconclusive, why);
        }
        if let Reach::CutShort(why) = reach {
            note = join(note, why);
        }
        (GateVerdict::Pass, note)
    }

    /// A recovery that did not come fails its gate; what cannot be told is not judged.
    fn rule_resilience(&self, gate: &Gate) -> Option<Ruling> {
        let WindowName::Fault(id) = &gate.window else { return None };
        let of = self.measured.resilience.get(id)?;
        let inconclusive = |why: &str| Some((GateVerdict::Inconclusive, why.to_owned()));
        match (gate.metric, &of.recovery) {
            (Metric::RecoveryTime, Recovery::NotWithin(within)) => Some((
                GateVerdict::Fail,
                format!("the steady state did not hold again within {}", format::seconds(*within)),
            )),
            (Metric::RecoveryTime, Recovery::NotMeasured(Unmeasured::NoData)) => {
                inconclusive("no span had the ten requests that it takes to know whether the steady state holds")
            }
            (Metric::RecoveryTime, Recovery::NotMeasured(Unmeasured::NoRecover)) => Some(self.never_reached(gate)),
            (Metric::DegradedFor, _) if of.degraded_for_s.is_none() => {
                inconclusive("there is no objective to be broken")
            }
            (Metric::TimeToDetect, _) if of.time_to_detect_s.is_none() => {
                inconclusive("no request failed or outlived an objective's bound")
            }
            _ => None,
        }
    }

    fn never_reached(&self, gate: &Gate) -> Ruling {
        match &self.facts.stopped {
            Some(_) => (GateVerdict::NotReached, "the run ended before".to_owned()),
            None => (GateVerdict::Inconclusive, format!("`{}` never began", gate.window)),
        }
    }
}

/// What a gate asks for; the error says why its baseline has nothing to go by.
fn demand(measured: &Measured, gate: &Gate) -> Result<Demand, String> {
    match gate.limit {
        Limit::Absolute(Bound::Max(limit) | Bound::Min(limit)) => Ok(Demand { limit, origin: String::new() }),
        Limit::MaxOfBaseline { factor, floor } => baseline::demand(measured, gate, factor, floor, f64::max, "at least"),
        Limit::MinOfBaseline { factor, floor } => baseline::demand(measured, gate, factor, floor, f64::min, "at most"),
    }
}

/// Whether a value keeps to a gate's limit.
fn holds(gate: &Gate, actual: f64, limit: f64) -> bool {
    match is_max(gate) {
        true => actual <= limit + EPSILON * limit.abs(),
        false => actual >= limit - EPSILON * limit.abs(),
    }
}

fn is_max(gate: &Gate) -> bool {
    matches!(gate.limit, Limit::Absolute(Bound::Max(_)) | Limit::MaxOfBaseline { .. })
}

fn too_few(value: Value) -> String {
    match (value.samples, value.needed) {
        (0, _) => "no samples".to_owned(),
        (samples, Some(needed)) => {
            format!("{} of the {} that it takes", format::counted(samples, "sample"), format::count(needed))
        }
        (samples, None) => format!("only {}", format::counted(samples, "sample")),
    }
}

fn join(note: String, more: String) -> String {
    if note.is_empty() { more } else { format!("{note}; {more}") }
}

/// Why a run was not all that its plan asked for, in words.
pub fn stop_word(stopped: &Stopped) -> &'static str {
    match stopped {
        Stopped::SteadyStateNotMet(_) => "the steady state was not met",
        Stopped::Guardrail(_) => "a guardrail stopped the run",
        Stopped::Signal(_) => "the run was interrupted",
        Stopped::Invalid(_) => "the run became invalid",
        Stopped::Internal(_) => "brunt failed",
    }
}
