//! Whether the generator was honest, and where the run took place.

use crate::render::format;
use crate::render::html::rows::{Fact, fact};
use crate::results::{LagData, Results};

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
