//! The last seconds of each series, request by request. Windows and rates end at the last arrival, but when that was is known
//! only afterwards; what started or ended later is then taken off the rates of `run`.

use std::collections::VecDeque;

use brunt_scenario::plan::Plan;
use brunt_scenario::units::Offset;

use super::cells::Cell;
use crate::sample::{Repeat, Request};

/// Batches may be handed over this much late, nanoseconds.
const SLACK: u64 = 1_000_000_000;

/// Intended starts and ends of the last requests outside warm-up.
#[derive(Debug, Clone)]
pub struct Tail {
    /// As long as the longest drain, nanoseconds.
    length: u64,
    series: Vec<VecDeque<(Offset, Offset)>>,
    /// Further requests of steps that ask again, by series.
    repeats: Vec<VecDeque<Offset>>,
}

impl Tail {
    /// Empty, for so many series.
    pub fn new(plan: &Plan, series: usize) -> Self {
        let drain = plan.load.iter().map(|load| load.drain.as_nanos()).max().unwrap_or(0);
        let length = u64::try_from(drain).unwrap_or(u64::MAX / 2) + SLACK;
        Self { length, series: vec![VecDeque::new(); series], repeats: vec![VecDeque::new(); series] }
    }

    /// Keeps a request, and lets go of those that ended too long before it.
    pub fn file(&mut self, request: &Request) {
        let last = &mut self.series[usize::from(request.series)];
        let oldest = request.done.0.saturating_sub(self.length);
        while last.front().is_some_and(|(_, done)| done.0 < oldest) {
            last.pop_front();
        }
        last.push_back((request.intended, request.done));
    }

    /// Keeps a further request of a step that asks again; they come about in the order of time.
    pub fn file_repeat(&mut self, repeat: &Repeat) {
        let last = &mut self.repeats[usize::from(repeat.series)];
        let oldest = repeat.at.0.saturating_sub(self.length);
        while last.front().is_some_and(|at| at.0 < oldest) {
            last.pop_front();
        }
        last.push_back(repeat.at);
    }

    /// Takes off the rates of a series what lies after the last arrival.
    pub fn cut(&self, series: usize, load_ended: Offset, cell: &mut Cell) {
        for (intended, done) in &self.series[series] {
            cell.offered = cell.offered.saturating_sub(u64::from(*intended > load_ended));
            cell.completed = cell.completed.saturating_sub(u64::from(*done > load_ended));
        }
        let late = self.repeats[series].iter().filter(|at| **at > load_ended).count();
        cell.repeats = cell.repeats.saturating_sub(late as u64);
    }
}
