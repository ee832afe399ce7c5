//! A fault on its way through its rounds; one that is not repeated has one.
//!
//! A round has ended when a lasting fault is undone, and when an instant one has acted: like the next item of the list, the
//! next round does not wait for the target to be whole again, which nobody may ever make it. It begins `every` after the one
//! before has begun, or when that has ended, whichever is later.

use std::time::Duration;

use brunt_scenario::plan::Fault;
use brunt_scenario::units::Offset;

use super::{Action, FaultPhase, World};

/// Where a fault stands among its rounds.
#[derive(Debug)]
pub struct Rounds {
    /// Index of its first turn.
    first: usize,
    lasts: Option<Duration>,
    times: usize,
    every: Duration,
    /// The current round, from 0.
    round: usize,
    /// When it was to begin.
    began: Offset,
    /// It was seen to have ended before the next one was due.
    in_time: bool,
}

impl Rounds {
    /// A fault that has not had its turn; `first` is the index of its first turn.
    pub fn new(fault: &Fault, first: usize) -> Self {
        Self {
            first,
            lasts: fault.lasts,
            times: fault.rounds() as usize,
            every: fault.repeat.map_or(Duration::ZERO, |repeat| repeat.every),
            round: 0,
            began: Offset::default(),
            in_time: false,
        }
    }

    /// Its first round.
    pub fn begin(&mut self, now: Offset, actions: &mut Vec<Action>) {
        self.began = now;
        actions.push(Action::Inject(self.first));
    }

    /// Moves on as far as `now` and the world allow; whether the last round has ended.
    pub fn have_ended(&mut self, now: Offset, world: World<'_>, actions: &mut Vec<Action>) -> bool {
        match (self.phase(world), self.lasts) {
            (FaultPhase::Removed, _) | (FaultPhase::Active(_) | FaultPhase::Removing, None) => {}
            (FaultPhase::Active(active_at), Some(lasts)) => {
                if now >= active_at.after(lasts) {
                    actions.push(Action::Revert(self.first + self.round));
                }
                return false;
            }
            (FaultPhase::Planned | FaultPhase::Injecting | FaultPhase::Removing, _) => return false,
        }
        if self.round + 1 == self.times {
            return true;
        }
        let due = self.began.after(self.every);
        if now < due {
            self.in_time = true;
            return false;
        }
        // A wake-up that comes a little late moves no later round. After a round that outlasted its `every`, or a stall of
        // the machine that swallowed a whole one, rounds count from now: none is made up for in a burst.
        let on_time = self.in_time && now.since(due) < self.every;
        self.began = if on_time { due } else { now };
        self.in_time = false;
        self.round += 1;
        actions.push(Action::Inject(self.first + self.round));
        false
    }

    /// When time alone will change something.
    pub fn deadline(&self, world: World<'_>) -> Option<Offset> {
        let between = (self.round + 1 < self.times).then(|| self.began.after(self.every));
        match (self.phase(world), self.lasts) {
            (FaultPhase::Active(active_at), Some(lasts)) => Some(active_at.after(lasts)),
            (FaultPhase::Removed, _) | (FaultPhase::Active(_) | FaultPhase::Removing, None) => between,
            (FaultPhase::Planned | FaultPhase::Injecting | FaultPhase::Removing, _) => None,
        }
    }

    fn phase(&self, world: World<'_>) -> FaultPhase {
        world.faults[self.first + self.round]
    }
}
