//! Two runs beside each other.

use brunt_report::compare::Comparison;
use brunt_report::render::compare::{html, text};
use brunt_report::results::Results;

use crate::html::{between, readable};
use crate::sample;

const NAMES: [&str; 2] = ["results/before", "results/after"];

/// The shop with another seed after it learned to contain a slow payment instance: the same scenario, fewer slow orders.
fn mended() -> Results {
    sample::mended()
}

#[test]
fn the_table_in_the_terminal_says_what_changed_and_what_it_cannot_say() {
    let (first, second) = (sample::shop(), mended());
    insta::assert_snapshot!(text::render(&Comparison::of(&first, &second), NAMES));
}

#[test]
fn a_run_beside_itself_has_not_changed() {
    let run = sample::shop();
    let comparison = Comparison::of(&run, &run);
    assert!(comparison.is_fair() && comparison.differences.is_empty());
    for figure in comparison.windows.iter().flat_map(|window| &window.figures) {
        let same = if figure.unit == "fraction" { 0.0 } else { 1.0 };
        assert!(figure.change.is_none_or(|change| change == same), "{figure:?}");
        assert!(!figure.stands_out(), "{figure:?}");
    }
    assert!(html::render(&comparison, NAMES).contains("The same scenario, load, seed, machine and version of brunt."));
}

#[test]
fn a_change_that_is_larger_than_the_ups_and_downs_within_the_runs_stands_out() {
    let (first, second) = (sample::steady(1, 40.0, 2_000.0), sample::steady(2, 40.0, 2_600.0));
    let comparison = Comparison::of(&first, &second);
    let figure = |window: &str, name: &str| {
        let window = comparison.windows.iter().find(|pair| pair.name == window).expect("the window is in both");
        window.figures.iter().find(|figure| figure.name == name).expect("it has the figure").clone()
    };
    for name in ["p50", "p90"] {
        let slower = figure("run", name);
        let [low, high] = slower.interval.expect("40 s are more than ten blocks");
        assert!(slower.stands_out() && 1.15 < low && low < 1.3 && 1.2 < high && high < 1.5, "{slower:?}");
    }
    let errors = figure("run", "errors");
    let [low, high] = errors.interval.expect("shares of thousands of requests have an interval");
    let change = errors.change.expect("both have errors or none");
    assert!(low <= change && change <= high && !errors.stands_out(), "{errors:?}");
}

#[test]
fn what_forbids_a_comparison_is_said_first_and_in_red() {
    let (first, mut second) = (sample::shop(), sample::aborted());
    second.summary.scenario_sha256 = "00".repeat(32);
    second.summary.health.valid = false;
    second.environment.cores = 64;
    second.summary.seed = 8;
    let comparison = Comparison::of(&first, &second);
    assert!(!comparison.is_fair());
    let page = html::render(&comparison, NAMES);
    let differences = between(&page, "<section id=\"differences\"", "</section>");
    insta::assert_snapshot!(differences);
    let told = text::render(&comparison, NAMES);
    let (forbidden, differs) = (told.rfind("NOT COMPARABLE").expect("said"), told.find("differs:").expect("said"));
    assert!(forbidden < differs && differs < told.find("window ").expect("the table follows"), "{told}");
}

#[test]
fn the_charts_of_both_runs_have_the_same_scales() {
    let (first, second) = (sample::shop(), mended());
    let page = html::render(&Comparison::of(&first, &second), NAMES);
    let charts: Vec<&str> =
        page.split("<svg class=\"chart wide\"").skip(1).map(|chart| between(chart, "", "</svg>")).collect();
    assert_eq!(charts.len(), 2);
    let ticks = |chart: &str| {
        let labels = chart.split("text-anchor=\"end\" class=\"t m\">").skip(1);
        labels.map(|label| between(label, "", "<").to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(ticks(charts[0]), ticks(charts[1]));
}

#[test]
fn every_two_runs_can_be_rendered_whatever_happened_to_them() {
    let all = crate::html::all();
    for first in &all {
        for second in [&all[0], &all[4], &all[5]] {
            let comparison = Comparison::of(first, second);
            let page = html::render(&comparison, NAMES);
            assert!(page.ends_with("</html>\n") || page.ends_with("</html>"));
            let read = readable(&page);
            for wrong in [">NaN", ">inf", "None", "Some(", "<script", "alert('x')"] {
                assert!(!read.contains(wrong), "{wrong}");
            }
            assert!(!text::render(&comparison, NAMES).contains(['\u{1b}', '\u{202e}']));
        }
    }
}
