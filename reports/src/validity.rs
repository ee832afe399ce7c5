//! Can the measurement be trusted? Each reason against it names its cure.

use std::collections::BTreeSet;

use brunt_scenario::metric::WindowName;
use brunt_scenario::plan::{Model, Plan};

use crate::facts::{Effect, Facts, Stopped};
use crate::recorder::health::Watch;
use crate::recorder::places::{Places, RUN};
use crate::render::format;
use crate::results::{Health, rounded_seconds};
use crate::stats::quantile::of_histogram;

/// Less of the schedule than this was started: the generator could not keep up.
const STARTED: f64 = 0.995;
/// A 99th percentile of the send lag above this, in a judged window: the latencies are brunt's own. Microseconds.
const LAG_US: u64 = 10_000;
/// Fewer late arrivals than this move no percentile that has enough samples to be judged: they are told, no more. So a short
/// run is not thrown away because the machine hiccuped twice.
const LATE: u64 = crate::metric::ENOUGH;
/// Above it the generator's processor is a suspect, no more.
const BUSY: f64 = 0.9;

/// The health of the run's measurement.
pub fn health(plan: &Plan, facts: &Facts, watch: &Watch, places: &Places) -> Health {
    let mut reasons: Vec<String> = Vec::new();
    reasons.extend(dropped(plan, watch));
    reasons.extend(not_started(facts, watch));
    let mut warnings = facts.warnings.clone();
    if let Some(late) = late(plan, watch, places) {
        if late.invalidates { &mut reasons } else { &mut warnings }.push(late.text);
    }
    reasons.extend(facts.invalid.iter().cloned());
    reasons.extend(absent_effects(facts));
    if let Some(Stopped::Invalid(why)) = &facts.stopped
        && !reasons.contains(why)
    {
        reasons.push(why.clone());
    }
    if facts.generator_cpu > BUSY {
        warnings.push(format!(
            "brunt used {} of its processors: part of the latency may be its own. Give it more with `--workers`, or lower the rate.",
            format::percent(facts.generator_cpu)
        ));
    }
    Health {
        send_lag_ms: watch.lag_data(),
        queued_ms: watch.queued_data(),
        generator_cpu: rounded_seconds(facts.generator_cpu),
        in_flight_max: watch.in_flight_max,
        scheduled: facts.scheduled,
        started: watch.started,
        dropped: watch.dropped,
        valid: reasons.is_empty(),
        reasons,
        warnings,
    }
}

fn dropped(plan: &Plan, watch: &Watch) -> Option<String> {
    if watch.dropped == 0 {
        return None;
    }
    let limit = plan.load.iter().map(|load| load.max_in_flight as u64).min().unwrap_or(0);
    Some(format!(
        "{} above `max_in_flight` ({}) and never sent: the system did not keep up with the load. Lower the rate, shorten the steps' `timeout`, or raise `max_in_flight`.",
        were(watch.dropped, "arrival"),
        format::count(limit)
    ))
}

fn not_started(facts: &Facts, watch: &Watch) -> Option<String> {
    let handled = watch.started + watch.dropped;
    let share = watch.started as f64 / facts.scheduled as f64;
    // Dropped arrivals have a reason of their own.
    if facts.scheduled == 0 || handled as f64 >= STARTED * facts.scheduled as f64 {
        return None;
    }
    Some(format!(
        "Only {} of {} were started ({}): brunt could not keep up. Lower the rate, give it more `--workers`, or run it on a larger or less busy machine.",
        format::count(watch.started),
        format::counted(facts.scheduled, "scheduled arrival"),
        format::percent(share)
    ))
}

/// Windows that a gate is about; `run` holds those that are not kept apart (recoveries).
fn judged(plan: &Plan, places: &Places) -> BTreeSet<usize> {
    let index = |name: &WindowName| places.names.iter().position(|known| known == name).unwrap_or(RUN);
    plan.gates.iter().map(|gate| index(&gate.window)).collect()
}

/// The lag of the judged window in which it was largest.
struct Late {
    /// So many that a percentile that can be judged is made of them.
    invalidates: bool,
    text: String,
}

fn late(plan: &Plan, watch: &Watch, places: &Places) -> Option<Late> {
    if plan.load.iter().all(|load| load.model == Model::Closed) {
        return None;
    }
    let lags = judged(plan, places).into_iter().filter_map(|window| {
        let histogram = watch.lag_in(window)?;
        let late = histogram.count_between(LAG_US + 1, u64::MAX);
        Some((late >= LATE, of_histogram(histogram, 0.99)?, late, window))
    });
    let (invalidates, lag, late, window) = lags.filter(|(_, lag, ..)| *lag > LAG_US).max()?;
    let (window, lag) = (places.names.get(window)?, format::ms(lag as f64 / 1e3));
    let text = if invalidates {
        format!(
            "1 % of the arrivals in `{window}` were handled more than {lag} late, so latencies contain brunt's own delay. Lower the rate, give brunt more `--workers`, or run it on a larger or less busy machine."
        )
    } else {
        let limit = format::ms(LAG_US as f64 / 1e3);
        format!(
            "{} in `{window}` {} handled more than {limit} late: too few to move a percentile that is judged, but the largest latencies may be brunt's own.",
            format::counted(late, "arrival"),
            if late == 1 { "was" } else { "were" }
        )
    };
    Some(Late { invalidates, text })
}

fn absent_effects(facts: &Facts) -> Vec<String> {
    // What could not even be injected has stopped the run, and that says why.
    let stopped = |why: &str| {
        let injected = why.strip_prefix("it could not be injected");
        matches!((&facts.stopped, injected), (Some(Stopped::Invalid(said)), Some(why)) if said.ends_with(why))
    };
    let absent = |fault: &crate::facts::FaultFacts| match &fault.effect {
        Effect::Absent(why) if stopped(why) => None,
        Effect::Absent(why) => Some(format!(
            "The effect of {} ({}) was looked for and is absent: {}. Nothing was proved about it; check that the load really goes through `{}`.",
            fault.name(),
            fault.kind,
            why.trim_end_matches('.'),
            fault.target
        )),
        _ => None,
    };
    facts.faults.iter().filter_map(absent).collect()
}

fn were(count: u64, noun: &str) -> String {
    format!("{} {}", format::counted(count, noun), if count == 1 { "was" } else { "were" })
}
