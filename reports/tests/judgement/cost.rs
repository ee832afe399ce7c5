use std::time::Instant;

use brunt_report::recorder::Recorder;
use brunt_report::sample::{Batch, Request};

use crate::story::{at, plan, request, shop};

/// `cargo test --release -p brunt-report --test judgement cost -- --ignored --nocapture`
#[test]
#[ignore = "measures time: worth running in release on an idle machine"]
fn filing_a_request_costs_less_than_300_ns() {
    let plan = plan(&[]);
    let windows = shop(&[], 20.0).windows;
    let mut recorder = Recorder::new(&plan);
    let (mut filed, mut spent) = (0u32, std::time::Duration::ZERO);
    for tick in 0..400u32 {
        // 20,000/s: a thousand in 50 ms.
        let from = f64::from(tick) * 0.05;
        let one = |i: u32| Request {
            series: (i % 2) as u16,
            ..request(0, from + f64::from(i) * 5e-5, 1.0 + f64::from(i * 7919 % 1000) / 50.0)
        };
        let batch = Batch { upto: at(from + 0.05), requests: (0..1000).map(one).collect(), ..Batch::default() };
        let start = Instant::now();
        recorder.file(batch, &windows);
        spent += start.elapsed();
        filed += 1000;
    }
    let each = spent / filed;
    println!("{each:?} a request");
    assert!(each.as_nanos() < 300, "{each:?}");
}
