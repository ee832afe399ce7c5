//! What all renderings say about a run: the words for verdicts, gates, windows and faults. Computed once here from
//! [`Results`], so that the terminal, the pull request and the report tell the same story.

use brunt_scenario::catalogue::{FaultKind, Lasts};

use crate::render::format;
use crate::results::{
    FaultData, Finding, GateData, GateVerdict, GuardrailData, GuardrailOutcome, InstanceData, OperatorData,
    OperatorKind, Results, RoundData, Severity, Summary, Verdict, WindowData,
};

/// The verdict as one word that can be read from across a room.
pub fn verdict(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Pass => "PASS",
        Verdict::Fail => "FAIL",
        Verdict::Invalid => "INVALID",
        Verdict::Inconclusive => "INCONCLUSIVE",
        Verdict::Aborted => "ABORTED",
    }
}

/// What a gate came to, in words.
pub fn gate_verdict(verdict: GateVerdict) -> &'static str {
    match verdict {
        GateVerdict::Pass => "pass",
        GateVerdict::Fail => "fail",
        GateVerdict::Inconclusive => "inconclusive",
        GateVerdict::NotReached => "not reached",
    }
}

/// Names and messages come from scenarios and servers. They must not move a cursor, set a title, or turn the direction of
/// the text around them: what controls instead of being read becomes a space.
pub fn printable(raw: &str) -> String {
    let controls = |c: char| {
        c.is_control() || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    raw.chars().map(|c| if controls(c) { ' ' } else { c }).collect()
}

/// How bad a finding is, in words.
pub fn severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Info => "note",
    }
}

/// Gates as they are shown: failed first, then inconclusive, not reached, passed; within these the scenario's order.
pub fn gates_worst_first(summary: &Summary) -> Vec<&GateData> {
    let rank = |gate: &&GateData| match gate.verdict {
        GateVerdict::Fail => 0,
        GateVerdict::Inconclusive => 1,
        GateVerdict::NotReached => 2,
        GateVerdict::Pass => 3,
    };
    let mut gates: Vec<&GateData> = summary.gates.iter().collect();
    gates.sort_by_key(rank);
    gates
}

/// `latency.p99 of buy/order`.
pub fn measured(gate: &GateData) -> String {
    scoped(&gate.metric, gate.journey.as_deref(), gate.step.as_deref())
}

/// `latency.p99 of buy/order`: a metric and the requests that it is taken of.
pub fn scoped(metric: &str, journey: Option<&str>, step: Option<&str>) -> String {
    match (journey, step) {
        (Some(journey), Some(step)) => format!("{metric} of {journey}/{step}"),
        (Some(one), None) | (None, Some(one)) => format!("{metric} of {one}"),
        (None, None) => metric.to_owned(),
    }
}

/// The two sides of a gate as text, precise enough to differ: `("452 ms", "150 ms")`.
pub fn sides(gate: &GateData) -> (String, String) {
    match (gate.actual, gate.limit) {
        (Some(actual), Some(limit)) => format::pair(actual, limit, &gate.unit),
        (actual, limit) => (format::maybe(actual, &gate.unit), format::maybe(limit, &gate.unit)),
    }
}

/// `452 ms > 150 ms`: the comparison as it came out. Without a value or a limit, what is missing.
pub fn comparison(gate: &GateData) -> String {
    let (actual, limit) = sides(gate);
    match (gate.actual, gate.limit) {
        (Some(left), Some(right)) => {
            let sign = match left.partial_cmp(&right) {
                Some(std::cmp::Ordering::Less) => "<",
                Some(std::cmp::Ordering::Greater) => ">",
                _ => "=",
            };
            format!("{actual} {sign} {limit}")
        }
        (Some(_), None) => format!("{actual}, no limit"),
        (None, Some(_)) => format!("no value, {} {limit}", bound(gate)),
        (None, None) => "no value".to_owned(),
    }
}

/// `at most` or `at least`.
pub fn bound(gate: &GateData) -> &'static str {
    if gate.bound == "min" { "at least" } else { "at most" }
}

