//! Samples are counted, not kept: an hour of load costs as much memory as a minute.

use std::time::{Duration, Instant};

use brunt_tests::answering::Answering;
use brunt_tests::brunt::Brunt;
use brunt_tests::scenario::Scenario;
use brunt_tests::{host, machine};

#[test]
fn a_minute_of_5000_requests_a_second_needs_no_more_memory_than_its_first_five_seconds() {
    let _machine = machine::alone();
    let service = Answering::on_core_0();
    let scenario = Scenario::new(&format!(
        "
        version: 1
        name: memory
        targets: {{ api: {{ url: \"{}\" }} }}
        load: {{ main: {{ get: /, rate: 5000/s, for: 62s }} }}
        gates: [ {{ metric: error_rate, max: 1% }} ]
        ",
        service.url()
    ));
    let run = Brunt::run(&scenario).start();
    run.wait_for("event=run.started");
    let began = Instant::now();
    let resident_at = |seconds: u64| {
        std::thread::sleep(Duration::from_secs(seconds).saturating_sub(began.elapsed()));
        host::resident_kib(run.pid()).expect("brunt is running")
    };
    let (early, late) = (resident_at(5), resident_at(60));
    println!("resident: {early} KiB after 5 s, {late} KiB after 60 s");
    assert!(late.abs_diff(early) < 5 * 1024, "{early} KiB after 5 s, {late} KiB after 60 s");
    run.wait().expect_done();
}
