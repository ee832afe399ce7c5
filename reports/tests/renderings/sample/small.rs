//! Small runs: steady ones, very short ones, a single request.

use brunt_report::results::*;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::maker::{Made, Maker, draw};

fn run(name: &str, seconds: f64, requests: &[Made]) -> Results {
    let windows: Vec<_> = ["baseline", "run"].map(|name| (name.to_owned(), 0.0, seconds)).into();
    let mut maker = Maker::new(seconds, 0.25, &windows);
    maker.step("main", "get", requests);
    let mut results = maker.finish(name);
    results.summary.sentence = "No gate was defined.".to_owned();
    results
}

/// 100 requests a second for so long, around a median, nothing injected; one in fifty fails.
pub fn steady(seed: u64, seconds: f64, median_us: f64) -> Results {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let made = |number: u32| Made {
        at_s: f64::from(number) / 100.0,
        latency_us: draw(&mut rng, median_us),
        error: (rng.random::<f64>() < 0.02).then_some("status.5xx"),
    };
    let requests: Vec<Made> = (0..(seconds * 100.0) as u32).map(made).collect();
    let mut results = run("steady", seconds, &requests);
    results.summary.seed = seed;
    results
}

/// Three seconds, as a first try is.
pub fn three_seconds() -> Results {
    steady(3, 3.0, 2_000.0)
}

/// One request.
pub fn one_request() -> Results {
    let mut results = run("once", 1.0, &[Made { at_s: 0.2, latency_us: 48_200, error: None }]);
    for window in results.summary.windows.values_mut() {
        assert_eq!(window.requests, 1);
    }
    results.summary.verdict = Verdict::Inconclusive;
    results.summary.exit_code = 5;
    results
}

/// Numbers that no table expects.
pub fn huge() -> Results {
    let mut results = steady(5, 3.0, 2_000.0);
    for window in results.summary.windows.values_mut() {
        window.requests = 1_000_000_000_000;
        window.errors = 333_333_333_333;
        (window.offered_per_s, window.completed_per_s) = (9.87e8, 1.2e9);
        window.latency_ms.max = Some(9.0e9);
    }
    results.summary.seed = u64::MAX;
    results.summary.health.in_flight_max = u64::MAX;
    results
}
