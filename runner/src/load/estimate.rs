//! What a load will come to, before it is sent: for `plan`.

use std::time::Duration;

use brunt_scenario::plan::{Model, Plan, Step};

use super::arrivals::Curve;

/// A forecast for one load entry.
#[derive(Debug, Clone, PartialEq)]
pub struct Estimate {
    /// The load entry's name.
    pub load: String,
    /// How long it lasts.
    pub lasts: Duration,
    /// Iterations that the schedule asks for; `None` for a closed load, where the replies decide.
    pub iterations: Option<u64>,
    /// Requests if no step fails; `None` for a closed load.
    pub requests: Option<u64>,
    /// Highest level: iterations a second, or users.
    pub peak: f64,
    /// Most connections at once.
    pub connections: usize,
}

/// What one connection takes: socket, codec and its read buffer, measured with HTTP/1.1.
const CONNECTION_BYTES: u64 = 12 * 1024;
/// The binary with its workers before any connection.
const BASE_BYTES: u64 = 12 * 1024 * 1024;

/// A forecast for each load entry. `timeline` is how long the timeline takes at most: open-ended stages last as long.
pub fn estimate(plan: &Plan, timeline: Duration) -> Vec<Estimate> {
    plan.load
        .iter()
        .map(|load| {
            let curve = Curve::new(&load.stages);
            let lasts = curve.ends().unwrap_or(timeline);
            let steps = plan.journeys.get(load.journey).map_or(0, |journey| {
                journey.steps.iter().filter(|step| matches!(step, Step::Request(_))).count() as u64
            });
            let iterations =
                (load.model != Model::Closed).then(|| (curve.count(lasts.as_secs_f64()) - 5e-4).ceil().max(0.0) as u64);
            let connections = match load.model {
                Model::Closed => curve.peak().ceil() as usize,
                Model::OpenConstant | Model::OpenPoisson => load.max_in_flight,
            };
            let requests = iterations.map(|iterations| iterations * steps);
            Estimate { load: load.name.clone(), lasts, iterations, requests, peak: curve.peak(), connections }
        })
        .collect()
}

/// Resident memory of the load engine in bytes, at worst: when every open iteration of every load has a connection.
pub fn memory(estimates: &[Estimate]) -> u64 {
    BASE_BYTES + estimates.iter().map(|load| load.connections as u64 * CONNECTION_BYTES).sum::<u64>()
}
