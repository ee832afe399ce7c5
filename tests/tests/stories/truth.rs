//! Known truth against what brunt reports: a service that freezes for half a second each five seconds.
//!
//! 2,000 requests a second for 30 s are six whole periods, so a tenth of the requests waits, evenly between 0 and 500 ms,
//! wherever the first freeze falls: p50 is what a reply takes, p95 is 250 ms, p99 is 450 ms. A tool that counts from the
//! send, or that sends no more than its connections allow, reports a p99 of a few milliseconds here.

use std::time::Duration;

use brunt_report::results::Results;
use brunt_tests::answering::Answering;
use brunt_tests::brunt::Brunt;
use brunt_tests::ended::window;
use brunt_tests::machine;
use brunt_tests::scenario::Scenario;

const RATE: f64 = 2000.0;
const LASTS: f64 = 30.0;

fn measured(arrivals: &str) -> Results {
    let service = Answering::freezing(500, 5000);
    let scenario = Scenario::new(&format!(
        "
        version: 1
        name: truth
        seed: 11
        targets: {{ api: {{ url: \"{}\" }} }}
        load:
          main: {{ get: /, model: open, arrivals: {arrivals}, rate: 2000/s, for: 30s }}
        gates:
          - {{ metric: error_rate, max: 0% }}
        ",
        service.url()
    ));
    let ended = Brunt::run(&scenario).under(["taskset", "-c", "1"]).within(Duration::from_secs(60)).go();
    let results = ended.expect_code(0).results();
    assert!(results.summary.health.valid, "{:?}", results.summary.health);
    results
}

/// Whether `actual` is at most this far from the truth.
fn is_near(what: &str, actual: Option<f64>, truth: f64, at_most: f64) -> bool {
    let actual = actual.unwrap_or(f64::NAN);
    println!("{what}: {actual:.3}, truth {truth:.3}, allowed {at_most:.3}");
    (actual - truth).abs() <= at_most
}

/// Fails unless it is.
#[track_caller]
fn near(what: &str, actual: Option<f64>, truth: f64, at_most: f64) {
    assert!(is_near(what, actual, truth, at_most), "{what} is {actual:?}, not within {at_most:.3} of {truth:.3}");
}

/// A measurement whose latencies are true. An error of brunt's is there each time; a machine that was busy elsewhere is not.
#[track_caller]
fn measured_truly(arrivals: &str) -> Results {
    for _ in 0..5 {
        let results = measured(arrivals);
        let run = window(&results, "run");
        let latency = &run.latency_ms;
        // What a reply takes that nothing delays is the machine's affair: on a virtual one the wake-ups alone take a quarter
        // of a millisecond at times. To it brunt may add next to nothing.
        let typical = is_near("p50 (ms)", latency.p50, run.service_ms.p50.expect("requests were answered"), 0.2);
        let frozen = is_near("p95 (ms)", latency.p95, 250.0, 0.08 * 250.0);
        if is_near("p99 (ms)", latency.p99, 450.0, 0.03 * 450.0) && typical && frozen {
            return results;
        }
    }
    panic!("the latencies were wrong five times, see above");
}

#[test]
fn evenly_spaced_requests_to_a_freezing_service_are_told_as_they_were() {
    let _machine = machine::alone();
    let results = measured_truly("constant");
    near("requests a second", Some(window(&results, "run").offered_per_s), RATE, 0.001 * RATE);
    near("completed a second", Some(window(&results, "run").requests as f64 / LASTS), RATE, 0.001 * RATE);
}

#[test]
fn poisson_requests_to_a_freezing_service_are_told_as_they_were() {
    let _machine = machine::alone();
    let results = measured_truly("poisson");
    // How many arrive is drawn (the seed decides): four standard deviations around the mean, and all of them were sent.
    near("arrivals", Some(results.summary.health.scheduled as f64), RATE * LASTS, 4.0 * (RATE * LASTS).sqrt());
    let started = results.summary.health.started as f64 / results.summary.health.scheduled as f64;
    near("share started", Some(started), 1.0, 0.001);
}
