//! The timeline: lanes and charts over one time axis, with the faults through all of it.

use crate::render::format;
use crate::render::html::frame::{Frame, Size};
use crate::render::html::slices::Slices;
use crate::render::html::{errors, lanes, latency, rate};
use crate::render::svg::Svg;
use crate::render::words;
use crate::results::Results;

const GAP: f64 = 26.0;

/// The drawing for one width of the page.
pub fn draw(results: &Results, slices: &Slices, size: Size) -> String {
    let frame = Frame::over_time(size, slices.end_s);
    // Twice: bands and markers lie below everything, and how high they are is known when everything is drawn.
    let bottom = contents(&mut Svg::new(0.0, 0.0), &frame, results, slices);
    let mut svg = Svg::new(size.width(), bottom + 38.0);
    frame.time_axis(&mut svg, 0.0, bottom);
    frame.bands(&mut svg, &results.summary.faults, 0.0, bottom);
    markers(&mut svg, &frame, results, bottom);
    contents(&mut svg, &frame, results, slices);
    svg.finish(size.class(), &sentence(results, slices))
}

fn contents(svg: &mut Svg, frame: &Frame, results: &Results, slices: &Slices) -> f64 {
    let y = lanes::draw(svg, frame, results, 4.0) + 8.0;
    let y = latency::draw(svg, frame, results, slices, y) + GAP;
    let y = rate::draw(svg, frame, slices, results.summary.duration_s, y) + GAP;
    errors::draw(svg, frame, slices, y)
}

/// Lines through everything: where the steady state was lost and where it held again, and the moments of the findings.
fn markers(svg: &mut Svg, frame: &Frame, results: &Results, bottom: f64) {
    for [from, _] in results.slos.iter().flat_map(|slo| &slo.broken) {
        let x = frame.time.at(*from);
        svg.line((x, 0.0), (x, bottom), "marker lost-at");
    }
    let rounds = results.summary.faults.iter().flat_map(|fault| {
        fault.each_round().into_iter().map(move |round| (words::recovery_from_s(fault, &round), round))
    });
    for (from, round) in rounds {
        if let (Some(true), Some(from), Some(took)) = (round.recovered, from, round.recovery_time_s) {
            let x = frame.time.at(from + took);
            svg.line((x, 0.0), (x, bottom), "marker recovered-at");
        }
    }
    for (index, finding) in words::top_findings(&results.summary).iter().enumerate() {
        if let Some(at) = finding.at_s {
            let x = frame.time.at(at);
            svg.line((x, 0.0), (x, bottom), &format!("moment n{}", index + 1));
        }
    }
}

/// The timeline in a sentence.
pub fn sentence(results: &Results, slices: &Slices) -> String {
    let injected = results.summary.faults.iter().filter(|fault| fault.injecting_at_s.is_some()).count() as u64;
    let mut parts = vec![format!("{} with {}", format::seconds(slices.end_s), format::counted(injected, "fault"))];
    parts.extend(results.summary.faults.iter().filter(|fault| fault.injecting_at_s.is_some()).take(3).map(|fault| {
        let at = fault.injecting_at_s.unwrap_or_default();
        format!("{} at {}, {}", fault.id, format::seconds(at), words::recovery(fault))
    }));
    parts.extend(latency::peak(slices).map(|peak| {
        format!("the 99th percentile peaked at {} at {}", format::ms(peak.ms), format::seconds(peak.at_s))
    }));
    format!("Timeline of {}.", parts.join("; "))
}
