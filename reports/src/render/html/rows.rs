//! What stands in the report's tables, as text. The template only places it.

use crate::render::html::curves::{BEYOND, Curve};
use crate::render::html::frame::{style, window_style};
use crate::render::html::percentiles::TICKS;
use crate::render::html::slices::Slices;
use crate::render::{format, words};
use crate::results::{FaultData, GateVerdict, LagData, Results, WindowData};

/// More rows of the event log than this are left to results.json.
const EVENTS: usize = 400;

/// A label and a value.
pub struct Fact {
    /// What it is.
    pub label: &'static str,
    /// How it is.
    pub value: String,
    /// It is not as it should be.
    pub bad: bool,
}

/// One of the findings that the report begins with.
pub struct FindingRow {
    /// From 1; the mark in the timeline has the same.
    pub number: usize,
    /// error, warning or note.
    pub severity: &'static str,
    /// A sentence.
    pub text: String,
    /// When, if at an instant: then it links to the timeline.
    pub at: Option<String>,
}

/// One gate.
pub struct GateRow {
    /// Its id.
    pub id: String,
    /// What it measures, where.
    pub about: String,
    /// Line of the scenario.
    pub line: Option<usize>,
    /// Its verdict in words.
    pub verdict: &'static str,
    /// Its verdict as a class.
    pub class: &'static str,
    /// Measured.
    pub actual: String,
    /// `at most 150 ms`.
    pub limit: String,
    /// How the limit came about.
    pub note: String,
    /// Distance to the limit.
    pub margin: String,
    /// 95 % interval.
    pub interval: String,
    /// How many samples.
    pub samples: String,
}

/// One bin of the timeline.
pub struct BinRow {
    /// Its beginning.
    pub at: String,
    /// Offered a second.
    pub offered: String,
    /// Completed a second.
    pub completed: String,
    /// Failed requests.
    pub errors: String,
    /// p50, p90, p99, max.
    pub latency: Vec<String>,
}

/// One line of the percentile plot.
pub struct QuantileRow {
    /// The window.
    pub window: String,
    /// How many samples.
    pub samples: String,
    /// Latency at each tick; a dash where the samples do not reach.
    pub values: Vec<String>,
}

/// One window, or one step over the whole run.
pub struct WindowRow {
    /// Class of its line in the plot.
    pub style: String,
    /// Its name.
    pub name: String,
    /// When: `3 s to 11 s`.
    pub span: String,
    /// Requests.
    pub requests: String,
    /// Completed a second.
    pub rate: String,
    /// Share of failed requests.
    pub error_rate: String,
    /// Requests failed.
    pub failed: bool,
    /// p50, p90, p95, p99, p99.9, max.
    pub latency: Vec<String>,
}

/// One fault.
pub struct FaultRow {
    /// Its colour and dash.
    pub style: String,
    /// Its id.
    pub id: String,
    /// What it did to whom.
    pub about: String,
    /// Who was hit.
    pub instances: String,
    /// Whether its effect was seen.
    pub effect: String,
    /// How it was seen.
    pub reason: String,
    /// The effect was not seen.
    pub doubtful: bool,
    /// When and how long.
    pub span: String,
    /// Injection to the first sign.
    pub detection: String,
    /// Steady state lost for.
    pub degraded: String,
    /// Removal to recovery.
    pub recovery: String,
    /// It did not recover.
    pub lost: bool,
    /// Undo.
    pub rollback: String,
    /// Undo failed.
    pub stuck: bool,
}

/// One step's 99th percentile in each window.
pub struct SlowerRow {
    /// Journey and step.
    pub name: String,
    /// By window: the value, and whether it is far above the first.
    pub cells: Vec<(String, bool)>,
}

/// Errors of one class at one step.
pub struct ErrorRow {
    /// The class.
    pub class: String,
    /// Journey and step.
    pub step: String,
    /// How many.
    pub count: String,
    /// From first to last.
    pub span: String,
    /// What they looked like.
    pub examples: Vec<String>,
}

/// One probe.
pub struct ProbeRow {
    /// Its id.
    pub id: String,
    /// How often it was asked.
    pub asked: String,
    /// How often it failed.
    pub failed: String,
    /// The last failure.
    pub last: String,
}

