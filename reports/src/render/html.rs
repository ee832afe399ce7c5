//! report.html: one file that people pass around. No script, no network, no font: static SVG and tables, so that it reads the
//! same in ten years, in print and in a screen reader.
//!
//! [`rows`] says what stands in the tables; the charts are [`timeline`] (from [`lanes`], [`latency`], [`rate`], [`errors`]
//! within a [`frame`]) and [`percentiles`]; [`slices`] and [`curves`] prepare their data. Layout is `templates/report.html`,
//! looks are `assets/report.css`.

pub mod curves;
pub mod errors;
pub mod frame;
pub mod lanes;
pub mod latency;
pub mod percentiles;
pub mod rate;
pub mod rows;
pub mod slices;
pub mod timeline;

use askama::Template;

use crate::render::{format, words};
use crate::results::Results;
use curves::Curve;
use frame::Size;
use slices::Slices;

/// More lines than this in the percentile plot are a tangle: the reference and the faults that hurt most are drawn.
const CURVES: usize = 6;

#[derive(Template)]
#[template(path = "report.html")]
struct Report<'a> {
    css: &'static str,
    results: &'a Results,
    verdict: &'static str,
    verdict_class: String,
    duration: String,
    findings: Vec<rows::FindingRow>,
    facts: Vec<rows::Fact>,
    gates: Vec<rows::GateRow>,
    guardrails: Vec<rows::GuardrailRow>,
    timeline: String,
    measured: bool,
    timeline_note: String,
    bins: Vec<rows::BinRow>,
    percentiles: String,
    percentile_note: String,
    quantiles: Vec<&'static str>,
    quantile_rows: Vec<rows::QuantileRow>,
    windows: Vec<rows::WindowRow>,
    faults: Vec<rows::FaultRow>,
    steps: Vec<rows::WindowRow>,
    slower_heads: Vec<String>,
    slower: Vec<rows::SlowerRow>,
    errors: Vec<rows::ErrorRow>,
    trust: &'static str,
    health: Vec<rows::Fact>,
    probes: Vec<rows::ProbeRow>,
    environment: Vec<rows::Fact>,
    repeat: String,
    events: Vec<rows::EventRow>,
}

/// Renders the whole report.
pub fn render(results: &Results) -> String {
    let slices = Slices::of(results);
    let curves = drawn_curves(results);
    let summary = &results.summary;
    let report = Report {
        css: include_str!("../../assets/report.css"),
        results,
        verdict: words::verdict(summary.verdict),
        verdict_class: words::verdict(summary.verdict).to_lowercase(),
        duration: format::seconds(summary.duration_s),
        findings: rows::findings(results),
        facts: rows::facts(results),
        gates: rows::gates(results),
        guardrails: rows::guardrails(results),
        timeline: Size::ALL.map(|size| timeline::draw(results, &slices, size)).concat(),
        measured: !slices.is_empty(),
        timeline_note: rows::timeline_note(&slices),
        bins: rows::bins(&slices),
        percentiles: Size::ALL.map(|size| percentiles::draw(results, &curves, size)).concat(),
        percentile_note: rows::percentile_note(results, &curves),
        quantiles: percentiles::TICKS[1..].iter().map(|(_, label)| *label).collect(),
        quantile_rows: rows::quantiles(&curves),
        windows: rows::windows(results),
        faults: rows::faults(results),
        steps: rows::steps(results),
        slower_heads: rows::slower_heads(results),
        slower: rows::slower(results),
        errors: rows::errors(results),
        trust: rows::trust(results),
        health: rows::health(results),
        probes: rows::probes(results),
        environment: rows::environment(results),
        repeat: words::repeat(results),
        events: rows::events(results),
    };
    let page = report.render().expect("writing to a string cannot fail");
    readable(&page)
}

/// Control characters have no place in HTML, and those that turn the direction of text would let a name rewrite the words
/// around it.
fn readable(page: &str) -> String {
    page.split('\n').map(words::printable).collect::<Vec<_>>().join("\n")
}

fn drawn_curves(results: &Results) -> Vec<Curve> {
    let windows = words::windows_in_order(&results.summary.windows);
    let mut faults: Vec<(&str, f64)> = windows
        .iter()
        .filter(|(name, _)| name.starts_with("fault:"))
        .filter_map(|(name, window)| Some((*name, window.latency_ms.p99?)))
        .collect();
    faults.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(b.0)));
    faults.truncate(CURVES - 1);
    let reference = if windows.iter().any(|(name, window)| *name == "baseline" && window.requests > 0) {
        "baseline"
    } else {
        "run"
    };
    let names = std::iter::once(reference).chain(faults.iter().map(|(name, _)| *name));
    names.filter_map(|name| Curve::of(results, name)).collect()
}
