//! Faults and objectives as rows.

use brunt_report::facts::{Effect, FaultFacts};
use brunt_report::recorder::live::SloStatus;
use brunt_report::render::format;
use brunt_scenario::metric::{Metric, Statistic};
use brunt_scenario::plan::{Bound, ParamValue, Plan, Slo};
use brunt_scenario::units::{Offset, print_duration};

use super::super::orchestrator::Orchestrator;
use crate::timeline::{FaultPhase, Turn, turns_of};
use crate::ui::snapshot::{Fault, FaultStep, Objective, Seen};

/// Every turn of every fault.
pub fn faults(plan: &Plan, orchestrator: &Orchestrator) -> Vec<Fault> {
    turns_of(&plan.timeline)
        .into_iter()
        .zip(orchestrator.turns())
        .map(|(turn, (facts, phase))| row(turn, facts, phase))
        .collect()
}

fn row(turn: Turn<'_>, facts: &FaultFacts, phase: FaultPhase) -> Fault {
    let seconds = |at: Option<Offset>| at.map(Offset::as_secs_f64);
    let failed = matches!(facts.effect, Effect::Absent(_)) && facts.active_at.is_none();
    Fault {
        id: facts.id.clone(),
        round: facts.round,
        rounds: facts.rounds,
        kind: facts.kind.clone(),
        with: parameters(turn.fault),
        target: facts.target.clone(),
        instances: facts.instances.clone(),
        step: match phase {
            _ if facts.rollback_verified == Some(false) || failed => FaultStep::Failed,
            FaultPhase::Planned => FaultStep::Planned,
            FaultPhase::Injecting => FaultStep::Injecting,
            FaultPhase::Active(_) => FaultStep::Active,
            FaultPhase::Removing => FaultStep::Removing,
            FaultPhase::Removed => FaultStep::Removed,
        },
        from_s: seconds(facts.active_at.or(facts.injecting_at)),
        to_s: seconds(facts.removed_at),
        lasts_s: turn.fault.lasts.map(|lasts| lasts.as_secs_f64()),
        seen: match &facts.effect {
            Effect::NotInjected => Seen::Unknown,
            Effect::Verified(how) => Seen::Verified(how.clone()),
            Effect::NotExercised(why) => Seen::NotExercised(why.clone()),
            Effect::Absent(why) => Seen::Absent(why.clone()),
        },
        mechanism: facts.mechanism.clone(),
        undone: facts.rollback_verified,
    }
}

/// `delay 400ms, jitter 20ms`: the parameters that do something, words last.
fn parameters(fault: &brunt_scenario::plan::Fault) -> String {
    let mut words = Vec::new();
    let is_word = |value: &ParamValue| matches!(value, ParamValue::Word(_));
    let (last, first): (Vec<_>, Vec<_>) = fault.with.0.iter().partition(|(_, value)| is_word(value));
    for (name, value) in first.into_iter().chain(last) {
        let value = match value {
            ParamValue::Duration(span) if span.is_zero() => continue,
            ParamValue::Percent(share) if share.0 == 0.0 => continue,
            ParamValue::Duration(span) => print_duration(*span),
            ParamValue::Percent(share) => format::percent(share.0),
            ParamValue::Number(number) => number.to_string(),
            ParamValue::Size(bytes) => format!("{} B", format::count(*bytes)),
            ParamValue::Bandwidth(bits) => format!("{} bit/s", format::count(*bits)),
            ParamValue::Word(word) => (*word).to_owned(),
            ParamValue::Text(text) => text.to_string(),
            ParamValue::Names(names) => names.join(","),
            ParamValue::Pairs(pairs) => pairs.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>().join(","),
            ParamValue::Durations(all) => format!("{} recorded", all.len()),
            ParamValue::Command(words) => words.iter().map(ToString::to_string).collect::<Vec<_>>().join(" "),
        };
        words.push(format!("{name} {value}"));
    }
    words.join(", ")
}

/// Objectives with their values, then probes.
pub fn objectives(plan: &Plan, statuses: Vec<SloStatus>, orchestrator: &Orchestrator) -> Vec<Objective> {
    let slos = plan.slos.iter().zip(statuses).map(|(slo, status)| Objective {
        id: status.id,
        steady: status.steady,
        holds: status.holds,
        since_s: None,
        text: compared(slo, status.value, status.holds),
        latency_limit_ms: match (slo.metric, slo.bound) {
            (Metric::Latency(Statistic::P50 | Statistic::P90 | Statistic::P95 | Statistic::P99), Bound::Max(limit)) => {
                Some(limit)
            }
            _ => None,
        },
    });
    let probes = orchestrator.probe_stands().map(|probe| Objective {
        id: probe.id.to_owned(),
        steady: true,
        holds: probe.holds,
        since_s: None,
        text: match (probe.holds, probe.last_failure) {
            (Some(false), Some(why)) => why.to_owned(),
            (Some(true), _) => "holds".to_owned(),
            _ => "not asked yet".to_owned(),
        },
        latency_limit_ms: None,
    });
    slos.chain(probes).collect()
}

/// `latency.p95 48 ms <= 250 ms`.
fn compared(slo: &Slo, value: Option<f64>, holds: Option<bool>) -> String {
    let unit = slo.metric.unit().word();
    let (limit, upper) = match slo.bound {
        Bound::Max(limit) => (limit, true),
        Bound::Min(limit) => (limit, false),
    };
    let sign = match (upper, holds) {
        (true, Some(false)) => ">",
        (true, _) => "<=",
        (false, Some(false)) => "<",
        (false, _) => ">=",
    };
    let (value, limit) = match value {
        Some(value) => format::pair(value, limit, unit),
        None => (format::NONE.to_owned(), format::value(limit, unit)),
    };
    format!("{} {value} {sign} {limit}", slo.metric)
}
