//! The run itself: errors, probes, the generator's health, where it ran and what happened when.

use crate::render::format;
use crate::render::html::rows::{Fact, dash, fact};
use crate::results::{ErrorData, Event, LagData, ProbeData, Results};

/// More rows of the event log than this are left to results.json.
const EVENTS: usize = 400;

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

/// Errors with what they looked like.
pub fn errors(results: &Results) -> Vec<ErrorRow> {
    let row = |error: &ErrorData| ErrorRow {
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
    let row = |probe: &ProbeData| ProbeRow {
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
    let row = |event: &Event| EventRow {
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