/// One instant.
pub struct EventRow {
    /// When.
    pub at: String,
    /// What.
    pub kind: String,
    /// Of what.
    pub subject: String,
    /// In words.
    pub text: String,
}

fn dash() -> String {
    format::NONE.to_owned()
}

fn fact(label: &'static str, value: String, bad: bool) -> Fact {
    Fact { label, value, bad }
}

/// The findings that link to their moment.
pub fn findings(results: &Results) -> Vec<FindingRow> {
    let row = |(index, finding): (usize, &crate::results::Finding)| FindingRow {
        number: index + 1,
        severity: words::severity(finding.severity),
        text: finding.text.clone(),
        at: finding.at_s.map(format::seconds),
    };
    words::top_findings(&results.summary).into_iter().enumerate().map(row).collect()
}

/// Did it hold, what broke, when did it recover, can it be trusted.
pub fn facts(results: &Results) -> Vec<Fact> {
    let summary = &results.summary;
    let (gates, bad_gates) = gates_fact(results);
    let (faults, bad_faults) = faults_fact(&summary.faults);
    let (recovery, bad_recovery) = recovery_fact(&summary.faults);
    let lost = lost_s(results);
    let steady = match (results.slos.is_empty(), lost > 0.0) {
        (true, _) => "not defined".to_owned(),
        (_, true) => format!("lost for {}", format::seconds(lost)),
        _ if results.series.is_empty() => "not measured".to_owned(),
        _ => "held throughout".to_owned(),
    };
    let window = summary.windows.get("run").or_else(|| summary.windows.get("baseline"));
    let requests = window.map_or_else(
        || "none".to_owned(),
        |run| match run.error_rate {
            Some(rate) if rate > 0.0 => format!("{}, {} failed", format::count(run.requests), format::percent(rate)),
            Some(_) => format!("{}, none failed", format::count(run.requests)),
            None => "none".to_owned(),
        },
    );
    vec![
        fact("Gates", gates, bad_gates),
        fact("Faults", faults, bad_faults),
        fact("Steady state", steady, false),
        fact("Recovery", recovery, bad_recovery),
        fact("Requests", requests, false),
        fact("Measurement", measurement(results).to_owned(), !summary.health.valid),
    ]
}

fn measurement(results: &Results) -> &'static str {
    let health = &results.summary.health;
    match (health.valid, health.scheduled.max(health.started)) {
        (false, _) => "not valid",
        (true, 0) => "no data",
        (true, _) => "valid",
    }
}

/// Whether the figures can be trusted, in a sentence.
pub fn trust(results: &Results) -> &'static str {
    match measurement(results) {
        "valid" => "The generator kept its schedule; its figures can be trusted.",
        "no data" => "Nothing was sent, so there is nothing to trust or to doubt.",
        _ => "The figures of this run cannot be trusted.",
    }
}

fn gates_fact(results: &Results) -> (String, bool) {
    let gates = &results.summary.gates;
    let counted = |verdict| gates.iter().filter(|gate| gate.verdict == verdict).count();
    let failed = counted(GateVerdict::Fail);
    let undecided = counted(GateVerdict::Inconclusive) + counted(GateVerdict::NotReached);
    match (gates.len(), failed, undecided) {
        (0, ..) => ("none".to_owned(), false),
        (all, 0, 0) => (if all == 1 { "the one gate held".to_owned() } else { format!("all {all} held") }, false),
        (all, 0, undecided) => (format!("{undecided} of {all} undecided"), true),
        (all, failed, _) => (format!("{failed} of {all} failed"), true),
    }
}

fn faults_fact(faults: &[FaultData]) -> (String, bool) {
    let injected = faults.iter().filter(|fault| fault.injecting_at_s.is_some()).count();
    let verified = faults.iter().filter(|fault| fault.injecting_at_s.is_some() && fault.verified).count();
    match (faults.len(), injected) {
        (0, _) => ("none".to_owned(), false),
        (all, 0) => (format!("none of {all} injected"), true),
        (all, injected) if injected < all => (format!("{injected} of {all} injected, {verified} verified"), true),
        (_, injected) if verified < injected => (format!("{verified} of {injected} verified"), true),
        (1, _) => ("1, verified".to_owned(), false),
        (_, injected) => (format!("{injected}, all verified"), false),
    }
}

