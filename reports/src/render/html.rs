//! report.html: one file that people pass around. No network, no font: static SVG and tables, whole without scripts, so that
//! it reads the same in ten years, in print and in a screen reader. A script then makes the charts over time ones that can be
//! zoomed.
//!
//! [`rows`] says what stands in the tables; the charts are [`timeline`] (from [`lanes`], [`latency`], [`rate`], [`errors`]
//! within a [`frame`]), [`heatmap`], [`percentiles`] and [`sparkline`]; [`slices`] and [`curves`] prepare their data.
//! Layout is `templates/report.html`, a file a section beside it; looks are `assets/report.css`. [`live`] is what the script
//! `templates/report.js` draws, [`policy`] what the browser is allowed to run.

pub mod curves;
pub mod errors;
pub mod frame;
pub mod heatmap;
pub mod lanes;
pub mod latency;
mod live;
pub mod percentiles;
pub(crate) mod policy;
pub(crate) mod prose;
pub mod rate;
pub mod rows;
pub mod scales;
pub mod slices;
mod sparkline;
pub mod timeline;

use askama::Template;

use crate::render::{crew, format, words};
use crate::results::{OperatorKind, Results};
use curves::Curve;
use frame::Size;
use scales::Scales;
use slices::Slices;

/// More lines than this in the percentile plot are a tangle: the reference and the faults that hurt most are drawn.
const CURVES: usize = 6;

#[derive(Template)]
#[template(path = "report.html")]
struct Report<'a> {
    policy: String,
    style: String,
    script: String,
    live: String,
    results: &'a Results,
    verdict: &'static str,
    verdict_class: String,
    duration: String,
    findings: Vec<rows::FindingRow>,
    facts: Vec<rows::Fact>,
    gates: Vec<rows::GateRow>,
    guardrails: Vec<rows::GuardrailRow>,
    lanes: String,
    series: String,
    measured: bool,
    timeline_note: String,
    by_hand: Vec<String>,
    by_hand_voids: bool,
    bins: Vec<rows::BinRow>,
    heatmap: String,
    heat_heads: Vec<String>,
    heat: Vec<rows::HeatRow>,
    percentiles: String,
    percentile_note: String,
    quantiles: Vec<&'static str>,
    quantile_rows: Vec<rows::QuantileRow>,
    windows: Vec<rows::WindowRow>,
    faults: Vec<rows::FaultRow>,
    pods: Vec<rows::PodRow>,
    nodes: Vec<rows::NodeRow>,
    unseen_nodes: Vec<String>,
    autoscalers: Vec<rows::AutoscalerRow>,
    steps: Vec<rows::StepRow>,
    spark_range: String,
    slower_heads: Vec<String>,
    slower: Vec<rows::SlowerRow>,
    instances: Vec<rows::TargetRows>,
    instance_heads: Vec<String>,
    errors: Vec<rows::ErrorRow>,
    trust: &'static str,
    health: Vec<rows::Fact>,
    crew_sentence: String,
    crew_heads: [&'static str; 7],
    crew_rows: Vec<[String; 7]>,
    probes: Vec<rows::ProbeRow>,
    environment: Vec<rows::Fact>,
    repeat: String,
    events: Vec<rows::EventRow>,
}

/// Renders the whole report.
pub fn render(results: &Results) -> String {
    let slices = Slices::of(results);
    let curves = drawn_curves(results);
    let scales = Scales::of(results, &slices);
    let sparks = sparkline::points(results);
    let (style, script) = (policy::style(), policy::script());
    let summary = &results.summary;
    let report = Report {
        policy: policy::of(&style, &script),
        style,
        script,
        live: live::json(results),
        results,
        verdict: words::verdict(summary.verdict),
        verdict_class: words::verdict(summary.verdict).to_lowercase(),
        duration: format::seconds(summary.duration_s),
        findings: rows::findings(results),
        facts: rows::facts(results),
        gates: rows::gates(results),
        guardrails: rows::guardrails(results),
        lanes: Size::ALL.map(|size| timeline::draw_lanes(results, &slices, size)).concat(),
        series: Size::ALL.map(|size| timeline::draw_series(results, &slices, &scales, size)).concat(),
        measured: !slices.is_empty(),
        timeline_note: rows::timeline_note(&slices),
        by_hand: rows::by_hand(results),
        by_hand_voids: results.operator.iter().any(|act| !matches!(act.kind, OperatorKind::Note | OperatorKind::Abort)),
        bins: rows::bins(&slices),
        heatmap: Size::ALL.map(|size| heatmap::draw(results, &slices, size)).concat(),
        heat_heads: rows::heat_heads(&slices),
        heat: rows::heat(&slices),
        percentiles: Size::ALL.map(|size| percentiles::draw(results, &curves, size)).concat(),
        percentile_note: rows::percentile_note(results, &curves),
        quantiles: percentiles::TICKS[1..].iter().map(|(_, label)| *label).collect(),
        quantile_rows: rows::quantiles(&curves),
        windows: rows::windows(results),
        faults: rows::faults(results),
        pods: rows::pods(results),
        nodes: rows::nodes(results),
        unseen_nodes: rows::unseen_nodes(results),
        autoscalers: rows::autoscalers(results),
        steps: rows::steps(results, &slices, &sparks),
        spark_range: sparkline::range_text(&sparks),
        slower_heads: rows::slower_heads(results),
        slower: rows::slower(results),
        instances: rows::instances(results),
        instance_heads: rows::instance_heads(results),
        errors: rows::errors(results),
        trust: rows::trust(results),
        health: rows::health(results),
        crew_sentence: results.crew.as_ref().map(crew::sentence).unwrap_or_default(),
        crew_heads: crew::HEADS,
        crew_rows: results.crew.as_ref().map(crew::rows).unwrap_or_default(),
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