/// How far from its limit a gate was: `3.0x the limit`, `12 % over`, `38 % to spare`; for shares in percentage points.
/// `None` without both values, or when the limit is zero and a ratio says nothing.
pub fn margin(gate: &GateData) -> Option<String> {
    let (actual, limit) = (gate.actual?, gate.limit?);
    let room = if gate.bound == "min" { actual - limit } else { limit - actual };
    if !room.is_finite() {
        return None;
    }
    let (beyond, within) = if gate.bound == "min" { ("short", "above") } else { ("over", "to spare") };
    if gate.unit == "fraction" {
        let points = room.abs() * 100.0;
        let points = format::number(if points < 1.0 { points } else { (points * 10.0).round() / 10.0 });
        let counted = if points == "1" { "point" } else { "points" };
        return Some(format!("{points} {counted} {}", if room < 0.0 { beyond } else { within }));
    }
    if limit <= 0.0 {
        return None;
    }
    let share = room / limit;
    Some(match share {
        _ if share <= -1.0 && gate.bound != "min" => format!("{:.1}x the limit", actual / limit),
        _ if share < 0.0 => format!("{} {beyond}", short_percent(-share)),
        _ => format!("{} {within}", short_percent(share)),
    })
}

fn short_percent(share: f64) -> String {
    if share < 0.1 { format::percent((share * 1000.0).round() / 1000.0) } else { format!("{:.0} %", share * 100.0) }
}

/// The 95 % interval of a gate's value, with a remark if the limit lies inside.
pub fn interval(gate: &GateData) -> Option<String> {
    let [low, high] = gate.interval?;
    let (low_text, high_text) = (format::value(low, &gate.unit), format::value(high, &gate.unit));
    let straddles = gate.limit.is_some_and(|limit| low <= limit && limit <= high);
    Some(format!("{low_text} to {high_text}{}", if straddles { ", within noise" } else { "" }))
}

/// What a guardrail came to, in words.
pub fn guardrail_outcome(guard: &GuardrailData) -> &'static str {
    match guard.outcome {
        GuardrailOutcome::Held => "held",
        GuardrailOutcome::Tripped => "stopped the run",
        GuardrailOutcome::Unknown => "not known",
    }
}

/// `error_rate of buy over 5 s`.
pub fn guarded(guard: &GuardrailData) -> String {
    let what = scoped(&guard.metric, guard.journey.as_deref(), guard.step.as_deref());
    format!("{what} over {}", format::seconds(guard.over_s))
}

/// `above 60 % for 10 s`: what stops the run.
pub fn guard_limit(guard: &GuardrailData) -> String {
    let word = if guard.bound == "min" { "below" } else { "above" };
    let lasts = if guard.for_s > 0.0 { format!(" for {}", format::seconds(guard.for_s)) } else { String::new() };
    format!("{word} {}{lasts}", format::value(guard.limit, &guard.unit))
}

/// `83 % at 12.3 s`: what stopped the run, or what came nearest to it.
pub fn guard_actual(guard: &GuardrailData) -> String {
    match (guard.actual, guard.at_s) {
        (Some(actual), Some(at)) => format!("{} at {}", format::value(actual, &guard.unit), format::seconds(at)),
        (actual, _) => format::maybe(actual, &guard.unit),
    }
}

/// `held the timeline`, `took slow-payment off`: what a person did.
pub fn by_hand(act: &OperatorData) -> String {
    let fault = act.fault.as_deref().unwrap_or("a fault");
    match act.kind {
        OperatorKind::Hold => "held the timeline".to_owned(),
        OperatorKind::FaultRemoved => format!("took {fault} off"),
        OperatorKind::FaultInjected => format!("injected {fault} again"),
        OperatorKind::Note => format!("note: {}", act.text),
        OperatorKind::Abort => "ended the run".to_owned(),
    }
}

/// The windows in the order in which they began, `warmup` first and `run` (all but warm-up) last.
pub fn windows_in_order<'a, I>(windows: I) -> Vec<(&'a str, &'a WindowData)>
where
    I: IntoIterator<Item = (&'a String, &'a WindowData)>,
{
    let mut ordered: Vec<_> = windows.into_iter().map(|(name, data)| (name.as_str(), data)).collect();
    let group = |name: &str| match name {
        "warmup" => 0,
        "run" => 2,
        _ => 1,
    };
    ordered.sort_by(|a, b| group(a.0).cmp(&group(b.0)).then(a.1.from_s.total_cmp(&b.1.from_s)).then(a.0.cmp(b.0)));
    ordered
}

