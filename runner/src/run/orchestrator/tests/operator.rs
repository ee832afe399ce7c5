//! A person holds the timeline, takes faults off and puts them on again.

use brunt_report::facts::{OperatorAct, OperatorFacts};

use super::*;
use crate::operator::Operator;

fn hold() -> Input {
    Input::Operator(Operator::Hold)
}

fn toggle(fault: usize) -> Input {
    Input::Operator(Operator::Fault(fault))
}

#[test]
fn a_held_timeline_goes_on_where_it_was() {
    let mut story = Story::frozen();
    // In place since 5.1, for 4 s: one of them is over.
    assert_eq!(story.tell(6.1, hold()), []);
    assert_eq!(story.orchestrator.held_since(), Some(at(6.1)));
    assert_eq!(story.tell(60.0, Input::Due), [], "its time stands still");
    assert_eq!(story.tell(66.1, hold()), []);
    assert_eq!(story.orchestrator.next_deadline(), Some(at(69.1)), "three seconds are left");
    assert_eq!(story.tell(69.0, Input::Due), []);
    assert_eq!(story.tell(69.1, Input::Due), [Todo::Revert(0)]);
    let facts = story.orchestrator.into_facts();
    let held = OperatorFacts { act: OperatorAct::Hold, from: at(6.1), to: Some(at(66.1)) };
    assert_eq!(facts.operator, [held]);
    assert!(facts.findings[0].text.contains("held by a person for 1 min"), "{:?}", facts.findings);
}

#[test]
fn what_is_asked_for_before_a_hold_and_comes_during_it_lasts_as_long_as_it_should() {
    let mut story = story("");
    story.tell(2.0, Input::Due);
    assert_eq!(story.tell(5.0, Input::Due), [Todo::Inject(0)]);
    story.tell(5.05, hold());
    story.tell(7.0, injected(0));
    story.tell(10.05, hold());
    // The timeline's own clock stood at 5.05 when the fault came into place and still did when it was let go.
    assert_eq!(story.orchestrator.next_deadline(), Some(at(14.05)));
    assert_eq!(story.tell(14.05, Input::Due), [Todo::Revert(0)]);
}

#[test]
fn two_holds_add_up_and_the_end_of_the_run_ends_a_hold() {
    let mut story = story("");
    story.tell(2.0, Input::Due);
    for begin in [2.5, 4.0] {
        story.tell(begin, hold());
        story.tell(begin + 1.0, hold());
    }
    assert_eq!(story.orchestrator.next_deadline(), Some(at(7.0)), "a baseline of 3 s, held for two");
    story.tell(6.0, hold());
    assert_eq!(story.tell(6.5, Input::Signal(2)), [Todo::StopLoad]);
    let facts = story.orchestrator.into_facts();
    assert_eq!(facts.operator.last().and_then(|act| act.to), Some(at(6.5)));
}

#[test]
fn nobody_holds_a_fault_in_place_for_ever() {
    let mut story = Story::frozen();
    story.tell(6.1, hold());
    let limit = 6.1 + 30.0 * 60.0;
    assert_eq!(story.orchestrator.next_deadline(), Some(at(limit)));
    story.tell(limit, Input::Due);
    assert_eq!(story.orchestrator.held_since(), None);
    assert_eq!(story.tell(limit + 3.0, Input::Due), [Todo::Revert(0)]);
}

#[test]
fn a_load_that_ends_during_a_hold_lets_the_timeline_go() {
    let mut story = Story::frozen();
    story.tell(6.1, hold());
    story.tell(8.0, Input::LoadOver { broke: None });
    assert_eq!(story.orchestrator.held_since(), None);
    let facts = story.orchestrator.into_facts();
    assert!(facts.findings.iter().any(|finding| finding.text.contains("met no load")), "{:?}", facts.findings);
}

#[test]
fn a_fault_is_taken_off_and_put_on_again_while_the_timeline_is_held() {
    let mut story = Story::frozen();
    story.tell(5.6, hold());
    assert_eq!(story.tell(6.0, toggle(0)), [Todo::Revert(0)]);
    assert_eq!(story.tell(6.1, reverted(0)), []);
    assert_eq!(story.tell(7.0, toggle(0)), [Todo::Inject(0)]);
    assert_eq!(story.tell(7.1, injected(0)), []);
    story.tell(8.6, hold());
    assert_eq!(story.orchestrator.next_deadline(), Some(at(12.6)), "its four seconds begin anew");
    assert_eq!(story.tell(12.6, Input::Due), [Todo::Revert(0)], "once, not by the timeline and by hand");
    assert_eq!(story.tell(12.7, reverted(0)), [Todo::Inject(1)], "and the timeline goes on");
    let spans =
        story.record.lock().windows.spans.iter().filter(|span| span.name == WindowName::Fault("freeze".into())).count();
    assert_eq!(spans, 2);
    let facts = story.orchestrator.into_facts();
    let fault = &facts.faults[0];
    assert_eq!((fault.active_at, fault.removing_at), (Some(at(5.1)), Some(at(12.6))));
    let acts: Vec<&OperatorAct> = facts.operator.iter().map(|act| &act.act).collect();
    let freeze = || "freeze".to_owned();
    let (removed, injected) = (OperatorAct::Removed { fault: freeze() }, OperatorAct::Injected { fault: freeze() });
    assert_eq!(acts, [&OperatorAct::Hold, &removed, &injected]);
    assert!(facts.operator[2].to.is_some(), "it was off again when the run ended");
}

