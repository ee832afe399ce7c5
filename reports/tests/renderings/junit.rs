use brunt_report::render::junit::render;
use quick_junit::Report;

use crate::sample;

#[test]
fn a_failed_run_lists_gates_faults_probes_and_the_run_itself() {
    insta::assert_snapshot!(render(&sample::shop()));
}

#[test]
fn an_aborted_run_skips_what_it_did_not_reach_and_is_not_green() {
    insta::assert_snapshot!(render(&sample::aborted()));
}

#[test]
fn an_invalid_run_with_a_failed_rollback_says_both() {
    insta::assert_snapshot!(render(&sample::invalid()));
}

#[test]
fn the_file_is_green_exactly_when_the_verdict_is_pass() {
    let runs = [sample::shop(), sample::aborted(), sample::invalid(), sample::empty(), sample::hostile()];
    for run in &runs {
        let report = Report::deserialize_from_str(&render(run)).unwrap();
        assert!(report.failures + report.errors > 0, "{:?} must not be green", run.summary.verdict);
    }
    let report = Report::deserialize_from_str(&render(&sample::passing())).unwrap();
    assert_eq!((report.failures, report.errors), (0, 0));
}

#[test]
fn hostile_names_leave_it_well_formed() {
    let report = Report::deserialize_from_str(&render(&sample::hostile())).unwrap();
    let names: Vec<&str> = report.test_suites[0].test_cases.iter().map(|case| case.name.as_str()).collect();
    assert!(names[0].starts_with("<script>alert('x')</script>"), "{names:?}");
    assert!(!render(&sample::hostile()).contains("<script>"));
}

#[test]
fn the_same_results_give_the_same_bytes() {
    assert_eq!(render(&sample::shop()), render(&sample::shop()));
}
