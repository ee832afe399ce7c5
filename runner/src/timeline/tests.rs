//! The walk through a timeline, told step by step.

use super::*;
use brunt_scenario::plan::{Delayed, Fault, Params, Repeat};
use brunt_scenario::units::CountOrShare;

fn s(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn at(seconds: u64) -> Offset {
    Offset(seconds * 1_000_000_000)
}

fn fault(id: &str, lasts: Option<Duration>) -> Item {
    Item::Fault(Box::new(Fault {
        id: id.into(),
        kind: if lasts.is_some() { "process.pause" } else { "process.kill" },
        target: "payments".into(),
        pick: CountOrShare::Count(1),
        max_affected: CountOrShare::All,
        allow_empty: false,
        follow: false,
        lasts,
        repeat: None,
        with: Params::default(),
        from: None,
        place: "test:1".into(),
    }))
}

fn world(faults: &[FaultPhase]) -> World<'_> {
    World { faults, recovered: false }
}

#[test]
fn a_baseline_opens_and_closes_its_window_at_its_edges() {
    let mut timeline = Timeline::new(&[Item::Baseline(s(8))]);
    assert_eq!(timeline.advance(at(3), world(&[])), [Action::BaselineBegins]);
    assert_eq!(timeline.next_deadline(world(&[])), Some(at(11)));
    assert_eq!(timeline.advance(at(10), world(&[])), []);
    assert_eq!(timeline.advance(at(11), world(&[])), [Action::BaselineEnds]);
    assert!(timeline.is_over());
}

#[test]
fn a_lasting_fault_counts_its_time_from_when_it_is_active_and_ends_when_it_is_removed() {
    let mut timeline = Timeline::new(&[fault("slow", Some(s(6))), Item::Pause(s(1))]);
    assert_eq!(timeline.advance(at(0), world(&[FaultPhase::Planned])), [Action::Inject(0)]);
    assert_eq!(timeline.advance(at(1), world(&[FaultPhase::Injecting])), []);
    assert_eq!(timeline.next_deadline(world(&[FaultPhase::Injecting])), None);
    let active = [FaultPhase::Active(at(2))];
    assert_eq!(timeline.next_deadline(world(&active)), Some(at(8)));
    assert_eq!(timeline.advance(at(7), world(&active)), []);
    assert_eq!(timeline.advance(at(8), world(&active)), [Action::Revert(0)]);
    assert_eq!(timeline.advance(at(9), world(&[FaultPhase::Removing])), []);
    assert_eq!(timeline.advance(at(10), world(&[FaultPhase::Removed])), []);
    assert!(!timeline.is_over(), "the pause after it has begun only now");
    timeline.advance(at(11), world(&[FaultPhase::Removed]));
    assert!(timeline.is_over());
}

#[test]
fn an_instant_fault_lets_the_next_item_start_as_soon_as_it_has_acted() {
    let mut timeline = Timeline::new(&[fault("kill", None), Item::Recover { within: s(10) }]);
    assert_eq!(timeline.advance(at(0), world(&[FaultPhase::Planned])), [Action::Inject(0)]);
    let acted = [FaultPhase::Active(at(1))];
    assert_eq!(timeline.advance(at(1), world(&acted)), [Action::RecoverBegins { within: s(10) }]);
    let whole = World { faults: &[FaultPhase::Removed], recovered: true };
    assert_eq!(timeline.advance(at(4), whole), [Action::RecoverEnds { recovered: true }]);
    assert!(timeline.is_over());
}

#[test]
fn recover_gives_up_after_within() {
    let mut timeline = Timeline::new(&[Item::Recover { within: s(5) }]);
    timeline.advance(at(0), world(&[]));
    assert_eq!(timeline.advance(at(4), world(&[])), []);
    assert_eq!(timeline.advance(at(5), world(&[])), [Action::RecoverEnds { recovered: false }]);
}

#[test]
fn a_parallel_group_starts_its_members_after_their_delays_and_ends_with_the_last() {
    let group = Item::Parallel(vec![
        Delayed { delay: s(0), item: fault("loss", Some(s(45))) },
        Delayed { delay: s(10), item: fault("stall", Some(s(5))) },
    ]);
    let mut timeline = Timeline::new(&[group]);
    let mut phases = [FaultPhase::Planned; 2];
    assert_eq!(timeline.advance(at(0), world(&phases)), [Action::Inject(0)]);
    phases[0] = FaultPhase::Active(at(0));
    assert_eq!(timeline.next_deadline(world(&phases)), Some(at(10)));
    assert_eq!(timeline.advance(at(10), world(&phases)), [Action::Inject(1)]);
    phases[1] = FaultPhase::Active(at(10));
    assert_eq!(timeline.advance(at(15), world(&phases)), [Action::Revert(1)]);
    phases[1] = FaultPhase::Removed;
    assert_eq!(timeline.advance(at(45), world(&phases)), [Action::Revert(0)]);
    assert!(!timeline.is_over());
    phases[0] = FaultPhase::Removed;
    timeline.advance(at(46), world(&phases));
    assert!(timeline.is_over());
}

