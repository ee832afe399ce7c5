//! What happens when: walks the plan's timeline. Pure: it reads no clock and does nothing itself.
//!
//! The orchestrator calls [`Timeline::advance`] whenever time has passed or something has happened, with what it knows of
//! the [`World`]; the answer is a list of [`Action`]s to carry out. An action is given once. Items of a list follow each
//! other; the members of a `parallel` group start together, each after its `delay`, and the group ends with its last member.
//!
//! ```text
//!   baseline 8s ──> fault (inject, wait until active, hold, revert, wait until removed) ──> recover ──> ...
//! ```

use std::time::Duration;

use brunt_scenario::plan::Item;
use brunt_scenario::units::Offset;

/// Where a fault stands, by its index in the order of the timeline ([`faults_of`]).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum FaultPhase {
    /// Not asked for yet.
    #[default]
    Planned,
    /// Asked for, not in place.
    Injecting,
    /// In place since this instant. An instant fault stays here until its target is whole again.
    Active(Offset),
    /// The undo was asked for.
    Removing,
    /// Undone (instant faults: the target is whole again).
    Removed,
}

/// What the timeline needs to know of the world.
#[derive(Debug, Clone, Copy)]
pub struct World<'a> {
    /// One entry a fault.
    pub faults: &'a [FaultPhase],
    /// The steady state held for a whole span since the last removal.
    pub recovered: bool,
}

/// What the orchestrator has to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Open the baseline window.
    BaselineBegins,
    /// Close it.
    BaselineEnds,
    /// Inject this fault.
    Inject(usize),
    /// Undo this fault.
    Revert(usize),
    /// A `recover` item began.
    RecoverBegins {
        /// It gives up after this long.
        within: Duration,
    },
    /// It ended: recovered, or given up.
    RecoverEnds {
        /// The steady state held in time.
        recovered: bool,
    },
}

/// The faults of a timeline in the order in which it is read; their indices stand in [`Action`].
pub fn faults_of(items: &[Item]) -> Vec<&brunt_scenario::plan::Fault> {
    let mut faults = Vec::new();
    for item in items {
        match item {
            Item::Fault(fault) => faults.push(fault.as_ref()),
            Item::Parallel(members) => {
                for member in members {
                    faults.extend(faults_of(std::slice::from_ref(&member.item)));
                }
            }
            Item::Baseline(_) | Item::Pause(_) | Item::Recover { .. } => {}
        }
    }
    faults
}

/// The longest that the timeline can take, if nothing hangs: every `recover` takes all of its `within`.
pub fn worst_case(items: &[Item]) -> Duration {
    items.iter().map(worst_case_of).sum()
}

fn worst_case_of(item: &Item) -> Duration {
    match item {
        Item::Baseline(length) | Item::Pause(length) | Item::Recover { within: length } => *length,
        Item::Fault(fault) => fault.lasts.unwrap_or_default(),
        Item::Parallel(members) => {
            members.iter().map(|member| member.delay + worst_case_of(&member.item)).max().unwrap_or_default()
        }
    }
}

/// A timeline on its way.
#[derive(Debug)]
pub struct Timeline {
    root: Sequence,
}

#[derive(Debug)]
struct Sequence {
    steps: Vec<Step>,
    at: usize,
}

#[derive(Debug)]
struct Step {
    /// After the list's turn came (members of a parallel group); zero elsewhere.
    delay: Duration,
    kind: Kind,
    state: State,
}

#[derive(Debug)]
enum Kind {
    Baseline(Duration),
    Pause(Duration),
    Recover { within: Duration },
    Fault { index: usize, lasts: Option<Duration> },
    Parallel(Vec<Step>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Waiting,
    /// Its turn came at this instant; it begins `delay` later.
    Delayed(Offset),
    /// It began at this instant.
    Running(Offset),
    Done,
}

impl Timeline {
    /// A timeline that has not begun.
    pub fn new(items: &[Item]) -> Self {
        let mut faults = 0;
        Self {
            root: Sequence {
                steps: items.iter().map(|item| step_of(item, Duration::ZERO, &mut faults)).collect(),
                at: 0,
            },
        }
    }

    /// Whether every item has ended.
    pub fn is_over(&self) -> bool {
        self.root.at == self.root.steps.len()
    }

