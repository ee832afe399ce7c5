//! What a load will come to, before it is sent: for `plan`.

use std::collections::BTreeSet;
use std::time::Duration;

use brunt_scenario::plan::{Journey, Load, LoadChange, Model, Plan, Rows, Step, Strategy, Target};

use super::arrivals::{Change, Curve};

/// A forecast for one load entry.
#[derive(Debug, Clone, PartialEq)]
pub struct Estimate {
    /// The load entry's name.
    pub load: String,
    /// How long it lasts.
    pub lasts: Duration,
    /// Iterations that the schedule asks for; `None` for a closed load, where the replies decide.
    pub iterations: Option<u64>,
    /// Requests if no step fails and none is asked again; `None` for a closed load. Of a mix what its shares make likely.
    pub requests: Option<u64>,
    /// The stages ask for more iterations than there are `unique` rows.
    pub rows_end: bool,
    /// Highest level: iterations a second, or users.
    pub peak: f64,
    /// Most iterations open at once.
    pub open: usize,
    /// Most connections at once.
    pub connections: usize,
}

/// What one open iteration with its connection takes: 54 MB were measured for 10,000 of them over HTTP/1.1. The kernel's
/// socket buffers are not part of it.
const CONNECTION_BYTES: u64 = 6 * 1024;
/// The binary with its workers before any connection.
const BASE_BYTES: u64 = 12 * 1024 * 1024;

/// A forecast for each load entry. `timeline` is how long the timeline takes: open-ended stages last as long. `changes` are
/// its load changes in order of time, each with its instant after the start of the load.
pub fn estimate(plan: &Plan, timeline: Duration, changes: &[(Duration, LoadChange)]) -> Vec<Estimate> {
    plan.load
        .iter()
        .map(|load| {
            let mut curve = Curve::new(&load.stages);
            for (at, change) in changes.iter().filter(|(_, change)| change.load == load.name) {
                curve.change(Change { at: *at, factor: change.factor });
            }
            let lasts = curve.ends().unwrap_or(timeline);
            let asked =
                (load.model != Model::Closed).then(|| (curve.count(lasts.as_secs_f64()) - 5e-4).ceil().max(0.0) as u64);
            let last_row = asked.and_then(|asked| rows_for(plan, load).filter(|rows| *rows < asked));
            let iterations = last_row.or(asked);
            let open = match load.model {
                Model::Closed => curve.peak().ceil() as usize,
                Model::OpenConstant | Model::OpenPoisson => load.max_in_flight,
            };
            let steps = steps_an_iteration(plan, load);
            Estimate {
                load: load.name.clone(),
                lasts,
                iterations,
                requests: iterations.map(|iterations| (iterations as f64 * steps).round() as u64),
                rows_end: last_row.is_some(),
                peak: curve.peak(),
                open,
                connections: open.min(most_connections(plan, load)),
            }
        })
        .collect()
}

/// Requests of one iteration, on average over the mix.
fn steps_an_iteration(plan: &Plan, load: &Load) -> f64 {
    let steps = |journey: &Journey| journey.steps.iter().filter(|step| matches!(step, Step::Request(_))).count() as f64;
    load.mix.iter().map(|part| part.share * plan.journeys.get(part.journey).map_or(0.0, steps)).sum()
}

/// For how many iterations there are `unique` rows; of a mix about so many.
fn rows_for(plan: &Plan, load: &Load) -> Option<u64> {
    let unique = plan.feeders.iter().enumerate().filter(|(_, feeder)| feeder.strategy == Strategy::Unique);
    let ends = unique.filter_map(|(index, feeder)| {
        let takers = load
            .mix
            .iter()
            .filter(|part| plan.journeys.get(part.journey).is_some_and(|journey| journey.feed.contains(&index)));
        let share: f64 = takers.map(|part| part.share).sum();
        let rows = if feeder.weights.is_empty() { feeder.rows.count() as u64 } else { feeder.weights.iter().sum() };
        (share > 0.0).then(|| (rows as f64 / share).round() as u64)
    });
    ends.min()
}

/// What `max_per_host` leaves: so many to each address of each target. A name that is not looked up yet counts as one.
fn most_connections(plan: &Plan, load: &Load) -> usize {
    let Some(most) = load.connections.max_per_host else { return usize::MAX };
    let journeys = load.mix.iter().filter_map(|part| plan.journeys.get(part.journey));
    let targets: BTreeSet<&str> = journeys
        .flat_map(|journey| &journey.steps)
        .filter_map(|step| match step {
            Step::Request(request) => Some(request.target.as_str()),
            Step::Think(_) => None,
        })
        .collect();
    let addresses = |target: &&str| match plan.targets.get(*target) {
        Some(Target::Service(name)) => {
            plan.services.iter().find(|service| service.name == *name).map_or(1, |service| service.instances)
        }
        _ => 1,
    };
    most.saturating_mul(targets.iter().map(addresses).sum())
}

/// Resident memory of the load engine in bytes, at worst: the rows of the feeders, and every open iteration of every load
/// with a connection. One that waits for a connection takes less.
pub fn memory(plan: &Plan, estimates: &[Estimate]) -> u64 {
    let rows = plan.feeders.iter().map(|feeder| match &feeder.rows {
        Rows::Table { table, .. } => table.bytes() as u64,
        // The scenario itself holds them.
        Rows::Values(_) => 0,
    });
    let connections = estimates.iter().map(|load| load.open as u64 * CONNECTION_BYTES);
    BASE_BYTES + rows.sum::<u64>() + connections.sum::<u64>()
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
        let estimates = estimate(&plan, 60 * second, &[]);
        assert_eq!((estimates[0].iterations, estimates[0].requests), (Some(5500), Some(5500)));
        assert_eq!((estimates[0].lasts, estimates[0].connections), (60 * second, 500));
        assert_eq!((estimates[1].iterations, estimates[1].connections, estimates[1].peak), (None, 100, 100.0));
        assert_eq!(memory(&plan, &estimates), BASE_BYTES + 600 * CONNECTION_BYTES);
    }

    #[test]
    fn a_forecast_counts_load_changes_and_the_connections_of_their_users() {
        let second = Duration::from_secs(1);
        let scenario = load_text("thinking", THINKING, &LoadOptions::default());
        let scenario = scenario.unwrap_or_else(|problems| panic!("{}", problems.render(false)));
        let plan = scenario.plan().unwrap_or_else(|problems| panic!("{}", problems.render(false)));
        let change = |at: u32, load: &str, factor| (at * second, LoadChange { load: load.into(), factor });
        let changes = [change(20, "open", 3.0), change(20, "closed", 2.0), change(30, "open", 1.0)];
        let estimates = estimate(&plan, 60 * second, &changes);
        // Ten seconds at 300/s instead of 100/s.
        assert_eq!((estimates[0].iterations, estimates[0].peak), (Some(7500), 300.0));
        assert_eq!((estimates[1].peak, estimates[1].connections), (200.0, 200));
    }
}
