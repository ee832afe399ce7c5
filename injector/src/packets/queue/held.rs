//! What waits for its time, and how verdicts are spared: one for all packets up to a number, instead of one for each.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::io;

/// Packets in the order of their times; of the same time, in the order of their arrival.
#[derive(Debug, Default)]
pub(super) struct Held {
    heap: BinaryHeap<Reverse<Item>>,
    arrived: u64,
}

/// What is held is a number: the kernel's, or that of a copy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Item {
    /// Nanoseconds on CLOCK_MONOTONIC.
    pub due: u64,
    /// Which one, counted from the first that was held.
    pub arrived: u64,
    pub what: u32,
    /// So much of a wire it takes; 0 where there is none.
    pub bytes: u32,
}

impl Held {
    pub fn push(&mut self, due: u64, what: u32, bytes: u32) {
        self.arrived += 1;
        self.heap.push(Reverse(Item { due, arrived: self.arrived, what, bytes }));
    }

    /// When the next one is due.
    pub fn next_due(&self) -> Option<u64> {
        self.heap.peek().map(|Reverse(item)| item.due)
    }

    /// The next one that is due by `now`.
    pub fn pop_due(&mut self, now: u64) -> Option<Item> {
        self.next_due().filter(|due| *due <= now)?;
        self.heap.pop().map(|Reverse(item)| item)
    }

    /// All of them, in the order in which they arrived.
    pub fn take_all(&mut self) -> Vec<Item> {
        let mut all: Vec<Item> = std::mem::take(&mut self.heap).into_iter().map(|Reverse(item)| item).collect();
        all.sort_unstable_by_key(|item| item.arrived);
        all
    }
}

/// The packets that the kernel holds for us, by their numbers, from the first that has no verdict yet.
#[derive(Debug, Default)]
pub(super) struct Verdicts {
    first: u32,
    states: VecDeque<State>,
    /// To be accepted, in this order.
    accepted: Vec<u32>,
    /// Those without a verdict.
    waiting: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Waits,
    /// It is in `accepted`.
    Accepted,
    /// It has a verdict, or was never read.
    Gone,
}

impl Verdicts {
    /// A packet has come; those that were never read lie between it and the one before.
    pub fn came(&mut self, id: u32) {
        if self.states.is_empty() {
            self.first = id;
        }
        let place = id.wrapping_sub(self.first) as usize;
        self.states.resize(place, State::Gone);
        self.states.push_back(State::Waits);
        self.waiting += 1;
    }

    /// How many have no verdict yet: so many must be in the kernel.
    pub fn waiting(&self) -> u32 {
        self.waiting
    }

    fn set(&mut self, id: u32, state: State) {
        if let Some(found) = self.states.get_mut(id.wrapping_sub(self.first) as usize) {
            self.waiting -= u32::from(*found == State::Waits);
            *found = state;
        }
    }

    /// It has a verdict of its own.
    pub fn gone(&mut self, id: u32) {
        self.set(id, State::Gone);
    }

    /// It may go on.
    pub fn accept(&mut self, id: u32) {
        self.set(id, State::Accepted);
        self.accepted.push(id);
    }

    /// The verdicts to give: one for all in front that may go on, then one for each of the others. Whatever has a verdict of
    /// its own got it before, so that the first one cannot catch it.
    pub fn ready(&mut self, mut give: impl FnMut(Give) -> io::Result<()>) -> io::Result<()> {
        let Self { first, states, accepted, .. } = self;
        let mut up_to = None;
        while let Some(state) = states.front().filter(|state| **state != State::Waits) {
            if *state == State::Accepted {
                up_to = Some(*first);
            }
            states.pop_front();
            *first = first.wrapping_add(1);
        }
        if let Some(id) = up_to {
            give(Give::UpTo(id))?;
        }
        for id in accepted.drain(..) {
            // Those in front are behind us, a whole round of numbers away.
            if let Some(state) = states.get_mut(id.wrapping_sub(*first) as usize) {
                *state = State::Gone;
                give(Give::One(id))?;
            }
        }
        Ok(())
    }
}

/// Packets that go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Give {
    /// All that have no verdict yet, up to this one.
    UpTo(u32),
    /// This one.
    One(u32),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_due_comes_in_order_and_equals_in_the_order_of_arrival() {
        let mut held = Held::default();
        for (due, what) in [(30, 1), (10, 2), (20, 3), (10, 4)] {
            held.push(due, what, 0);
        }
        let mut popped = Vec::new();
        while let Some(item) = held.pop_due(20) {
            popped.push(item.what);
        }
        assert_eq!(popped, [2, 4, 3]);
        assert_eq!(held.next_due(), Some(30));
        held.push(5, 6, 0);
        assert!(held.take_all().iter().map(|item| item.what).eq([1, 6]));
    }

    fn given(verdicts: &mut Verdicts) -> Vec<Give> {
        let mut all = Vec::new();
        verdicts
            .ready(|give| {
                all.push(give);
                Ok(())
            })
            .unwrap();
        all
    }

    #[test]
    fn one_verdict_serves_all_in_front_also_where_numbers_begin_anew() {
        let mut verdicts = Verdicts::default();
        let base = u32::MAX - 2;
        let id = |place: u32| base.wrapping_add(place);
        for place in [0, 1, 2, 4, 5] {
            verdicts.came(id(place));
        }
        verdicts.gone(id(1));
        for place in [0, 2, 5] {
            verdicts.accept(id(place));
        }
        // 3 was never read, 4 still waits.
        assert_eq!(given(&mut verdicts), [Give::UpTo(id(2)), Give::One(id(5))]);
        verdicts.accept(id(4));
        assert_eq!(given(&mut verdicts), [Give::UpTo(id(4))]);
        verdicts.came(id(6));
        verdicts.gone(id(6));
        assert_eq!(given(&mut verdicts), []);
        assert!(verdicts.states.is_empty());
    }
}
