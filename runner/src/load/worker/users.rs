//! The users of a closed load: each starts its next iteration when the previous one has ended.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;

use brunt_report::sample::Arrival;
use brunt_scenario::units::Offset;

use super::{Control, Worker};
use crate::load::compiled::Load;
use crate::load::journey::{self, Start};
use crate::load::turns::Turns;

/// The users of a closed load on one worker.
#[derive(Default)]
pub struct Users {
    /// How many should run now.
    pub wanted: Cell<usize>,
    /// Which of them do.
    pub running: RefCell<Vec<bool>>,
    /// Iterations that were started, for their numbers and for the count.
    pub started: Cell<u64>,
    /// How far the mix has come.
    pub turns: RefCell<Turns>,
    /// When a feeder had no row left.
    pub out_of_rows: Cell<Option<Offset>>,
}

/// A user of a closed load.
pub struct Looping {
    /// The worker it lives on.
    pub worker: Rc<Worker>,
    /// All users of its load on this worker.
    pub users: Rc<Users>,
    /// Index into the plan's load entries.
    pub load: usize,
    /// Its place among them.
    pub slot: usize,
    /// Its number among all users of the load.
    pub number: u64,
    /// How many workers there are.
    pub stride: u64,
    /// Which worker this is: iterations are numbered over all workers.
    pub offset: u64,
    /// When the schedule starts.
    pub zero: Offset,
    /// When a load with an end ends.
    pub ends: Offset,
    /// Tells when an open-ended load ends.
    pub control: Arc<Control>,
}

impl Looping {
    /// One iteration after the other, until the user is not wanted any more.
    pub async fn run(self) {
        let Load { curve, mix, .. } = &self.worker.compiled.load[self.load];
        loop {
            let intended = self.worker.clock.now();
            let ends = self.control.ends(curve.ends().map(|_| self.ends));
            if self.slot >= self.users.wanted.get() || intended >= ends || self.worker.drained.get().is_some() {
                break;
            }
            let warmup = curve.is_warmup(intended.since(self.zero).as_secs_f64());
            let nth = self.users.started.get();
            // Unlike in an open load, which iteration a user gets depends on the replies; its values still follow the seed.
            let iteration = nth * self.stride + self.offset;
            let Some(turn) = self.users.turns.borrow_mut().take(mix, iteration) else {
                self.users.out_of_rows.set(Some(intended));
                break;
            };
            self.users.started.set(nth + 1);
            let (load, journey) = (self.load as u16, turn.journey as u16);
            let arrival = Arrival { load, journey, dropped: false, warmup, intended, lag_ns: 0 };
            self.worker.samples.borrow_mut().arrivals.push(arrival);
            let start = Start { load: self.load, iteration, user: self.number, intended, warmup };
            journey::run(&self.worker, start, turn).await;
            // Replies that are always there at once must not keep the worker from its other work.
            tokio::task::coop::consume_budget().await;
        }
        self.users.running.borrow_mut()[self.slot] = false;
        self.worker.leave(self.load);
    }
}
