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

/// What one open iteration with its connection takes: 54 MB were measured for 10,000 of them over HTTP/1.1. The kernel's
/// socket buffers are not part of it.
const CONNECTION_BYTES: u64 = 6 * 1024;
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

#[cfg(test)]
mod tests {
    use brunt_scenario::{LoadOptions, load_text};

    use super::*;

    const THINKING: &str = "
version: 1
targets: { site: { url: http://127.0.0.1:1 } }
journeys: { j: { target: site, steps: [ { think: 1s }, { get: / } ] } }
load:
  open: { journey: j, arrivals: poisson, max_in_flight: 500, stages: [ { ramp_to: 100/s, over: 10s, warmup: true }, { hold: 100/s, for: timeline } ] }
  closed: { journey: j, model: closed, stages: [ { ramp_to: 100, over: 10s, warmup: true }, { hold: 100, for: timeline } ] }
timeline: [ { pause: 60s } ]
";

    #[test]
    fn an_open_ended_load_is_as_long_as_the_timeline_and_thinking_is_no_request() {
        let second = Duration::from_secs(1);
        let scenario = load_text("thinking", THINKING, &LoadOptions::default());
        let scenario = scenario.unwrap_or_else(|problems| panic!("{}", problems.render(false)));
        let plan = scenario.plan().unwrap_or_else(|problems| panic!("{}", problems.render(false)));
        let estimates = estimate(&plan, 60 * second);
        assert_eq!((estimates[0].iterations, estimates[0].requests), (Some(5500), Some(5500)));
        assert_eq!((estimates[0].lasts, estimates[0].connections), (60 * second, 500));
        assert_eq!((estimates[1].iterations, estimates[1].connections, estimates[1].peak), (None, 100, 100.0));
        assert_eq!(memory(&estimates), BASE_BYTES + 600 * CONNECTION_BYTES);
    }
}
