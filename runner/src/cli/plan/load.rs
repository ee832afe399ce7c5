//! The load curve in words, and what it adds up to.

use std::time::Duration;

use brunt_report::render::format;
use brunt_scenario::plan::{Feeder, Load, LoadChange, Model, Plan, Portion, Reuse, Rows, Stage};
use brunt_scenario::units::print_duration;

use super::Page;
use super::times::{Between, Schedule};
use crate::load::estimate::{Estimate, estimate, memory};

/// What the loads come to if the timeline ends, and changes them, as soon as it can, and as late.
pub fn sooner_and_later(plan: &Plan, schedule: &Schedule) -> (Vec<Estimate>, Vec<Estimate>) {
    let changes = |when: fn(&Between) -> Duration| -> Vec<(Duration, LoadChange)> {
        let mut changes: Vec<_> = schedule.changes.iter().map(|(at, change)| (when(at), change.clone())).collect();
        changes.sort_by_key(|(at, _)| *at);
        changes
    };
    let sooner = estimate(plan, schedule.end.earliest, &changes(|at| at.earliest));
    (sooner, estimate(plan, schedule.end.latest, &changes(|at| at.latest)))
}

/// Writes the section.
pub fn write(page: &mut Page, plan: &Plan, schedule: &Schedule) {
    let (sooner, later) = sooner_and_later(plan, schedule);
    let mut rows = Vec::new();
    for (load, (least, most)) in plan.load.iter().zip(sooner.iter().zip(&later)) {
        rows.push(vec![load.name.clone(), format!("{}, {}", journeys(plan, load), curve(load))]);
        rows.push(vec![String::new(), prediction(load, least, most)]);
        rows.extend(connections_in_words(load).map(|words| vec![String::new(), words]));
    }
    rows.extend(plan.feeders.iter().map(|feeder| vec![format!("rows of {}", feeder.name), feeder_in_words(feeder)]));
    let connections: usize = later.iter().map(|load| load.connections).sum();
    rows.push(vec![
        "memory".to_owned(),
        format!(
            "at most {} MiB, with {} open; it does not grow with time",
            memory(plan, &later).div_ceil(1024 * 1024),
            format::counted(connections as u64, "connection")
        ),
    ]);
    page.section("load", &rows);
}

/// `journey checkout`, or `90 % browse + 10 % checkout`.
fn journeys(plan: &Plan, load: &Load) -> String {
    let name = |part: &Portion| plan.journeys.get(part.journey).map_or("", |journey| journey.name.as_str());
    match load.mix.as_slice() {
        [only] => format!("journey {}", name(only)),
        mix => {
            let parts: Vec<String> =
                mix.iter().map(|part| format!("{} {}", format::percent(part.share), name(part))).collect();
            parts.join(" + ")
        }
    }
}

/// What differs from the default: `connections of its own: at most 10 to one address, 1 request each`.
fn connections_in_words(load: &Load) -> Option<String> {
    let of = &load.connections;
    let mut words = Vec::new();
    words.extend(of.max_per_host.map(|most| format!("at most {most} to one address")));
    match of.reuse {
        Reuse::Always => {}
        Reuse::Times(1) => words.push("a new one for each request".to_owned()),
        Reuse::Times(times) => words.push(format!("{times} requests on each")),
    }
    words.extend(of.max_age.map(|age| format!("none used longer than {}", print_duration(age))));
    (!words.is_empty()).then(|| format!("connections of its own: {}", words.join(", ")))
}

/// `1,000 rows of ./users.csv, shuffle`.
fn feeder_in_words(feeder: &Feeder) -> String {
    let rows = format::counted(feeder.rows.count() as u64, "row");
    let from = match &feeder.rows {
        Rows::Table { path, .. } => format!("{rows} of {path}"),
        Rows::Values(_) => rows,
    };
    let weights = if feeder.weights.is_empty() { "" } else { ", by weight" };
    format!("{from}, {}{weights}", feeder.strategy.word())
}

/// `open, poisson: ramp from 0/s to 200/s over 3s (warm-up), then 200/s as long as the timeline`.
fn curve(load: &Load) -> String {
    let (model, unit) = match load.model {
        Model::OpenConstant => ("open, constant", "/s"),
        Model::OpenPoisson => ("open, poisson", "/s"),
        Model::Closed => ("closed", " users"),
    };
    let stages: Vec<String> = load.stages.iter().map(|stage| stage_in_words(stage, unit)).collect();
    format!("{model}: {}", stages.join(", then "))
}

fn stage_in_words(stage: &Stage, unit: &str) -> String {
    let to = number(stage.to);
    let mut text = if stage.from == stage.to {
        format!("{to}{unit}")
    } else {
        format!("from {}{unit} to {to}{unit}", number(stage.from))
    };
    match stage.length {
        Some(length) if stage.from == stage.to => text.push_str(&format!(" for {}", print_duration(length))),
        Some(length) => text.push_str(&format!(" over {}", print_duration(length))),
        None => text.push_str(" as long as the timeline"),
    }
    if stage.warmup {
        text.push_str(" (warm-up)");
    }
    text
}

fn prediction(load: &Load, least: &Estimate, most: &Estimate) -> String {
    let range = |least: Option<u64>, most: Option<u64>| match (least?, most?) {
        (least, most) if least == most => Some(format::count(least)),
        // With less load from some instant on, an earlier end may have more of it.
        (one, other) => Some(format!("{} to {}", format::count(one.min(other)), format::count(one.max(other)))),
    };
    let iterations = range(least.iterations, most.iterations);
    let requests = range(least.requests, most.requests);
    match iterations.zip(requests) {
        Some((iterations, requests)) => {
            let about = if load.mix.len() > 1 { "about " } else { "" };
            let ends =
                if least.rows_end || most.rows_end { "; then the unique rows end, and the load with them" } else { "" };
            format!("{iterations} iterations, {about}{requests} requests if no step fails{ends}")
        }
        None => "as many iterations as the replies allow".to_owned(),
    }
}

/// A level without the noise of fractions: `200`, `0.5`.
fn number(value: f64) -> String {
    let text = format!("{value:.3}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}