#[test]
fn a_fault_that_is_put_on_after_the_timeline_went_on_lasts_its_time_or_until_the_end() {
    let mut story = Story::frozen();
    assert_eq!(story.tell(6.0, toggle(0)), [Todo::Revert(0)]);
    assert_eq!(story.tell(6.1, reverted(0)), [Todo::Inject(1)], "taken off early, its item is over");
    story.tell(6.2, injected(1));
    assert_eq!(story.tell(7.0, toggle(0)), [Todo::Inject(0)]);
    story.tell(7.1, injected(0));
    assert_eq!(story.tell(11.0, Input::Due), []);
    assert_eq!(story.tell(11.1, Input::Due), [Todo::Revert(0)]);
    story.tell(11.15, reverted(0));
    assert_eq!(story.tell(11.18, toggle(0)), [Todo::Inject(0)], "five seconds of recovery are not over");
    story.tell(11.19, injected(0));
    let ending = story.tell(11.2, Input::Due);
    assert_eq!(ending, [Todo::Revert(0), Todo::EndOpenEndedLoad], "it does not outlive the timeline");
}

#[test]
fn what_cannot_be_toggled_says_why() {
    let mut story = Story::frozen();
    let said = |story: &mut Story| story.orchestrator.take_said().pop().map(|event| (event.kind, event.text)).unwrap();
    assert_eq!(story.tell(6.0, toggle(1)), []);
    assert_eq!(said(&mut story), ("operator.refused".into(), "its turn has not come".into()));
    story.tell(9.1, Input::Due);
    assert_eq!(story.tell(9.15, toggle(0)), []);
    assert_eq!(said(&mut story).1, "it is being changed at this moment");
    story.tell(9.2, reverted(0));
    story.tell(9.3, injected(1));
    assert_eq!(story.tell(9.4, toggle(1)), []);
    assert!(said(&mut story).1.contains("cannot be taken back"));
    story.tell(9.5, Input::Signal(2));
    assert_eq!(story.tell(9.6, toggle(0)), []);
    assert!(said(&mut story).1.contains("does not run"));
    assert_eq!(story.tell(9.7, toggle(99)), []);
}

#[test]
fn a_note_is_written_down_and_an_abort_rolls_back() {
    let mut story = Story::frozen();
    assert_eq!(story.tell(6.0, Input::Operator(Operator::Note("the pager went off".into()))), []);
    assert_eq!(story.tell(6.5, Input::Operator(Operator::Abort)), [Todo::StopLoad, Todo::Revert(0)]);
    story.tell(6.6, reverted(0));
    story.tell(6.7, Input::LoadOver { broke: None });
    assert!(story.orchestrator.is_over());
    let facts = story.orchestrator.into_facts();
    assert_eq!(facts.stopped, Some(Stopped::Signal(2)));
    let acts: Vec<OperatorAct> = facts.operator.into_iter().map(|act| act.act).collect();
    assert_eq!(acts, [OperatorAct::Note("the pager went off".into()), OperatorAct::Abort]);
    assert!(facts.events.iter().any(|event| event.kind == "operator.note" && event.text == "the pager went off"));
}

#[test]
fn a_load_change_keeps_the_instant_that_the_load_was_told() {
    let mut story = story_of(plan_of(&ROLLING.replace("times: 3", "times: 1")));
    story.tell(1.0, Input::Due);
    story.tell(1.5, hold());
    story.tell(2.5, hold());
    let change = LoadChange { load: "main".into(), factor: 2.0 };
    assert_eq!(story.tell(3.0, injected(0)), [Todo::ChangeLoad { change, at: at(3.1) }]);
    story.tell(3.05, hold());
    story.tell(9.05, hold());
    story.tell(9.1, Input::Due);
    assert_eq!(story.orchestrator.into_facts().load_changes[0].at, at(3.1));
}
