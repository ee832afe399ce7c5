use base64::Engine;
use brunt_report::recorder::Recorder;
use brunt_report::results::{ReadError, read, write};
use brunt_report::sample::Batch;
use brunt_report::window::Windows;
use brunt_scenario::metric::WindowName;
use hdrhistogram::Histogram;
use hdrhistogram::serialization::Deserializer;
use proptest::prelude::*;

use crate::story::{at, order, shop};

#[test]
fn the_same_run_is_the_same_file_and_reads_back_as_itself() {
    let first = shop(&[], 452.0).judged();
    let text = write(&first);
    assert_eq!(text, write(&shop(&[], 452.0).judged()));
    assert_eq!(read(&text).unwrap(), first);
}

#[test]
fn the_file_is_indented_for_people_and_dense_for_programs() {
    let text = write(&shop(&[], 452.0).judged());
    let line = |part: &str| text.lines().find(|line| line.contains(part)).map(str::trim).unwrap_or_default().to_owned();
    assert_eq!(line("\"verdict\""), "\"verdict\": \"pass\",");
    insta::assert_snapshot!(line("\"at_s\":10.0"), @r#"{"at_s":10.0,"offered":25,"completed":2,"errors":{},"latency_us":[[452607,25]]},"#);
    assert!(text.len() < 60_000, "{} bytes", text.len());
}

#[test]
fn a_file_of_another_version_is_called_that() {
    let text = write(&shop(&[], 20.0).judged());
    let other = read(&text.replace("brunt.results/1", "brunt.results/7")).unwrap_err();
    assert_eq!(other.to_string(), "this is `brunt.results/7`, and this version reads brunt.results/1");
    assert!(matches!(read("{}"), Err(ReadError::NotResults(_))));
    assert!(matches!(read(r#"{"schema":"brunt.results/1"}"#), Err(ReadError::NotWhole(_))));
}

#[test]
fn the_histograms_in_the_file_are_the_ones_behind_the_numbers() {
    let results = shop(&[], 452.0).judged();
    let bytes = base64::engine::general_purpose::STANDARD.decode(&results.series[0].histograms["fault:slow"]).unwrap();
    let histogram: Histogram<u64> = Deserializer::new().deserialize(&mut bytes.as_slice()).unwrap();
    let window = order(&results, "fault:slow");
    assert_eq!(histogram.len(), window.requests);
    assert_eq!(histogram.value_at_quantile(0.9) as f64 / 1e3, window.latency_ms.p90.unwrap());
}

#[test]
fn edges_that_are_written_as_the_run_goes_on_give_the_same_as_those_known_beforehand() {
    let story = shop(&[], 452.0);
    let mut log = Windows::default();
    let mut recorder = Recorder::new(&story.plan);
    for batch in story.batches() {
        // What the timeline has written by the time at which the batch is read.
        for span in &story.windows.spans {
            let known = log.spans.iter().any(|known| known.name == span.name);
            if !known && span.from <= batch.upto {
                log.open(span.name.clone(), span.from);
            }
            if span.to.is_some_and(|to| to <= batch.upto) {
                log.close(&span.name, span.to.unwrap());
            }
        }
        recorder.file(batch, &log);
    }
    let live = recorder.finish(&story.plan, &story.windows, story.facts.clone());
    assert_eq!(write(&live), write(&story.judged()));
}

#[test]
fn objectives_can_be_asked_while_the_run_goes_on() {
    let story = shop(&[], 452.0);
    let mut recorder = Recorder::new(&story.plan);
    let mut asked = Vec::new();
    for batch in story.batches() {
        let upto = batch.upto;
        recorder.file(batch, &story.windows);
        if [1.0, 9.0, 13.0, 20.0].map(at).contains(&upto) {
            let latency = &recorder.slo_status(&story.plan, upto)[0];
            asked.push((latency.holds, latency.value.map(f64::round), recorder.steady(upto)));
        }
    }
    assert_eq!(
        asked,
        [
            (Some(true), Some(20.0), true),
            (Some(true), Some(20.0), true),
            (Some(false), Some(453.0), false),
            (Some(true), Some(20.0), true),
        ]
    );
    // The first 50 ms of the span may still be slow: 5 %.
    assert_eq!(recorder.earliest_hold_since(at(16.0), at(18.0)), Some(at(16.0)));
    assert_eq!(recorder.earliest_hold_since(at(15.0), at(18.0)), Some(at(15.9)));
    assert_eq!(recorder.earliest_hold_since(at(15.0), at(17.85)), None, "the span has not ended yet");
}

#[test]
fn the_screen_sees_the_last_five_seconds_and_the_whole() {
    let story = shop(&[], 452.0);
    let mut recorder = Recorder::new(&story.plan);
    for batch in story.batches().into_iter().filter(|batch| batch.upto <= at(16.0)) {
        recorder.file(batch, &story.windows);
    }
    let live = recorder.live(at(16.0));
    assert_eq!(live.recent.length_s, 5.0);
    // Of the last 452 ms no `order` has ended, so no `read` was started.
    assert_eq!(live.recent.p90_ms.map(f64::round), Some(453.0));
    assert_eq!(live.total.p50_ms.map(f64::round), Some(5.0));
    assert!(live.total.completed_per_s() > 190.0 && live.recent.error_rate() == Some(0.0));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]
    #[test]
    fn the_order_in_which_workers_hand_over_does_not_matter(seed in any::<u64>(), workers in 1usize..4) {
        let story = shop(&[], 452.0);
        let mut parts: Vec<Batch> = Vec::new();
        for batch in story.batches() {
            let mut split = vec![Batch { upto: batch.upto, ..Batch::default() }; workers];
            for (index, request) in batch.requests.into_iter().enumerate() {
                split[index % workers].requests.push(request);
            }
            for (index, arrival) in batch.arrivals.into_iter().enumerate() {
                split[index % workers].arrivals.push(arrival);
            }
            parts.extend(split.into_iter().enumerate().map(|(worker, batch)| Batch { worker, ..batch }));
        }
        // Batches are late by up to two seconds, in any order.
        let late = |batch: &Batch, index: usize| batch.upto.0 + (seed.wrapping_mul(index as u64 | 1) >> 3) % 2_000_000_000;
        let mut order: Vec<(u64, usize)> = parts.iter().enumerate().map(|(index, batch)| (late(batch, index), index)).collect();
        order.sort_unstable();
        let mut recorder = Recorder::new(&story.plan);
        for (_, index) in order {
            recorder.file(parts[index].clone(), &story.windows);
        }
        let shuffled = recorder.finish(&story.plan, &story.windows, story.facts.clone());
        prop_assert_eq!(write(&shuffled), write(&story.judged()));
    }
}

#[test]
fn a_fault_span_that_is_open_at_the_end_reaches_to_the_last_arrival() {
    let mut story = shop(&[], 20.0);
    story.windows.open(WindowName::Fault("slow".into()), at(25.0));
    let results = story.judged();
    assert_eq!(results.summary.windows["fault:slow"].to_s, 30.0);
    assert_eq!(results.summary.windows["fault:slow"].length_s, 11.0);
}