#[test]
fn the_worst_case_counts_every_recover_in_full_and_the_longest_member_of_a_group() {
    let items = [
        Item::Baseline(s(8)),
        fault("slow", Some(s(6))),
        Item::Recover { within: s(5) },
        Item::Parallel(vec![
            Delayed { delay: s(0), item: Item::Pause(s(4)) },
            Delayed { delay: s(10), item: Item::Pause(s(5)) },
        ]),
    ];
    assert_eq!(worst_case(&items), s(34));
    assert_eq!(faults_of(&items).len(), 1);
}

fn repeated(id: &str, lasts: Option<Duration>, times: u32, every: Duration) -> Item {
    match fault(id, lasts) {
        Item::Fault(fault) => Item::Fault(Box::new(Fault { repeat: Some(Repeat { times, every }), ..*fault })),
        other => other,
    }
}

#[test]
fn the_rounds_of_a_kill_follow_each_other_from_act_to_act_whole_or_not() {
    let mut timeline = Timeline::new(&[repeated("kill", None, 3, s(20)), Item::Recover { within: s(5) }]);
    let mut phases = [FaultPhase::Planned; 3];
    assert_eq!(timeline.advance(at(0), world(&phases)), [Action::Inject(0)]);
    phases[0] = FaultPhase::Active(at(1));
    assert_eq!(timeline.advance(at(1), world(&phases)), []);
    assert_eq!(timeline.next_deadline(world(&phases)), Some(at(20)), "counted from the start, not from the act");
    // The target is not whole again, and may never be.
    assert_eq!(timeline.advance(at(20), world(&phases)), [Action::Inject(1)]);
    phases[1] = FaultPhase::Active(at(20));
    phases[0] = FaultPhase::Removed;
    assert_eq!(timeline.advance(at(40), world(&phases)), [Action::Inject(2)]);
    phases[2] = FaultPhase::Active(at(40));
    assert_eq!(timeline.advance(at(40), world(&phases)), [Action::RecoverBegins { within: s(5) }]);
}

#[test]
fn a_round_that_outlasts_its_time_is_waited_for_and_no_round_is_made_up_for() {
    let mut timeline = Timeline::new(&[repeated("slow", Some(s(4)), 3, s(5))]);
    let mut phases = [FaultPhase::Planned; 3];
    assert_eq!(timeline.advance(at(0), world(&phases)), [Action::Inject(0)]);
    phases[0] = FaultPhase::Active(at(8));
    assert_eq!(timeline.advance(at(8), world(&phases)), []);
    assert_eq!(timeline.advance(at(12), world(&phases)), [Action::Revert(0)]);
    phases[0] = FaultPhase::Removed;
    assert_eq!(timeline.advance(at(13), world(&phases)), [Action::Inject(1)]);
    phases[1] = FaultPhase::Active(at(13));
    assert_eq!(timeline.advance(at(17), world(&phases)), [Action::Revert(1)]);
    phases[1] = FaultPhase::Removed;
    assert_eq!(timeline.advance(at(17), world(&phases)), []);
    assert_eq!(timeline.next_deadline(world(&phases)), Some(at(18)), "every counts from when the late round began");
}

#[test]
fn a_load_change_is_over_when_it_is_in_force() {
    let changes = vec![LoadChange { load: "shoppers".into(), factor: 2.0 }];
    let mut timeline = Timeline::new(&[Item::Load(changes.clone()), Item::Baseline(s(1))]);
    let in_force = at(3).after(LOAD_CHANGE);
    let told = Action::ChangeLoad { changes: changes.clone(), at: in_force };
    assert_eq!(timeline.advance(at(3), world(&[])), [told]);
    assert_eq!(timeline.next_deadline(world(&[])), Some(in_force));
    let changed = Action::LoadChanged { changes, at: in_force };
    assert_eq!(timeline.advance(in_force, world(&[])), [changed, Action::BaselineBegins]);
}

#[test]
fn a_load_has_the_largest_factor_of_all_its_changes_at_any_depth() {
    let change = |load: &str, factor| Item::Load(vec![LoadChange { load: load.into(), factor }]);
    let group = Item::Parallel(vec![Delayed { delay: s(1), item: change("shoppers", 3.0) }]);
    let items = [change("shoppers", 0.5), group, change("others", 9.0), change("shoppers", 1.0)];
    assert_eq!((largest_factor(&items, "shoppers"), largest_factor(&items, "nobody")), (3.0, 1.0));
}
