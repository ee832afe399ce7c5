//! What happens when: walks the plan's timeline. Pure: it reads no clock and does nothing itself.
//!
//! The orchestrator calls [`Timeline::advance`] whenever time has passed or something has happened, with what it knows of
//! the [`World`]; the answer is a list of [`Action`]s to carry out. An action is given once. Items of a list follow each
//! other; the members of a `parallel` group start together, each after its `delay`, and the group ends with its last member.
//!
//! ```text
//!   baseline 8s ──> fault (inject, wait until active, hold, revert, wait until removed) ──> recover ──> ...
//! ```
//!
//! A fault with `repeat` has several rounds. Each is a [`Turn`] with an index of its own, so that the world, the journal and
//! the report see every round as the fault that it is.

use std::time::Duration;

use brunt_scenario::plan::{Fault, Item, LOAD_CHANGE, LoadChange};
use brunt_scenario::units::Offset;

use self::rounds::Rounds;

#[cfg(test)]
mod properties;
mod rounds;
#[cfg(test)]
mod tests;

/// Where a turn of a fault stands, by its index in the order of the timeline ([`turns_of`]).
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
    /// One entry a turn.
    pub faults: &'a [FaultPhase],
    /// The steady state held for a whole span since the last removal.
    pub recovered: bool,
}

/// What the orchestrator has to do.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// Open the baseline window.
    BaselineBegins,
    /// Close it.
    BaselineEnds,
    /// Inject the fault whose turn it is.
    Inject(usize),
    /// Undo that turn.
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
    /// Tell the load that these entries change at an instant that is still to come.
    ChangeLoad {
        /// Which, and how.
        changes: Vec<LoadChange>,
        /// When.
        at: Offset,
    },
    /// That instant has come.
    LoadChanged {
        /// Which, and how.
        changes: Vec<LoadChange>,
        /// When it was.
        at: Offset,
    },
}

/// One injection of a fault: its only one, or one of its rounds.
#[derive(Debug, Clone, Copy)]
pub struct Turn<'a> {
    /// The fault.
    pub fault: &'a Fault,
    /// Which of its rounds, from 1.
    pub round: u32,
}

/// Every turn of every fault: the faults in the order in which the timeline is read, the rounds of each behind each other.
/// Their indices stand in [`Action`] and [`World`].
pub fn turns_of(items: &[Item]) -> Vec<Turn<'_>> {
    faults_of(items)
        .into_iter()
        .flat_map(|fault| (1..=fault.rounds()).map(move |round| Turn { fault, round }))
        .collect()
}

/// The faults of a timeline in the order in which it is read.
pub fn faults_of(items: &[Item]) -> Vec<&Fault> {
    let mut faults = Vec::new();
    for item in items {
        match item {
            Item::Fault(fault) => faults.push(fault.as_ref()),
            Item::Parallel(members) => {
                for member in members {
                    faults.extend(faults_of(std::slice::from_ref(&member.item)));
                }
            }
            Item::Baseline(_) | Item::Pause(_) | Item::Load(_) | Item::Recover { .. } => {}
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
        Item::Fault(fault) => rounds_take(fault),
        Item::Load(_) => LOAD_CHANGE,
        Item::Parallel(members) => {
            members.iter().map(|member| member.delay + worst_case_of(&member.item)).max().unwrap_or_default()
        }
    }
}

/// The largest factor that a load entry ever has: at least 1, its written curve.
pub fn largest_factor(items: &[Item], load: &str) -> f64 {
    let of = |item: &Item| match item {
        Item::Load(changes) => {
            changes.iter().filter(|change| change.load == load).map(|change| change.factor).fold(1.0, f64::max)
        }
        Item::Parallel(members) => {
            members.iter().map(|member| largest_factor(std::slice::from_ref(&member.item), load)).fold(1.0, f64::max)
        }
        Item::Baseline(_) | Item::Pause(_) | Item::Recover { .. } | Item::Fault(_) => 1.0,
    };
    items.iter().map(of).fold(1.0, f64::max)
}

/// From the beginning of the first round to the end of the last one, if none outlasts its `every`.
pub fn rounds_take(fault: &Fault) -> Duration {
    let between = fault.repeat.map_or(Duration::ZERO, |repeat| repeat.every.saturating_mul(repeat.times - 1));
    between.saturating_add(fault.lasts.unwrap_or_default())
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
    Fault(Rounds),
    Load(Vec<LoadChange>),
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
        let mut turns = 0;
        Self {
            root: Sequence {
                steps: items.iter().map(|item| step_of(item, Duration::ZERO, &mut turns)).collect(),
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

fn step_of(item: &Item, delay: Duration, turns: &mut usize) -> Step {
    let kind = match item {
        Item::Baseline(length) => Kind::Baseline(*length),
        Item::Pause(length) => Kind::Pause(*length),
        Item::Recover { within } => Kind::Recover { within: *within },
        Item::Fault(fault) => {
            let first = *turns;
            *turns += fault.rounds() as usize;
            Kind::Fault(Rounds::new(fault, first))
        }
        Item::Load(changes) => Kind::Load(changes.clone()),
        Item::Parallel(members) => {
            Kind::Parallel(members.iter().map(|member| step_of(&member.item, member.delay, turns)).collect())
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
            self.begin(now, actions);
        }
        if let State::Running(since) = self.state
            && self.has_ended(since, now, world, actions)
        {
            self.state = State::Done;
        }
    }

    fn begin(&mut self, now: Offset, actions: &mut Vec<Action>) {
        match &mut self.kind {
            Kind::Baseline(_) => actions.push(Action::BaselineBegins),
            Kind::Recover { within } => actions.push(Action::RecoverBegins { within: *within }),
            Kind::Fault(rounds) => rounds.begin(now, actions),
            Kind::Load(changes) => {
                actions.push(Action::ChangeLoad { changes: changes.clone(), at: now.after(LOAD_CHANGE) });
            }
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
            Kind::Fault(rounds) => rounds.have_ended(now, world, actions),
            Kind::Load(changes) => {
                let at = since.after(LOAD_CHANGE);
                if now >= at {
                    actions.push(Action::LoadChanged { changes: changes.clone(), at });
                }
                now >= at
            }
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
                Kind::Fault(rounds) => rounds.deadline(world),
                Kind::Load(_) => Some(since.after(LOAD_CHANGE)),
                Kind::Parallel(members) => members.iter().filter_map(|member| member.deadline(world)).min(),
            },
        }
    }
}