fn recovery_fact(faults: &[FaultData]) -> (String, bool) {
    let lost = faults.iter().filter(|fault| fault.recovered == Some(false)).count();
    let times = faults.iter().filter(|fault| fault.recovered == Some(true)).filter_map(|fault| fault.recovery_time_s);
    let (count, slowest) = times.fold((0, 0.0), |(count, slowest), time| (count + 1, f64::max(slowest, time)));
    match (lost, count) {
        (0, 0) => ("not measured".to_owned(), false),
        (0, 1) => (format!("in {}", format::seconds(slowest)), false),
        (0, _) => (format!("slowest in {}", format::seconds(slowest)), false),
        (1, _) => ("1 fault did not recover".to_owned(), true),
        (lost, _) => (format!("{lost} faults did not recover"), true),
    }
}

/// How long any objective was broken: overlapping spans count once.
fn lost_s(results: &Results) -> f64 {
    let mut spans: Vec<[f64; 2]> = results.slos.iter().flat_map(|slo| slo.broken.iter().copied()).collect();
    spans.sort_by(|a, b| a[0].total_cmp(&b[0]));
    let mut until = f64::NEG_INFINITY;
    spans.iter().fold(0.0, |sum, &[from, to]| {
        let new = (to - from.max(until)).max(0.0);
        until = until.max(to);
        sum + new
    })
}

/// Gates, failed first.
pub fn gates(results: &Results) -> Vec<GateRow> {
    let row = |gate: &crate::results::GateData| {
        let (actual, limit) = words::sides(gate);
        GateRow {
            id: gate.id.clone(),
            about: format!("{} in {}", words::measured(gate), gate.window),
            line: gate.source_line,
            verdict: words::gate_verdict(gate.verdict),
            class: match gate.verdict {
                GateVerdict::Pass => "good",
                GateVerdict::Fail => "bad",
                GateVerdict::Inconclusive | GateVerdict::NotReached => "doubtful",
            },
            actual,
            limit: format!("{} {limit}", words::bound(gate)),
            note: gate.note.clone(),
            margin: words::margin(gate).unwrap_or_else(dash),
            interval: words::interval(gate).unwrap_or_else(dash),
            samples: format::count(gate.samples),
        }
    };
    words::gates_worst_first(&results.summary).into_iter().map(row).collect()
}

/// What one point of the charts is.
pub fn timeline_note(slices: &Slices) -> String {
    let mut samples: Vec<u64> = slices.bins.iter().map(|bin| bin.samples).filter(|&samples| samples > 0).collect();
    samples.sort_unstable();
    let width = format::seconds(slices.width_s);
    match samples.get(samples.len() / 2) {
        None => "No request was measured.".to_owned(),
        Some(&middle) => format!(
            "All steps together; one point is {width}, about {}. Requests stand where they should have started.",
            format::counted(middle, "request")
        ),
    }
}

/// The timeline as a table.
pub fn bins(slices: &Slices) -> Vec<BinRow> {
    let row = |(index, bin): (usize, &crate::render::html::slices::Bin)| BinRow {
        at: format::seconds(index as f64 * slices.width_s),
        offered: format::per_second(slices.rate(index, bin.offered)),
        completed: format::per_second(slices.rate(index, bin.completed)),
        errors: format::count(bin.errors.iter().sum()),
        latency: match bin.latency_ms {
            Some(latency) => latency.map(format::ms).into(),
            None => vec![dash(); 4],
        },
    };
    slices.bins.iter().enumerate().map(row).collect()
}

/// How far the lines go, and which windows have none.
pub fn percentile_note(results: &Results, curves: &[Curve]) -> String {
    let faults = results.summary.windows.keys().filter(|name| name.starts_with("fault:")).count();
    let drawn = curves.iter().filter(|curve| curve.window.starts_with("fault:")).count();
    let rest = if drawn < faults {
        format!(" The {drawn} slowest of {faults} fault windows are drawn.")
    } else {
        String::new()
    };
    format!("A line ends where fewer than {BEYOND} samples are left beyond it.{rest}")
}

