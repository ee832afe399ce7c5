use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use brunt_report::render::html::render;
use brunt_report::results::{
    AutoscalerData, ConditionData, DecisionData, Event, NodeData, PodData, RestartData, Results, SliceData, TroubleData,
};

use sha2::{Digest, Sha256};

use crate::sample;

pub fn all() -> Vec<Results> {
    sample::all().into_iter().map(|(_, results)| results).collect()
}

/// A page without its style sheet, its script and the script's data: what is left is what people read.
pub fn readable(page: &str) -> String {
    let mut left = page.to_owned();
    for (from, to) in [("<style>", "</style>"), ("<script", "</script>"), ("<script", "</script>")] {
        if let Some((before, rest)) = left.split_once(from) {
            let (_, after) = rest.split_once(to).expect("what is opened is closed");
            left = format!("{before}{after}");
        }
    }
    left
}

/// The text between two marks.
pub fn between<'a>(page: &'a str, from: &str, to: &str) -> &'a str {
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
            "\">Gates</h2>",
            "\">Timeline</h2>",
            "\">Latency heat-map</h2>",
            "\">Latency by percentile</h2>",
            "\">Resilience</h2>",
            "\">Steps</h2>",
            "\">Instances</h2>",
            "\">Errors</h2>",
            "\">Measurement health</h2>",
            "\">Environment and how to repeat</h2>",
            "\">Event log</h2>",
            "\">Glossary</h2>",
        ]
        .iter()
        .map(|mark| page.find(mark).unwrap_or_else(|| panic!("{mark} is missing: {}", results.summary.sentence)))
        .collect();
        assert!(found.is_sorted(), "sections are out of order");
        assert_eq!(page.matches("<h1>").count(), 1);
    }
}

#[test]
fn nothing_is_asked_of_the_network() {
    for results in all() {
        let page = render(&results);
        assert!(!page.contains("javascript:") && !page.contains("@import"));
        let outside = ["src=\"", "href=\"http", "url("].iter().any(|mark| page.contains(mark));
        assert!(!outside, "a link leaves the file");
    }
}

#[test]
fn the_browser_may_run_the_one_script_that_is_in_the_page_and_nothing_else() {
    for results in all() {
        let page = render(&results);
        let policy = between(&page, "Content-Security-Policy\" content=\"", "\"").replace("&#39;", "'");
        let digest = |text: &str| format!("'sha256-{}'", STANDARD.encode(Sha256::digest(text)));
        let style = digest(between(&page, "<style>", "</style>"));
        let Some(script) = page.split_once("<script>").map(|(_, rest)| between(rest, "", "</script>")) else {
            assert!(results.series.is_empty(), "what was measured can be zoomed into");
            continue;
        };
        let script = digest(script);
        assert_eq!(
            policy,
            format!(
                "default-src 'none'; style-src {style}; script-src {script}; img-src data:; base-uri 'none'; form-action 'none'"
            )
        );
        assert_eq!(page.matches("<script").count(), 2, "the script and its data");
        assert!(!readable(&page).contains(" style=\""), "a style that the policy forbids");
    }
}

#[test]
fn names_cannot_leave_the_data_of_the_script() {
    let page = render(&sample::hostile());
    let data = between(&page, "id=\"live-data\">", "</script>");
    assert!(!data.contains('<'));
    let data: serde_json::Value = serde_json::from_str(data).expect("it is JSON");
    let id = data["faults"][0]["id"].as_str().expect("faults have ids");
    assert!(id.starts_with("<script>alert('x')</script>") && !id.contains(['\u{1b}', '\u{202e}']), "{id}");
}

#[test]
fn no_number_is_missing_its_number() {
    for results in all() {
        let page = readable(&render(&results));
        // Words that a person reads may hold these letters; values, attributes and coordinates may not.
        for wrong in [">NaN", ">inf", "\"NaN", "\"inf", " NaN", " inf ", "None", "Some("] {
            assert!(!page.contains(wrong), "{wrong} in the report of {:?}", results.summary.sentence);
        }
    }
}

#[test]
fn hostile_names_stay_text() {
    let page = readable(&render(&sample::hostile()));
    assert!(!page.contains("<script") && !page.contains("alert('x')"));
    assert!(page.contains("alert(&#39;x&#39;)") || page.contains("alert(&#x27;x&#x27;)"));
    assert!(!page.contains(['\u{1b}', '\u{202e}']), "control characters reach the page");
    assert_eq!(page.matches('<').count(), page.matches('>').count(), "a tag was broken open");
}