    /// Moves on as far as `now` and the world allow.
    pub fn advance(&mut self, now: Offset, world: World<'_>) -> Vec<Action> {
        let mut actions = Vec::new();
        while let Some(step) = self.root.steps.get_mut(self.root.at) {
            step.advance(now, world, &mut actions);
            if step.state != State::Done {
                break;
            }
            self.root.at += 1;
        }
        actions
    }

    /// The next instant at which time alone will change something; `None` while it waits for the world.
    pub fn next_deadline(&self, world: World<'_>) -> Option<Offset> {
        self.root.steps.get(self.root.at).and_then(|step| step.deadline(world))
    }
}

fn step_of(item: &Item, delay: Duration, faults: &mut usize) -> Step {
    let kind = match item {
        Item::Baseline(length) => Kind::Baseline(*length),
        Item::Pause(length) => Kind::Pause(*length),
        Item::Recover { within } => Kind::Recover { within: *within },
        Item::Fault(fault) => {
            *faults += 1;
            Kind::Fault { index: *faults - 1, lasts: fault.lasts }
        }
        Item::Parallel(members) => {
            Kind::Parallel(members.iter().map(|member| step_of(&member.item, member.delay, faults)).collect())
        }
    };
    Step { delay, kind, state: State::Waiting }
}

impl Step {
    fn advance(&mut self, now: Offset, world: World<'_>, actions: &mut Vec<Action>) {
        if self.state == State::Waiting {
            self.state = State::Delayed(now);
        }
        if let State::Delayed(since) = self.state
            && now >= since.after(self.delay)
        {
            self.state = State::Running(now);
            self.begin(actions);
        }
        if let State::Running(since) = self.state
            && self.has_ended(since, now, world, actions)
        {
            self.state = State::Done;
        }
    }

    fn begin(&self, actions: &mut Vec<Action>) {
        match &self.kind {
            Kind::Baseline(_) => actions.push(Action::BaselineBegins),
            Kind::Recover { within } => actions.push(Action::RecoverBegins { within: *within }),
            Kind::Fault { index, .. } => actions.push(Action::Inject(*index)),
            Kind::Pause(_) | Kind::Parallel(_) => {}
        }
    }

    fn has_ended(&mut self, since: Offset, now: Offset, world: World<'_>, actions: &mut Vec<Action>) -> bool {
        match &mut self.kind {
            Kind::Pause(length) => now >= since.after(*length),
            Kind::Baseline(length) => {
                let over = now >= since.after(*length);
                if over {
                    actions.push(Action::BaselineEnds);
                }
                over
            }
            Kind::Recover { within } => {
                let over = world.recovered || now >= since.after(*within);
                if over {
                    actions.push(Action::RecoverEnds { recovered: world.recovered });
                }
                over
            }
            Kind::Fault { index, lasts } => match (world.faults[*index], lasts) {
                (FaultPhase::Removed, _) | (FaultPhase::Active(_) | FaultPhase::Removing, None) => true,
                (FaultPhase::Active(active_at), Some(lasts)) => {
                    if now >= active_at.after(*lasts) {
                        actions.push(Action::Revert(*index));
                    }
                    false
                }
                (FaultPhase::Planned | FaultPhase::Injecting | FaultPhase::Removing, _) => false,
            },
            Kind::Parallel(members) => {
                for member in members.iter_mut() {
                    if member.state != State::Done {
                        member.advance(now, world, actions);
                    }
                }
                members.iter().all(|member| member.state == State::Done)
            }
        }
    }

    fn deadline(&self, world: World<'_>) -> Option<Offset> {
        match self.state {
            State::Waiting | State::Done => None,
            State::Delayed(since) => Some(since.after(self.delay)),
            State::Running(since) => match &self.kind {
                Kind::Baseline(length) | Kind::Pause(length) | Kind::Recover { within: length } => {
                    Some(since.after(*length))
                }
                Kind::Fault { index, lasts } => match (world.faults[*index], lasts) {
                    (FaultPhase::Active(active_at), Some(lasts)) => Some(active_at.after(*lasts)),
                    _ => None,
                },
                Kind::Parallel(members) => members.iter().filter_map(|member| member.deadline(world)).min(),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use brunt_scenario::plan::{Delayed, Fault, Params};
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
            lasts,
            with: Params::default(),
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
}