/// `verified`, or why not.
pub fn verification(fault: &FaultData) -> String {
    if fault.injecting_at_s.is_none() {
        "not injected".to_owned()
    } else if fault.verified {
        "verified".to_owned()
    } else if fault.reason.is_empty() {
        "not verified".to_owned()
    } else if fault.reason.starts_with("not ") {
        fault.reason.clone()
    } else {
        format!("not verified: {}", fault.reason)
    }
}

/// `process.kill on payments`, and how often: `process.kill on payments, 3 times`.
pub fn about(fault: &FaultData) -> String {
    let what = format!("{} on {}", fault.kind, fault.target);
    match fault.rounds_planned {
        Some(times) if fault.rounds.len() == times as usize => format!("{what}, {times} times"),
        Some(times) => format!("{what}, {} of {times} times", fault.rounds.len()),
        None => what,
    }
}

/// The instant from which the recovery of a round of this fault counts: its removal, or the act itself where the fault is
/// one (a kill).
pub fn recovery_from_s(fault: &FaultData, round: &RoundData) -> Option<f64> {
    let instant = FaultKind::find(&fault.kind).is_some_and(|kind| kind.lasts == Lasts::Instant);
    if instant { round.active_at_s } else { round.removed_at_s }
}

/// `recovered in 0.4 s`, `held throughout`, or what came instead of a recovery; of several rounds the worst.
pub fn recovery(fault: &FaultData) -> String {
    match (fault.recovered, fault.recovery_time_s) {
        _ if fault.injecting_at_s.is_none() => format::NONE.to_owned(),
        // Nothing was lost that could come back.
        (Some(true), Some(0.0)) if fault.degraded_for_s == Some(0.0) => "held throughout".to_owned(),
        (Some(true), Some(seconds)) if fault.rounds.len() > 1 => {
            format!("recovered in {} at worst", format::seconds(seconds))
        }
        (Some(true), Some(seconds)) => format!("recovered in {}", format::seconds(seconds)),
        (Some(true), None) => "recovered".to_owned(),
        (Some(false), _) => "did not recover".to_owned(),
        (None, _) => "recovery not measured".to_owned(),
    }
}

/// Whether the change was taken back.
pub fn rollback(fault: &FaultData) -> &'static str {
    match (fault.injecting_at_s, fault.rollback_verified) {
        (None, _) => format::NONE,
        (Some(_), Some(true)) => "verified",
        (Some(_), Some(false)) => "incomplete",
        (Some(_), None) => "nothing to undo",
    }
}

/// How long it took to show at the clients.
pub fn detection(fault: &FaultData) -> String {
    match (fault.injecting_at_s, fault.time_to_detect_s) {
        (None, _) => format::NONE.to_owned(),
        (Some(_), Some(seconds)) => format::seconds(seconds),
        (Some(_), None) => "not seen".to_owned(),
    }
}

/// How long the steady state was lost.
pub fn degraded(fault: &FaultData) -> String {
    match (fault.injecting_at_s, fault.degraded_for_s) {
        (None, _) | (_, None) => format::NONE.to_owned(),
        (_, Some(0.0)) => "never".to_owned(),
        (_, Some(seconds)) => format::seconds(seconds),
    }
}