#[test]
fn each_chart_has_a_sentence_and_a_table() {
    let page = render(&sample::shop());
    assert_eq!(
        page.matches("<svg class=\"chart").count() + page.matches("<svg class=\"spark").count(),
        page.matches("role=\"img\" aria-label=\"").count()
    );
    assert!(page.contains("Timeline as a table") && page.contains("Percentiles as a table"));
    assert!(page.contains("Heat-map as a table"));
    let sentences: Vec<&str> = page
        .split("<svg class=\"chart wide\"")
        .skip(1)
        .map(|chart| between(between(chart, "", ">"), "aria-label=\"", "\""))
        .collect();
    insta::assert_snapshot!(sentences.join("\n"));
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
    let table = between(&page, "\">Resilience</h2>", "</table>");
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

/// How long it takes is measured by `cargo bench -p brunt-report`.
#[test]
fn an_hour_of_a_hundred_endpoints_stays_small() {
    let page = render(&sample::hour());
    assert!(page.len() <= 2_000_000, "{} bytes", page.len());
}

#[test]
fn pods_that_went_are_told_with_what_came_in_their_place() {
    let pod = |name: &str| PodData {
        target: "payments".into(),
        namespace: "shop".into(),
        name: name.into(),
        uid: format!("uid-of-{name}"),
        node: Some("n2".into()),
        created_s: None,
        ending_s: None,
        gone_s: None,
        ready: vec![[0.0, 3.0]],
        serving: vec![[0.0, 3.0]],
        restarts: Vec::new(),
        replaced_by: None,
        time_to_replace_s: None,
        time_to_ready_s: None,
        endpoint_removal_lag_s: None,
        first_request_s: None,
        last_request_s: None,
        last_request_lag_s: None,
        time_to_first_request_s: None,
    };
    let killed = PodData {
        ending_s: Some(1.0),
        gone_s: Some(1.9),
        ready: vec![[0.0, 1.5]],
        replaced_by: Some("payments-4".into()),
        time_to_replace_s: Some(0.021),
        time_to_ready_s: Some(1.4),
        endpoint_removal_lag_s: Some(0.035),
        last_request_lag_s: Some(0.031),
        time_to_first_request_s: Some(1.52),
        ..pod("payments-1")
    };
    let restart = RestartData { at_s: 2.5, why: "OOMKilled".into() };
    let short_of_memory = PodData { restarts: vec![restart], ..pod("payments-2") };
    let made = PodData { created_s: Some(1.021), ready: vec![[2.4, 3.0]], ..pod("payments-4") };
    // The API names them in no order.
    let results = Results { pods: vec![made, short_of_memory, killed, pod("payments-3")], ..sample::three_seconds() };
    let page = readable(&render(&results));
    insta::assert_snapshot!(between(&page, "id=\"pods\"", "</section>"));
    let lane = between(&page, "3 pods ready", "</svg>");
    assert!(lane.contains("fewer pods for 1.4 s"), "{lane}");
}

#[test]
fn nodes_in_trouble_and_autoscalers_have_a_lane_and_a_table_each() {
    let trouble =
        |what: &str, why: &str, from_s, to_s| TroubleData { what: what.into(), why: why.into(), from_s, to_s };
    let node = |name: &str, troubles| NodeData {
        name: name.into(),
        uid: format!("uid-of-{name}"),
        targets: vec!["payments".into()],
        troubles,
        gone_s: None,
    };
    let lost = vec![
        trouble("cordoned", "it takes no new pods", None, Some(1.0)),
        trouble("not heard of", "NodeStatusUnknown: Kubelet stopped posting node status.", Some(1.5), None),
    ];
    let condition = |at_s, status: &str, reason: &str| ConditionData {
        at_s,
        kind: "ScalingActive".into(),
        status: status.into(),
        reason: reason.into(),
        message: "in a sentence".into(),
    };
    let decision = |at_s, current, desired| DecisionData { at_s, current, desired };
    let autoscaler = AutoscalerData {
        namespace: "shop".into(),
        name: "payments-by-load".into(),
        uid: "u".into(),
        targets: vec!["payments".into()],
        scales: "deployment/payments".into(),
        min: 1,
        max: 9,
        decisions: vec![decision(None, 3, Some(3)), decision(Some(1.2), 3, Some(5)), decision(Some(2.2), 5, Some(5))],
        conditions: vec![
            condition(None, "True", "ValidMetricFound"),
            condition(Some(2.5), "False", "FailedGetResourceMetric"),
        ],
        gone_s: None,
    };
    let mut results = Results {
        nodes: vec![node("n1", Vec::new()), node("n2", lost)],
        autoscalers: vec![autoscaler],
        ..sample::three_seconds()
    };
    let page = readable(&render(&results));
    insta::assert_snapshot!(between(&page, "id=\"nodes\"", "</section>"));
    let lane = between(&page, ">n2</text>", "</svg>");
    assert!(lane.contains("cordoned, not heard of") && lane.contains("wants 3, then 5 pods"), "{lane}");
    assert!(!page.contains(">n1</text>"), "a node that was well has no lane");

    let unseen = Event {
        at_s: 0.0,
        kind: "nodes.unknown".into(),
        subject: "payments".into(),
        text: "how the nodes of its pods are was not seen: forbidden".into(),
    };
    (results.nodes, results.autoscalers) = (Vec::new(), Vec::new());
    results.events.push(unseen);
    let page = readable(&render(&results));
    assert!(between(&page, "id=\"nodes\"", "</section>").contains("not seen: forbidden"), "silence is not calm");
}
