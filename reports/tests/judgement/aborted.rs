use brunt_report::facts::Stopped;
use brunt_report::results::{GateVerdict, Verdict};

use crate::story::{Story, at, gate, shop};

const GATES: [&str; 3] = [
    "{ id: healthy, metric: latency.p90, window: baseline, max: 100ms }",
    "{ id: contained, metric: latency.p90, window: 'fault:slow', max: 100ms }",
    "{ id: hidden, metric: error_rate, window: 'fault:killed', max: 1% }",
];

/// Stopped in the middle of the slow link.
fn stopped(why: Stopped) -> Story {
    Story::with_gates(&GATES)
        .traffic(0.0, 10.0, 20.0)
        .baseline(0.0, 10.0)
        .traffic(10.0, 12.0, 50.0)
        .fault("slow", 10.0, 12.0)
        .with(|facts| {
            facts.faults_not_reached = vec!["killed".into()];
            facts.stopped = Some(why);
        })
}

#[test]
fn gates_of_windows_that_a_signal_prevented_are_not_reached_and_do_not_count() {
    let results = stopped(Stopped::Signal(2)).judged();
    let verdicts = ["healthy", "contained", "hidden"].map(|id| gate(&results, id).verdict);
    assert_eq!(verdicts, [GateVerdict::Pass, GateVerdict::Pass, GateVerdict::NotReached]);
    assert_eq!((results.summary.verdict, results.summary.exit_code), (Verdict::Aborted, 130));
    insta::assert_snapshot!(results.summary.sentence, @"Interrupted by a person (SIGINT) after 12 s; every fault was rolled back.");
    insta::assert_snapshot!(gate(&results, "contained").note, @"cut short: the run was interrupted");
    assert_eq!(results.summary.faults.len(), 2, "a fault that was not reached is listed");
}

#[test]
fn each_way_to_stop_has_its_exit_code() {
    let code = |why| {
        let summary = stopped(why).judged().summary;
        (summary.exit_code, summary.verdict)
    };
    assert_eq!(code(Stopped::Signal(15)), (143, Verdict::Aborted));
    assert_eq!(code(Stopped::Guardrail("error rate above 50 %".into())), (4, Verdict::Aborted));
    assert_eq!(code(Stopped::Invalid("no effect".into())), (5, Verdict::Invalid));
    assert_eq!(code(Stopped::Internal("bug".into())), (1, Verdict::Invalid));
}

#[test]
fn a_steady_state_that_was_not_met_excludes_everything_else() {
    let results = Story::with_gates(&GATES)
        .traffic(0.0, 5.0, 900.0)
        .with(|facts| facts.stopped = Some(Stopped::SteadyStateNotMet("`order-latency` was 900 ms".into())))
        .judged();
    assert_eq!((results.summary.verdict, results.summary.exit_code), (Verdict::Invalid, 3));
    assert!(results.summary.gates.iter().all(|gate| gate.verdict == GateVerdict::NotReached));
    insta::assert_snapshot!(results.summary.sentence, @"The steady state was not met before the first fault, so nothing was injected: `order-latency` was 900 ms.");
}

#[test]
fn an_incomplete_rollback_is_stronger_than_a_signal_and_never_a_pass() {
    let left = |story: Story| story.with(|facts| facts.faults[0].rollback_verified = Some(false)).judged().summary;
    let interrupted = left(stopped(Stopped::Signal(2)));
    assert_eq!((interrupted.exit_code, interrupted.verdict), (6, Verdict::Aborted));
    let otherwise_fine = left(shop(&GATES, 20.0));
    assert_eq!((otherwise_fine.exit_code, otherwise_fine.verdict), (6, Verdict::Fail));
    insta::assert_snapshot!(otherwise_fine.sentence, @"Rollback incomplete: `slow` could not be undone; `brunt cleanup` tries again.");
}

#[test]
fn what_could_not_be_ended_is_an_incomplete_rollback_as_well() {
    let left = Some("payments-0 (pid 7) is still there after SIGKILL".to_owned());
    let summary = shop(&GATES, 20.0).with(|facts| facts.left_behind = left).judged().summary;
    assert_eq!((summary.exit_code, summary.verdict), (6, Verdict::Fail));
    insta::assert_snapshot!(summary.sentence, @"Something is left of the run; `brunt cleanup` tries again: payments-0 (pid 7) is still there after SIGKILL.");
}

#[test]
fn a_recovery_that_was_cut_short_is_not_judged() {
    let gates = ["{ id: recovers, metric: recovery_time, window: 'fault:slow', max: 2s }"];
    let results = Story::with_gates(&gates)
        .traffic(0.0, 17.0, 400.0)
        .fault("slow", 10.0, 16.0)
        .recover(&["slow"], 16.0, 17.0)
        .with(|facts| {
            facts.recovers[0].cut_short = true;
            facts.stopped = Some(Stopped::Signal(2));
            facts.ended = at(17.0);
        })
        .judged();
    assert_eq!(gate(&results, "recovers").verdict, GateVerdict::NotReached);
}
