//! compare.html: two runs beside each other on one page, the charts on the same scales. No script: nothing to zoom, everything
//! to print.

use askama::Template;

use super::{CAVEAT, Row, change, counts, faults, gates, interval, side};
use crate::compare::Comparison;
use crate::compare::differences::Difference;
use crate::render::html::frame::Size;
use crate::render::html::scales::Scales;
use crate::render::html::slices::Slices;
use crate::render::html::{policy, timeline};
use crate::render::{format, words};
use crate::results::Results;

#[derive(Template)]
#[template(path = "compare.html")]
struct Page<'a> {
    policy: String,
    style: String,
    runs: [Head<'a>; 2],
    caveat: &'static str,
    forbidden: Vec<&'a Difference>,
    cautions: Vec<&'a Difference>,
    windows: Vec<WindowRows>,
    gates: Vec<Row>,
    faults: Vec<Row>,
    version: &'a str,
}

/// One of the runs.
struct Head<'a> {
    which: &'static str,
    name: &'a str,
    verdict: &'static str,
    class: String,
    results: &'a Results,
    duration: String,
    charts: String,
}

struct WindowRows {
    name: String,
    counts: String,
    figures: Vec<FigureRow>,
}

struct FigureRow {
    name: &'static str,
    first: String,
    second: String,
    change: String,
    interval: String,
    stands_out: bool,
}

/// Renders the page. `names` is how the two runs were given on the command line.
pub fn render(comparison: &Comparison<'_>, names: [&str; 2]) -> String {
    let slices = [comparison.first, comparison.second].map(Slices::of);
    let scales = Scales::of(comparison.first, &slices[0]).both(Scales::of(comparison.second, &slices[1]));
    let head = |which, name, results, slices: &Slices| head(which, name, results, slices, &scales);
    let style = policy::style_alone();
    let (forbidden, cautions) = comparison.differences.iter().partition(|difference| difference.forbids);
    let windows = comparison.windows.iter().map(|window| WindowRows {
        name: window.name.clone(),
        counts: counts(window),
        figures: window
            .figures
            .iter()
            .map(|figure| FigureRow {
                name: figure.name,
                first: side(figure.first, figure.unit),
                second: side(figure.second, figure.unit),
                change: change(figure),
                interval: interval(figure),
                stands_out: figure.stands_out(),
            })
            .collect(),
    });
    let page = Page {
        policy: policy::without_script(&style),
        style,
        runs: [
            head("First", names[0], comparison.first, &slices[0]),
            head("Second", names[1], comparison.second, &slices[1]),
        ],
        caveat: CAVEAT,
        forbidden,
        cautions,
        windows: windows.collect(),
        gates: gates(comparison),
        faults: faults(comparison),
        version: &comparison.second.summary.brunt_version,
    };
    let page = page.render().expect("writing to a string cannot fail");
    page.split('\n').map(words::printable).collect::<Vec<_>>().join("\n")
}

fn head<'a>(which: &'static str, name: &'a str, results: &'a Results, slices: &Slices, scales: &Scales) -> Head<'a> {
    let verdict = words::verdict(results.summary.verdict);
    Head {
        which,
        name,
        verdict,
        class: verdict.to_lowercase(),
        results,
        duration: format::seconds(results.summary.duration_s),
        charts: Size::ALL.map(|size| timeline::draw_series(results, slices, scales, size)).concat(),
    }
}
