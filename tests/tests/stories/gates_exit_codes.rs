//! The exit code is the verdict: what a CI job sees.

use std::path::{Path, PathBuf};

use brunt_report::results::{GateVerdict, Verdict};
use brunt_tests::answering::Answering;
use brunt_tests::brunt::Brunt;
use brunt_tests::ended::gate;
use brunt_tests::{host, machine};

/// How often the shop is run each way: twice, or as often as `BRUNT_BENCH_TIMES` says.
fn times() -> usize {
    std::env::var("BRUNT_BENCH_TIMES").ok().and_then(|text| text.parse().ok()).unwrap_or(2)
}

fn shop() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../runner/src/demo/shop.brunt.yaml")
}

fn run_the_shop() -> Brunt {
    let run = Brunt::with(["run"]).arg(shop()).args(["--ui", "plain", "--out"]);
    let out = run.home().join("out");
    run.arg(out)
}

#[test]
fn a_shop_without_time_limits_fails_on_slow_payments_every_time() {
    let _machine = machine::alone();
    for time in 1..=times() {
        let ended = run_the_shop().go().expect_code(99);
        let results = ended.results();
        assert_eq!(results.summary.verdict, Verdict::Fail);
        assert_eq!(gate(&results, "slow-payment-is-contained").verdict, GateVerdict::Fail, "time {time}: {ended}");
        assert_eq!(gate(&results, "healthy-first").verdict, GateVerdict::Pass, "time {time}: {ended}");
        assert!(results.summary.health.valid, "time {time}: {:?}", results.summary.health);
        assert_eq!(host::left_by(&ended.mark), []);
    }
}

#[test]
fn a_resilient_shop_hides_both_faults_every_time() {
    let _machine = machine::alone();
    for time in 1..=times() {
        let ended = run_the_shop().args(["--set", "vars.resilient=true"]).go().expect_code(0);
        let results = ended.results();
        assert_eq!(results.summary.verdict, Verdict::Pass);
        for gate in &results.summary.gates {
            assert_eq!(gate.verdict, GateVerdict::Pass, "time {time}: {gate:?}");
        }
        for fault in &results.summary.faults {
            assert!(fault.verified, "time {time}: {fault:?}");
            assert_eq!(fault.rollback_verified, Some(true), "time {time}: {fault:?}");
        }
        assert_eq!(host::left_by(&ended.mark), []);
    }
}

#[test]
fn a_gate_on_the_command_line_decides_over_a_url() {
    let _machine = machine::alone();
    let service = Answering::at_once();
    let with_gate = |gate: &str| {
        let run = Brunt::with(["run", &service.url(), "--rate", "200/s", "--for", "3s", "--gate", gate, "--out"]);
        let out = run.home().join("out");
        run.arg(out).go()
    };
    let held = with_gate("latency.p50 < 200ms").expect_code(0);
    assert_eq!(held.results().summary.verdict, Verdict::Pass);
    let broken = with_gate("latency.p50 < 1us").expect_code(99).expect_said("latency.p50");
    assert_eq!(broken.results().summary.verdict, Verdict::Fail);
}
