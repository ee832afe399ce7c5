//! As large as a report should get.

use brunt_report::results::{FaultData, Results};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::maker::{Made, Maker, draw};
use super::shop::{named, shop};

/// An hour, a hundred endpoints, twenty faults: as large as a report should get.
pub fn hour() -> Results {
    const HOUR: f64 = 3600.0;
    let fault = |index: usize| 300.0 + 160.0 * index as f64;
    let mut windows = named(&[("warmup", 0.0, 60.0), ("baseline", 60.0, 300.0), ("run", 60.0, HOUR)]);
    for index in 0..20 {
        windows.push((format!("fault:broken-{index:02}"), fault(index), fault(index) + 60.0));
        windows.push((format!("recovery:broken-{index:02}"), fault(index) + 60.0, fault(index) + 65.0));
    }
    let mut maker = Maker::new(HOUR, 1.0, &windows);
    let mut rng = ChaCha8Rng::seed_from_u64(11);
    for endpoint in 0..100 {
        let mut requests = Vec::new();
        let mut at_s = 0.0;
        while at_s < HOUR {
            at_s += 0.4 * rng.random::<f64>();
            let broken = (0..20).any(|index| (fault(index)..fault(index) + 60.0).contains(&at_s));
            let slow = if broken && rng.random::<f64>() < 0.2 { 220_000 } else { 0 };
            let error = (broken && rng.random::<f64>() < 0.03).then_some("timeout");
            requests.push(Made {
                at_s,
                latency_us: draw(&mut rng, 2_000.0 + 90.0 * f64::from(endpoint)) + slow,
                error,
            });
        }
        maker.step("browse", &format!("endpoint-{endpoint:03}"), &requests);
    }
    let mut results = maker.finish("an-hour-of-everything");
    let pattern = shop().summary.faults[0].clone();
    results.summary.faults = (0..20)
        .map(|index| FaultData {
            id: format!("broken-{index:02}"),
            injecting_at_s: Some(fault(index)),
            active_at_s: Some(fault(index)),
            removing_at_s: Some(fault(index) + 60.0),
            removed_at_s: Some(fault(index) + 60.0),
            recovery_time_s: Some(4.2),
            ..pattern.clone()
        })
        .collect();
    results.summary.sentence = "No gate was defined.".to_owned();
    results
}