/// The percentile plot as a table.
pub fn quantiles(curves: &[Curve]) -> Vec<QuantileRow> {
    let row = |curve: &Curve| QuantileRow {
        window: curve.window.clone(),
        samples: format::count(curve.samples),
        values: TICKS[1..].iter().map(|(quantile, _)| format::maybe(curve.at(*quantile), "ms")).collect(),
    };
    curves.iter().map(row).collect()
}

/// All windows over all steps.
pub fn windows(results: &Results) -> Vec<WindowRow> {
    let row = |(name, window): (&str, &WindowData)| window_row(window_style(results, name), name.to_owned(), window);
    words::windows_in_order(&results.summary.windows).into_iter().map(row).collect()
}

fn window_row(style: String, name: String, window: &WindowData) -> WindowRow {
    let latency = &window.latency_ms;
    WindowRow {
        style,
        name,
        span: format!("{} to {}", format::seconds(window.from_s), format::seconds(window.to_s)),
        requests: format::count(window.requests),
        rate: format::per_second(window.completed_per_s),
        error_rate: format::maybe(window.error_rate, "fraction"),
        failed: window.errors > 0,
        latency: [latency.p50, latency.p90, latency.p95, latency.p99, latency.p99_9, latency.max]
            .map(|value| format::maybe(value, "ms"))
            .into(),
    }
}

/// All faults.
pub fn faults(results: &Results) -> Vec<FaultRow> {
    let row = |(index, fault): (usize, &FaultData)| FaultRow {
        style: style(index),
        id: fault.id.clone(),
        about: format!("{} on {}", fault.kind, fault.target),
        instances: words::instances(fault),
        effect: if fault.verified { "verified".to_owned() } else { words::verification(fault) },
        reason: if fault.verified { fault.reason.clone() } else { String::new() },
        doubtful: !fault.verified,
        span: fault_span(fault),
        detection: words::detection(fault),
        degraded: words::degraded(fault),
        recovery: match (fault.recovered, fault.recovery_time_s) {
            (Some(true), Some(seconds)) => format::seconds(seconds),
            _ => words::recovery(fault),
        },
        lost: fault.recovered == Some(false),
        rollback: match fault.residue.is_empty() {
            true => words::rollback(fault).to_owned(),
            false => format!("{}; left: {}", words::rollback(fault), fault.residue.join("; ")),
        },
        stuck: fault.rollback_verified == Some(false),
    };
    results.summary.faults.iter().enumerate().map(row).collect()
}

fn fault_span(fault: &FaultData) -> String {
    match (fault.injecting_at_s, fault.removed_at_s) {
        (Some(from), Some(to)) => format!("{} for {}", format::seconds(from), format::seconds(to - from)),
        (Some(from), None) => format!("{}, not removed", format::seconds(from)),
        (None, _) => dash(),
    }
}

/// All steps over the whole run.
pub fn steps(results: &Results) -> Vec<WindowRow> {
    let mut rows = Vec::new();
    for series in &results.series {
        let step = results.summary.steps.get(&series.journey).and_then(|steps| steps.get(&series.step));
        if let Some(run) = step.and_then(|step| step.windows.get("run").or_else(|| step.windows.get("baseline"))) {
            rows.push(window_row(String::new(), format!("{} / {}", series.journey, series.step), run));
        }
    }
    rows
}

/// The windows that steps are compared in: the reference and the faults.
pub fn slower_heads(results: &Results) -> Vec<String> {
    let windows = words::windows_in_order(&results.summary.windows).into_iter().map(|(name, _)| name.to_owned());
    let heads: Vec<String> = windows.filter(|name| name == "baseline" || name.starts_with("fault:")).collect();
    if heads.len() > 1 { heads } else { Vec::new() }
}

/// The 99th percentile of each step in each of [`slower_heads`]; three times the baseline and more is marked.
pub fn slower(results: &Results) -> Vec<SlowerRow> {
    let heads = slower_heads(results);
    if heads.is_empty() {
        return Vec::new();
    }
    let mut rows = Vec::new();
    for series in &results.series {
        let Some(step) = results.summary.steps.get(&series.journey).and_then(|steps| steps.get(&series.step)) else {
            continue;
        };
        let p99 = |window: &str| step.windows.get(window).and_then(|window| window.latency_ms.p99);
        let reference = p99("baseline");
        let cells = heads.iter().map(|head| {
            let value = p99(head);
            let marked = value.zip(reference).is_some_and(|(value, reference)| value >= 3.0 * reference);
            (format::maybe(value, "ms"), marked)
        });
        rows.push(SlowerRow { name: format!("{} / {}", series.journey, series.step), cells: cells.collect() });
    }
    rows
}