/// `pay-1, pay-2 and 3 more`.
pub fn instances(fault: &FaultData) -> String {
    const SHOWN: usize = 3;
    let shown = fault.instances.iter().take(SHOWN).map(String::as_str).collect::<Vec<_>>().join(", ");
    match fault.instances.len().saturating_sub(SHOWN) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

/// The findings that a reader must not miss: at most three, the worst first.
pub fn top_findings(summary: &Summary) -> Vec<&Finding> {
    let mut findings: Vec<&Finding> = summary.findings.iter().collect();
    findings.sort_by_key(|finding| finding.severity);
    findings.truncate(3);
    findings
}

/// The spans in which a probe failed, from the look that found it so to the one that found it well again, or to the end.
pub fn failed_spans(results: &Results, probe: &str) -> Vec<[f64; 2]> {
    let mut spans: Vec<[f64; 2]> = Vec::new();
    let mut failing = false;
    for event in results.events.iter().filter(|event| event.subject == probe) {
        match (event.kind.as_str(), failing) {
            ("probe.failed", false) => spans.push([event.at_s, results.summary.duration_s.max(event.at_s)]),
            ("probe.holds", true) => spans.iter_mut().last().into_iter().for_each(|span| span[1] = event.at_s),
            _ => continue,
        }
        failing = event.kind == "probe.failed";
    }
    spans
}

/// `exit status 7; its last lines, of services/payments-0.log`: what stands above the lines.
pub fn last_words(instance: &InstanceData) -> String {
    let status = instance.status.as_ref().map(|status| format!("{status}; ")).unwrap_or_default();
    if instance.last_lines.is_empty() {
        format!("{status}it wrote nothing to {}", instance.log)
    } else {
        format!("{status}its last lines, of {}", instance.log)
    }
}

/// One line on the generator: `generator ok: send lag p99 0.1 ms, cpu 21 %`.
pub fn generator(results: &Results) -> String {
    let health = &results.summary.health;
    format!(
        "generator {}: send lag p99 {}, cpu {}, {} of {} arrivals started",
        if health.valid { "ok" } else { "NOT TRUSTWORTHY" },
        format::maybe(health.send_lag_ms.p99, "ms"),
        format::percent((health.generator_cpu * 100.0).round() / 100.0),
        format::count(health.started),
        format::count(health.scheduled),
    )
}

/// A command that repeats the run with the same arrivals and the same victims. The command line as it was given already
/// names the seed if it was set by hand; else it is appended.
pub fn repeat(results: &Results) -> String {
    let command = results.environment.command.trim();
    let command = if command.is_empty() { format!("brunt run {}", results.plan.source) } else { command.to_owned() };
    if command.split_whitespace().any(|word| word == "--seed" || word.starts_with("--seed=")) {
        command
    } else {
        format!("{command} --seed {}", results.summary.seed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gate(bound: &str, actual: f64, limit: f64, unit: &str) -> GateData {
        GateData {
            id: "gate".to_owned(),
            verdict: GateVerdict::Pass,
            metric: "latency.p99".to_owned(),
            journey: None,
            step: None,
            window: "run".to_owned(),
            bound: bound.to_owned(),
            actual: Some(actual),
            limit: Some(limit),
            unit: unit.to_owned(),
            samples: 1,
            interval: None,
            note: String::new(),
            source_line: None,
            if_inconclusive: "fail".to_owned(),
        }
    }

    #[test]
    fn a_margin_says_how_far_the_limit_was() {
        assert_eq!(margin(&gate("max", 452.0, 150.0, "ms")).as_deref(), Some("3.0x the limit"));
        assert_eq!(margin(&gate("max", 112.0, 100.0, "ms")).as_deref(), Some("12 % over"));
        assert_eq!(margin(&gate("max", 62.0, 100.0, "ms")).as_deref(), Some("38 % to spare"));
        assert_eq!(margin(&gate("min", 90.0, 100.0, "per_s")).as_deref(), Some("10 % short"));
        assert_eq!(margin(&gate("min", 0.982, 0.99, "fraction")).as_deref(), Some("0.8 points short"));
        assert_eq!(margin(&gate("max", 0.0, 0.01, "fraction")).as_deref(), Some("1 point to spare"));
        assert_eq!(margin(&gate("max", 3.0, 0.0, "count")), None);
    }

    #[test]
    fn what_was_never_lost_has_not_recovered() {
        let unharmed = FaultData {
            injecting_at_s: Some(5.0),
            recovered: Some(true),
            recovery_time_s: Some(0.0),
            degraded_for_s: Some(0.0),
            ..FaultData::unreached("kill")
        };
        assert_eq!(recovery(&unharmed), "held throughout");
        let hurt = FaultData { degraded_for_s: Some(1.5), ..unharmed };
        assert_eq!(recovery(&hurt), "recovered in 0 s", "it was well again at once");
    }

    #[test]
    fn an_interval_around_the_limit_is_within_noise() {
        let mut gate = gate("max", 148.0, 150.0, "ms");
        gate.interval = Some([140.0, 160.0]);
        assert_eq!(interval(&gate).as_deref(), Some("140 ms to 160 ms, within noise"));
        gate.interval = Some([140.0, 149.0]);
        assert_eq!(interval(&gate).as_deref(), Some("140 ms to 149 ms"));
    }

    #[test]
    fn a_comparison_without_a_value_says_what_is_missing() {
        let mut gate = gate("max", 148.0, 150.0, "ms");
        assert_eq!(comparison(&gate), "148 ms < 150 ms");
        gate.actual = None;
        assert_eq!(comparison(&gate), "no value, at most 150 ms");
    }
}
