//! The timeline: lanes and charts over one time axis, with the faults through all of it. Two drawings without a gap between
//! them: the lanes, which stay, and the charts, which the page's script replaces by ones that can be zoomed.

use crate::render::format;
use crate::render::html::frame::{Frame, Size};
use crate::render::html::scales::Scales;
use crate::render::html::slices::Slices;
use crate::render::html::{errors, lanes, latency, rate};
use crate::render::svg::Svg;
use crate::render::{objectives, words};
use crate::results::{OperatorKind, Results};

const GAP: f64 = 26.0;

/// The lanes for one width of the page.
pub fn draw_lanes(results: &Results, slices: &Slices, size: Size) -> String {
    let frame = Frame::over_time(size, slices.end_s);
    // Twice: bands and markers lie below everything, and how high they are is known when everything is drawn.
    let bottom = lanes::draw(&mut Svg::new(0.0, 0.0), &frame, results, 4.0) + 6.0;
    let mut svg = Svg::new(size.width(), bottom);
    behind(&mut svg, &frame, results, bottom);
    lanes::draw(&mut svg, &frame, results, 4.0);
    svg.finish(size.class(), &sentence(results, slices))
}

/// The charts below them.
pub fn draw_series(results: &Results, slices: &Slices, scales: &Scales, size: Size) -> String {
    let frame = Frame::over_time(size, scales.end_s);
    let bottom = charts(&mut Svg::new(0.0, 0.0), &frame, results, slices, scales);
    let mut svg = Svg::new(size.width(), bottom + 38.0);
    frame.time_axis(&mut svg, 0.0, bottom);
    behind(&mut svg, &frame, results, bottom);
    charts(&mut svg, &frame, results, slices, scales);
    svg.finish(size.class(), &series_sentence(slices))
}

fn charts(svg: &mut Svg, frame: &Frame, results: &Results, slices: &Slices, scales: &Scales) -> f64 {
    let y = latency::draw(svg, frame, results, slices, scales, 6.0) + GAP;
    let y = rate::draw(svg, frame, slices, scales, results.summary.duration_s, y) + GAP;
    errors::draw(svg, frame, slices, scales, y)
}

fn behind(svg: &mut Svg, frame: &Frame, results: &Results, bottom: f64) {
    frame.bands(svg, &results.summary.faults, 0.0, bottom);
    for held in results.operator.iter().filter(|act| act.kind == OperatorKind::Hold) {
        let (from, to) = (frame.time.at(held.at_s), frame.time.at(held.until_s.unwrap_or(frame.end_s)));
        svg.rect((from, 0.0), (to - from, bottom), "hold");
    }
    let mut through = |at: f64, class: &str| {
        let x = frame.time.at(at);
        svg.line((x, 0.0), (x, bottom), class);
    };
    lost_at(results).for_each(|at| through(at, "marker lost-at"));
    recovered_at(results).for_each(|at| through(at, "marker recovered-at"));
    for (index, finding) in words::top_findings(&results.summary).iter().enumerate() {
        if let Some(at) = finding.at_s {
            through(at, &format!("moment n{}", index + 1));
        }
    }
}

/// Where objectives began to be lost.
pub fn lost_at(results: &Results) -> impl Iterator<Item = f64> {
    objectives::all_lost(results).into_iter().map(|[from, _]| from)
}

/// Where the steady state held again, after each round of each fault.
pub fn recovered_at(results: &Results) -> impl Iterator<Item = f64> {
    let faults = results.summary.faults.iter();
    let rounds = faults.flat_map(|fault| fault.each_round().into_iter().map(move |round| (fault, round)));
    rounds
        .filter(|(_, round)| round.recovered == Some(true))
        .filter_map(|(fault, round)| Some(words::recovery_from_s(fault, &round)? + round.recovery_time_s?))
}

/// The timeline in a sentence.
pub fn sentence(results: &Results, slices: &Slices) -> String {
    let injected = results.summary.faults.iter().filter(|fault| fault.injecting_at_s.is_some()).count() as u64;
    let mut parts = vec![format!("{} with {}", format::seconds(slices.end_s), format::counted(injected, "fault"))];
    parts.extend(results.summary.faults.iter().filter(|fault| fault.injecting_at_s.is_some()).take(3).map(|fault| {
        let at = fault.injecting_at_s.unwrap_or_default();
        format!("{} at {}, {}", fault.id, format::seconds(at), words::recovery(fault))
    }));
    format!("Timeline of {}.", parts.join("; "))
}

/// The charts in a sentence.
pub fn series_sentence(slices: &Slices) -> String {
    let failed: u64 = slices.bins.iter().flat_map(|bin| &bin.errors).sum();
    let offered: u64 = slices.bins.iter().map(|bin| bin.offered).sum();
    let Some(peak) = latency::peak(slices) else {
        return "Latency, requests and errors over time: no request was measured.".to_owned();
    };
    format!(
        "Latency, requests and errors over time: the 99th percentile peaked at {} at {}; {} of {} failed.",
        format::ms(peak.ms),
        format::seconds(peak.at_s),
        format::count(failed),
        format::counted(offered, "request")
    )
}
