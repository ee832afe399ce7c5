//! Runs that a person touched.

use brunt_report::facts::{OperatorAct, OperatorFacts};
use brunt_report::results::{self, GateVerdict, OperatorKind, Verdict};

use crate::story::{at, gate, shop};

const GATES: [&str; 4] = [
    "{ id: healthy, metric: latency.p90, window: baseline, max: 100ms }",
    "{ id: contained, metric: latency.p90, window: 'fault:slow', max: 1s }",
    "{ id: hidden, metric: error_rate, window: 'fault:killed', max: 1% }",
    "{ id: whole, metric: error_rate, window: run, max: 1% }",
];

/// The shop, whose baseline ends at 10 s and whose slow link heals at 16 s, and what somebody did to it.
fn touched(act: OperatorAct, from: f64, to: Option<f64>) -> results::Results {
    shop(&GATES, 50.0).with(|facts| facts.operator.push(OperatorFacts { act, from: at(from), to: to.map(at) })).judged()
}

fn verdicts(results: &results::Results) -> [GateVerdict; 4] {
    ["healthy", "contained", "hidden", "whole"].map(|id| gate(results, id).verdict)
}

#[test]
fn gates_of_windows_that_a_hold_lies_in_are_inconclusive_and_the_others_are_judged() {
    use GateVerdict::{Inconclusive, Pass};
    let untouched = shop(&GATES, 50.0).judged();
    assert_eq!(verdicts(&untouched), [Pass, Pass, Pass, Pass]);
    let held = touched(OperatorAct::Hold, 12.0, Some(14.5));
    assert_eq!(verdicts(&held), [Pass, Inconclusive, Pass, Inconclusive]);
    assert_eq!((held.summary.verdict, held.summary.exit_code), (Verdict::Inconclusive, 5));
    insta::assert_snapshot!(gate(&held, "contained").note, @"a person held the timeline from 12 s to 14.5 s");
}

#[test]
fn a_fault_that_was_taken_off_by_hand_is_another_fault_and_a_note_changes_nothing() {
    use GateVerdict::{Inconclusive, Pass};
    let removed = touched(OperatorAct::Removed { fault: "slow".into() }, 13.0, None);
    assert_eq!(verdicts(&removed), [Pass, Inconclusive, Pass, Inconclusive]);
    insta::assert_snapshot!(gate(&removed, "contained").note, @"a person took `slow` off at 13 s");
    let noted = touched(OperatorAct::Note("look here".into()), 13.0, None);
    assert_eq!(verdicts(&noted), [Pass, Pass, Pass, Pass]);
    assert_eq!((noted.operator[0].kind, noted.operator[0].text.as_str()), (OperatorKind::Note, "look here"));
}

#[test]
fn a_fault_that_was_put_on_by_hand_spoils_every_window_that_it_reaches_into() {
    use GateVerdict::{Inconclusive, Pass};
    let again = touched(OperatorAct::Injected { fault: "killed".into() }, 15.0, Some(15.5));
    assert_eq!(verdicts(&again), [Pass, Inconclusive, Inconclusive, Inconclusive]);
    insta::assert_snapshot!(gate(&again, "hidden").note, @"a person injected `killed` again, from 15 s to 15.5 s");
}

#[test]
fn what_a_person_did_is_in_results_json_and_can_be_read_back() {
    let held = touched(OperatorAct::Hold, 12.0, Some(14.5));
    let text = results::write(&held);
    assert!(text.contains(r#""kind": "hold""#), "{text}");
    assert_eq!(results::read(&text).unwrap().operator, held.operator);
    assert!(!results::write(&shop(&GATES, 50.0).judged()).contains("\"operator\""), "left out if nobody did anything");
}