/// Errors with what they looked like.
pub fn errors(results: &Results) -> Vec<ErrorRow> {
    let row = |error: &crate::results::ErrorData| ErrorRow {
        class: error.class.clone(),
        step: format!("{} / {}", error.journey, error.step),
        count: format::count(error.count),
        span: format!("{} to {}", format::seconds(error.first_s), format::seconds(error.last_s)),
        examples: error.examples.clone(),
    };
    results.summary.errors.iter().map(row).collect()
}

/// Whether the generator was honest.
pub fn health(results: &Results) -> Vec<Fact> {
    let health = &results.summary.health;
    let started = if health.scheduled == 0 { None } else { Some(health.started as f64 / health.scheduled as f64) };
    vec![
        fact("Send lag", lag(&health.send_lag_ms), health.send_lag_ms.p99.is_some_and(|p99| p99 > 10.0)),
        fact("Waited for a connection", lag(&health.queued_ms), false),
        fact(
            "Generator CPU",
            format!("{} of a core per worker", format::percent((health.generator_cpu * 1e3).round() / 1e3)),
            health.generator_cpu > 0.9,
        ),
        fact("Most in flight", format::count(health.in_flight_max), false),
        fact(
            "Arrivals",
            format!(
                "{} scheduled, {} started ({})",
                format::count(health.scheduled),
                format::count(health.started),
                format::maybe(started, "fraction")
            ),
            started.is_some_and(|share| share < 0.995),
        ),
        fact("Dropped", format::count(health.dropped), health.dropped > 0),
    ]
}

fn lag(lag: &LagData) -> String {
    if lag.p99.is_none() {
        return "no arrivals".to_owned();
    }
    let [p50, p99, max] = [lag.p50, lag.p99, lag.max].map(|value| format::maybe(value, "ms"));
    format!("p50 {p50}, p99 {p99}, max {max}")
}

/// All probes.
pub fn probes(results: &Results) -> Vec<ProbeRow> {
    let row = |probe: &crate::results::ProbeData| ProbeRow {
        id: probe.id.clone(),
        asked: format::count(probe.asked),
        failed: format::count(probe.failed),
        last: probe.last_failure.clone().unwrap_or_else(dash),
    };
    results.probes.iter().map(row).collect()
}

/// Where it ran and what was run.
pub fn environment(results: &Results) -> Vec<Fact> {
    let (place, summary) = (&results.environment, &results.summary);
    let mut facts = vec![
        fact("Scenario", results.plan.source.clone(), false),
        fact("Scenario SHA-256", summary.scenario_sha256.clone(), false),
        fact("Schedule digest", summary.schedule_digest.clone(), false),
        fact("Seed", summary.seed.to_string(), false),
        fact("Started", summary.started_at.clone(), false),
        fact("Host", place.host.clone(), false),
        fact("Kernel", place.kernel.clone(), false),
        fact("Processor", format!("{}, {}", place.cpu, format::counted(place.cores as u64, "core")), false),
        fact("Memory", format!("{} MiB", format::count(place.memory_mib)), false),
        fact("Congestion control", place.congestion_control.clone(), false),
        fact("Load workers", place.workers.to_string(), false),
        fact("brunt", summary.brunt_version.clone(), false),
    ];
    facts.extend(place.commit.clone().map(|commit| fact("Commit", commit, false)));
    facts.retain(|fact| !fact.value.is_empty());
    facts
}

/// What happened when.
pub fn events(results: &Results) -> Vec<EventRow> {
    let row = |event: &crate::results::Event| EventRow {
        at: format!("{:.3} s", event.at_s),
        kind: event.kind.clone(),
        subject: event.subject.clone(),
        text: event.text.clone(),
    };
    let mut rows: Vec<EventRow> = results.events.iter().take(EVENTS).map(row).collect();
    if results.events.len() > EVENTS {
        let text = format!("{} more events are in results.json", results.events.len() - EVENTS);
        rows.push(EventRow { at: dash(), kind: dash(), subject: dash(), text });
    }
    rows
}
