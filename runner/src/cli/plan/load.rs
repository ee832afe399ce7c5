//! The load curve in words, and what it adds up to.

use std::time::Duration;

use brunt_scenario::plan::{Load, Model, Plan, Stage, Step};
use brunt_scenario::units::print_duration;

use super::Page;
use super::times::Schedule;

/// What an open iteration takes at most, beside the reply that it waits for: its connection and its variables. Measured
/// with one HTTP/1.1 connection an iteration.
const BYTES_OF_AN_ITERATION: f64 = 20.0 * 1024.0;
/// The program itself, its threads, and the histograms of a scenario of a few steps.
const BYTES_OF_THE_REST: f64 = 24.0 * 1024.0 * 1024.0;

/// Writes the section.
pub fn write(page: &mut Page, plan: &Plan, schedule: &Schedule) {
    let mut rows = Vec::new();
    for load in &plan.load {
        let journey = plan.journeys.get(load.journey);
        let name = journey.map_or("", |journey| journey.name.as_str());
        rows.push(vec![load.name.clone(), format!("journey {name}, {}", curve(load))]);
        let steps =
            journey.map_or(0, |journey| journey.steps.iter().filter(|step| matches!(step, Step::Request(_))).count());
        rows.push(vec![String::new(), prediction(load, steps, schedule)]);
    }
    let open: f64 = plan.load.iter().map(most_open).sum();
    let most = (BYTES_OF_THE_REST + open * BYTES_OF_AN_ITERATION) / (1024.0 * 1024.0);
    let usual = BYTES_OF_THE_REST / (1024.0 * 1024.0);
    let memory = format!(
        "about {usual:.0} MiB; {most:.0} MiB if all {} iterations that may be open are; it does not grow with time",
        count(open)
    );
    rows.push(vec!["memory".to_owned(), memory]);
    page.section("load", &rows);
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

fn prediction(load: &Load, steps: usize, schedule: &Schedule) -> String {
    if load.model == Model::Closed {
        return format!("as many iterations as replies allow, {} requests each", count(steps as f64));
    }
    let least = iterations(load, schedule.end.earliest);
    let most = iterations(load, schedule.end.latest);
    let range = |factor: f64| {
        let (least, most) = (count(least * factor), count(most * factor));
        if least == most { least } else { format!("{least} to {most}") }
    };
    format!("{} iterations, {} requests if every step is reached", range(1.0), range(steps as f64))
}

/// The area below the curve until `end`.
fn iterations(load: &Load, end: Duration) -> f64 {
    let mut from = Duration::ZERO;
    let mut total = 0.0;
    for stage in &load.stages {
        let length = stage.length.unwrap_or_else(|| end.saturating_sub(from));
        total += f64::midpoint(stage.from, stage.to) * length.as_secs_f64();
        from += length;
    }
    total
}

fn most_open(load: &Load) -> f64 {
    match load.model {
        Model::Closed => load.stages.iter().map(|stage| stage.from.max(stage.to)).fold(0.0, f64::max),
        Model::OpenConstant | Model::OpenPoisson => load.max_in_flight as f64,
    }
}

/// A level without the noise of fractions: `200`, `0.5`.
fn number(value: f64) -> String {
    let text = format!("{value:.3}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn count(value: f64) -> String {
    brunt_report::render::format::count(value.round() as u64)
}
