//! Runs that hardly began, went wrong or have odd names: the report is made all the same, and tells the truth.

use brunt_report::render::html::render;

use crate::html::{between, readable};
use crate::sample;

/// A section without tags, as it is read.
fn section(page: &str, id: &str) -> String {
    let section = between(page, &format!("<section id=\"{id}\""), "</section>");
    let mut text = String::new();
    for part in section.split('<').skip(1) {
        let (tag, said) = part.split_once('>').expect("a tag ends");
        if !said.trim().is_empty() {
            text.push_str(said.trim());
            text.push(if tag.starts_with("td") || tag.starts_with("th") { '|' } else { ' ' });
        }
    }
    text
}

#[test]
fn three_seconds_make_a_report_with_figures() {
    let page = render(&sample::three_seconds());
    assert!(section(&page, "timeline").contains("one point is 250 ms, about 25 requests"));
    assert!(section(&page, "latency").contains("300|"), "{}", section(&page, "latency"));
    assert!(page.contains("id=\"live-data\""));
}

#[test]
fn one_request_is_not_a_percentile() {
    let page = render(&sample::one_request());
    let section = section(&page, "latency");
    assert!(section.contains("baseline|–|–|–|–|–|–|1|"), "no quantile has ten samples beyond it: {section}");
    assert!(page.contains("48.2 ms") && !readable(&page).contains("NaN"));
}

#[test]
fn no_sample_is_no_figure_anywhere() {
    let page = render(&sample::empty());
    for (id, said) in [
        ("timeline", "No request was measured."),
        ("heatmap", "No request was measured."),
        ("latency", "No request was measured."),
        ("steps", "No step was measured."),
        ("instances", "Who served the requests was not recorded."),
        ("errors", "No request was measured."),
        ("health", "Nothing was sent, so there is nothing to trust or to doubt."),
    ] {
        assert!(section(&page, id).contains(said), "{id}: {}", section(&page, id));
    }
    assert!(!page.contains("<script"), "nothing to zoom into");
    assert!(section(&page, "gates").contains("inconclusive|"));
}

#[test]
fn an_aborted_run_says_what_it_did_not_reach() {
    let page = render(&sample::aborted());
    let gates = section(&page, "gates");
    assert!(gates.matches("not reached|").count() == 3 && gates.contains("stopped the run|"), "{gates}");
    let faults = section(&page, "resilience");
    assert!(faults.contains("not injected|") && faults.contains("recovery not measured"), "{faults}");
    assert!(between(&page, "<p class=\"word\">", "</p>").contains("ABORTED"));
}

#[test]
fn a_measurement_that_cannot_be_trusted_says_so_at_the_top_and_in_its_place() {
    let page = render(&sample::invalid());
    let top = between(&page, "<dl class=\"facts\">", "</dl>");
    assert!(top.contains("not valid") && top.contains("class=\"bad\""));
    let health = section(&page, "health");
    assert!(health.contains("cannot be trusted") && health.contains("give brunt a core of its own"), "{health}");
    insta::assert_snapshot!(section(&page, "resilience"));
}

#[test]
fn what_a_person_did_by_hand_is_drawn_and_said() {
    let page = render(&sample::touched());
    let wide = between(&page, "<svg class=\"chart wide\"", "</svg>");
    assert!(wide.contains(">operator</text>") && wide.matches("\"by-hand\"").count() == 4 && wide.contains("\"hold\""));
    let said = between(&page, "A person had a hand in this run", "</ul>");
    insta::assert_snapshot!(said);
    assert!(!render(&sample::shop()).contains("A person had a hand"));
}

#[test]
fn huge_numbers_are_grouped_and_finite() {
    let page = render(&sample::huge());
    assert!(page.contains("18,446,744,073,709,551,615") && page.contains("1,200,000,000/s"));
    assert!(!readable(&page).contains("inf/s"));
}

#[test]
fn odd_names_stand_as_they_are_in_tables() {
    let page = render(&sample::worded());
    for name in ["שירות התשלומים איטי", "🛒 checkout — größe 年", "being-vacuumed-nightly (pid 4)"]
    {
        assert!(readable(&page).contains(name), "{name}");
    }
}

#[test]
fn instances_say_whether_the_load_was_even() {
    insta::assert_snapshot!(section(&render(&sample::shop()), "instances"));
}

#[test]
fn the_heat_map_holds_every_request_once() {
    let results = sample::shop();
    let page = render(&results);
    let table = between(&page, "Heat-map as a table</summary>", "</table>");
    let cells = table.split("<td class=\"n\">").skip(1).map(|cell| between(cell, "", "</td>").replace(',', ""));
    let sum: u64 = cells.map(|count| count.parse::<u64>().expect("a count")).sum();
    let requests: u64 = results.series.iter().flat_map(|series| &series.slices).map(|slice| slice.offered).sum();
    assert_eq!(sum, requests);
}
