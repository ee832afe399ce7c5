use std::time::{Duration, Instant};

use brunt_report::render::html::render;
use brunt_report::results::{Results, SliceData};

use crate::sample;

fn all() -> Vec<Results> {
    vec![sample::shop(), sample::passing(), sample::aborted(), sample::empty(), sample::invalid(), sample::hostile()]
}

/// The text between two marks.
fn between<'a>(page: &'a str, from: &str, to: &str) -> &'a str {
    let (_, rest) = page.split_once(from).unwrap_or_else(|| panic!("{from} is not in the page"));
    rest.split_once(to).unwrap_or_else(|| panic!("{to} does not follow {from}")).0
}

#[test]
fn every_section_is_there_whatever_happened() {
    for results in all() {
        let page = render(&results);
        let found: Vec<usize> = [
            "class=\"verdict",
            "class=\"lead\"",
            "<h2>Gates",
            "<h2>Timeline",
            "<h2>Resilience",
            "<h2>Latency by percentile",
            "<h2>Steps",
            "<h2>Errors",
            "<h2>Measurement health",
            "<h2>Environment and how to repeat",
            "<h2>Event log",
            "<h2>Glossary",
        ]
        .iter()
        .map(|mark| page.find(mark).unwrap_or_else(|| panic!("{mark} is missing: {}", results.summary.sentence)))
        .collect();
        assert!(found.is_sorted(), "sections are out of order");
        assert_eq!(page.matches("<h1>").count(), 1);
    }
}

#[test]
fn nothing_is_asked_of_the_network_and_nothing_runs() {
    for results in all() {
        let page = render(&results);
        assert!(!page.contains("<script") && !page.contains("javascript:") && !page.contains("@import"));
        let outside = ["src=\"", "href=\"http", "url("].iter().any(|mark| page.contains(mark));
        assert!(!outside, "a link leaves the file");
        assert!(page.contains("default-src 'none'; style-src 'unsafe-inline'; img-src data:"));
    }
}

#[test]
fn no_number_is_missing_its_number() {
    for results in all() {
        let page = render(&results);
        // Words that a person reads may hold these letters; values, attributes and coordinates may not.
        for wrong in [">NaN", ">inf", "\"NaN", "\"inf", " NaN", " inf ", "None", "Some("] {
            assert!(!page.contains(wrong), "{wrong} in the report of {:?}", results.summary.sentence);
        }
    }
}

#[test]
fn hostile_names_stay_text() {
    let page = render(&sample::hostile());
    assert!(!page.contains("<script") && !page.contains("alert('x')"));
    assert!(page.contains("alert(&#39;x&#39;)") || page.contains("alert(&#x27;x&#x27;)"));
    assert!(!page.contains(['\u{1b}', '\u{202e}']), "control characters reach the page");
    assert_eq!(page.matches('<').count(), page.matches('>').count(), "a tag was broken open");
}

#[test]
fn each_chart_has_a_sentence_and_a_table() {
    let page = render(&sample::shop());
    assert_eq!(page.matches("<svg class=\"chart").count(), page.matches("role=\"img\" aria-label=\"").count());
    assert!(page.contains("Timeline as a table") && page.contains("Percentiles as a table"));
    let timeline = between(&page, "<svg class=\"chart wide\"", ">");
    insta::assert_snapshot!(between(timeline, "aria-label=\"", "\""));
}

#[test]
fn a_finding_links_to_its_moment_in_the_timeline() {
    let page = render(&sample::shop());
    for number in 1..=3 {
        assert!(page.contains(&format!("href=\"#moment-{number}\"")));
        assert!(page.contains(&format!("id=\"moment-{number}\"")));
        assert!(page.contains(&format!("class=\"moment n{number}\"")));
    }
}

#[test]
fn failed_gates_come_first_with_their_limits_and_lines() {
    let page = render(&sample::shop());
    insta::assert_snapshot!(between(&page, "<table class=\"gates\">", "</table>"));
}

#[test]
fn a_fault_that_never_recovered_says_so() {
    let page = render(&sample::invalid());
    let table = between(&page, "<h2>Resilience", "</table>");
    assert!(table.contains("did not recover") && table.contains("not exercised") && table.contains("incomplete"));
    assert!(page.contains("recovery never"), "the interval is drawn as one that does not end");
}

#[test]
fn percentile_lines_end_where_the_samples_do() {
    let page = render(&sample::shop());
    insta::assert_snapshot!(between(&page, "Percentiles as a table</summary>", "</table>"));
}

#[test]
fn a_slice_with_absurd_values_does_not_break_the_axes() {
    let mut results = sample::shop();
    let slices = &mut results.series[0].slices;
    slices[0].latency_us = vec![(0, 1), (u64::MAX, 1)];
    slices.push(SliceData {
        at_s: -3.0,
        offered: 0,
        completed: 0,
        errors: Default::default(),
        latency_us: vec![(5, 0)],
    });
    results.series[1].histograms.insert("baseline".to_owned(), "not a histogram".to_owned());
    assert!(render(&results).contains("</html>"));
}

#[test]
fn the_same_results_give_the_same_bytes_also_after_a_round_trip_through_json() {
    let results = sample::shop();
    let read: Results = serde_json::from_str(&serde_json::to_string(&results).unwrap()).unwrap();
    assert!(render(&results) == render(&read));
}

/// The goal of a second is for a release build; tests are built without optimisation, so they get more.
#[test]
fn an_hour_of_a_hundred_endpoints_stays_small_and_quick() {
    let results = sample::hour();
    let started = Instant::now();
    let page = render(&results);
    let took = started.elapsed();
    assert!(page.len() <= 2_000_000, "{} bytes", page.len());
    assert!(took <= Duration::from_secs(10), "{took:?}");
    println!("{} bytes in {took:?}", page.len());
}
