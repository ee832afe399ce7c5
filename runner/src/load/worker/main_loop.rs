//! The main loop of a worker: starts what is due, wakes what sleeps, reports every tick, and ends it all.

use std::cell::{Cell, RefCell};
use std::io;
use std::rc::Rc;
use std::sync::atomic::Ordering;

use brunt_report::sample::{Arrival, Batch, OpenRequest};
use brunt_scenario::plan::{Connections, Model};
use brunt_scenario::units::Offset;
use tokio::task::spawn_local;

use super::users::{Looping, Users};
use super::{Share, Worker, WorkerEnd, part};
use crate::load::alarms::{Alarms, TICK};
use crate::load::arrivals::{Arrivals, Curve, Due};
use crate::load::http::Client;
use crate::load::journey::{self, Start};
use crate::load::pacer::Pacer;
use crate::load::turns::{Turn, Turns};

/// Most arrivals that are started before the reactor gets a turn, when the worker is behind.
const BURST: usize = 64;
/// Ticks between two sweeps for idle connections that were closed by the server.
const SWEEP: u64 = 20;
/// One load entry as a worker carries it out.
struct Entry {
    arrivals: Option<Arrivals>,
    /// The level of a closed load.
    curve: Curve,
    /// Share of `max_in_flight`.
    limit: usize,
    /// Users of a closed load that run here: which ones are wanted, and which are there.
    users: Rc<Users>,
    scheduled: u64,
    over: bool,
    /// How far the mix of an open load has come.
    turns: Turns,
    /// A feeder had no row left.
    out_of_rows: bool,
}

/// The main loop.
pub struct Main {
    share: Share,
    worker: Rc<Worker>,
    entries: Vec<Entry>,
    next_tick: Offset,
    ticks: u64,
    /// Load changes that were taken over.
    changes: usize,
    load_ended: Offset,
}

impl Main {
    /// Inside the worker's runtime.
    pub fn new(share: Share) -> io::Result<Self> {
        let (clients, client_of) = clients(&share);
        let worker = Rc::new(Worker {
            clock: share.clock,
            compiled: share.compiled.clone(),
            clients,
            client_of,
            samples: RefCell::default(),
            destinations: share.destinations.clone(),
            alarms: Alarms::default(),
            pacer: Pacer::new(share.clock)?,
            drained: Cell::new(None),
            in_flight: share.compiled.load.iter().map(|_| Cell::new(0)).collect(),
            most_in_flight: Cell::new(0),
            examples: RefCell::default(),
            exhausted: RefCell::default(),
        });
        let entries = share.compiled.load.iter().zip(&share.plan.load).enumerate().map(|(index, (load, planned))| {
            let arrivals = (load.model != Model::Closed)
                .then(|| Arrivals::new(share.compiled.seed, index, planned, share.index, share.of));
            let limit = part(load.max_in_flight, share.index, share.of);
            let curve = load.curve.clone();
            Entry {
                arrivals,
                curve,
                limit,
                users: Rc::default(),
                scheduled: 0,
                over: false,
                turns: Turns::default(),
                out_of_rows: false,
            }
        });
        let entries = entries.collect();
        let next_tick = share.zero;
        Ok(Self { share, worker, entries, next_tick, ticks: 0, changes: 0, load_ended: Offset(0) })
    }

    /// Until the last request of the last load has ended, or the drain.
    pub async fn run(&mut self) -> io::Result<()> {
        let mut drain_ends = None;
        loop {
            let now = self.share.clock.now();
            if now >= self.next_tick {
                self.tick(now);
            }
            self.worker.alarms.fire(now);
            if self.share.control.abort.load(Ordering::Relaxed) {
                self.stop(now).await;
                return Ok(());
            }
            // After the look at the clock: whatever is due by `now` is then known to be due.
            self.take_changes();
            let behind = self.start_due(now);
            if self.entries.iter().all(|entry| entry.over) {
                let ends = *drain_ends.get_or_insert_with(|| self.drain_ends());
                if self.worker.in_flight() == 0 || now >= ends {
                    self.stop(now.min(ends)).await;
                    return Ok(());
                }
            }
            if behind {
                tokio::task::yield_now().await;
                continue;
            }
            let next = [Some(self.next_tick), self.worker.alarms.next(), self.next_due(), drain_ends];
            let next = next.into_iter().flatten().min().unwrap_or(self.next_tick);
            self.worker.pacer.sleep_until(next).await?;
        }
    }

    /// Starts every iteration that is due; returns whether there is more to start at once.
    fn start_due(&mut self, now: Offset) -> bool {
        let mut behind = false;
        for index in 0..self.entries.len() {
            if self.entries[index].over || now < self.share.zero {
                continue;
            }
            let ends = self.ends(index);
            match self.share.compiled.load[index].model {
                Model::Closed => self.adjust_users(index, now, ends),
                Model::OpenConstant | Model::OpenPoisson => behind |= self.start_arrivals(index, now, ends),
            }
        }
        behind
    }

    fn take_changes(&mut self) {
        for (load, change) in self.share.control.changes_after(self.changes) {
            self.changes += 1;
            let entry = &mut self.entries[load];
            entry.curve.change(change);
            if let Some(arrivals) = &mut entry.arrivals {
                arrivals.change(change);
            }
        }
    }

    /// When a load ends: with its last stage, or with the timeline if that is open-ended.
    fn ends(&self, index: usize) -> Offset {
        let fixed = self.share.compiled.load[index].curve.ends().map(|end| self.share.zero.after(end));
        self.share.control.ends(fixed)
    }

    fn start_arrivals(&mut self, index: usize, now: Offset, ends: Offset) -> bool {
        let zero = self.share.zero;
        for _ in 0..BURST {
            let entry = &mut self.entries[index];
            let due = entry.arrivals.as_mut().and_then(Arrivals::peek);
            let intended = due.map(|due| Offset(zero.0 + due.at_ns));
            match (due, intended) {
                (Some(due), Some(intended)) if intended < ends => {
                    if intended > now {
                        return false;
                    }
                    if let Some(arrivals) = &mut entry.arrivals {
                        arrivals.next();
                    }
                    let Some(turn) = entry.turns.take(&self.share.compiled.load[index].mix, due.index) else {
                        entry.out_of_rows = true;
                        self.over(index, intended);
                        return false;
                    };
                    entry.scheduled += 1;
                    self.arrive(index, due, intended, turn);
                }
                // No more arrivals, but the load lasts until its end: another one may have been told to end earlier.
                _ => {
                    if now >= ends {
                        self.over(index, ends);
                    }
                    return false;
                }
            }
        }
        true
    }

    fn arrive(&mut self, load: usize, due: Due, intended: Offset, turn: Turn) {
        let worker = self.worker.clone();
        let journey = turn.journey as u16;
        if worker.in_flight[load].get() >= self.entries[load].limit {
            let lag_ns = worker.clock.now().0.saturating_sub(intended.0);
            let arrival = Arrival { load: load as u16, journey, dropped: true, warmup: due.warmup, intended, lag_ns };
            worker.samples.borrow_mut().arrivals.push(arrival);
            return;
        }
        worker.enter(load);
        let start = Start { load, iteration: due.index, user: due.index, intended, warmup: due.warmup };
        spawn_local(async move {
            // Stamped where the iteration really begins, so that waiting for this task's turn is part of the lag.
            let lag_ns = worker.clock.now().0.saturating_sub(intended.0);
            let arrival = Arrival { load: load as u16, journey, dropped: false, warmup: due.warmup, intended, lag_ns };
            worker.samples.borrow_mut().arrivals.push(arrival);
            journey::run(&worker, start, turn).await;
            worker.leave(load);
        });
    }

    /// Starts the users that are wanted now; those that are not end after their iteration. User u takes part while the
    /// level is at least u + 1/2, so a ramp adds them evenly. Looked at every tick.
    fn adjust_users(&mut self, index: usize, now: Offset, ends: Offset) {
        let entry = &mut self.entries[index];
        let out_of_rows = entry.users.out_of_rows.get();
        if now >= ends || out_of_rows.is_some() {
            entry.out_of_rows = out_of_rows.is_some();
            entry.users.wanted.set(0);
            self.over(index, out_of_rows.unwrap_or(ends));
            return;
        }
        let level = entry.curve.level(now.since(self.share.zero).as_secs_f64());
        let own = part(level.round() as usize, self.share.index, self.share.of);
        entry.users.wanted.set(own);
        let mut running = entry.users.running.borrow_mut();
        if running.len() < own {
            running.resize(own, false);
        }
        for slot in 0..own {
            if !std::mem::replace(&mut running[slot], true) {
                let user = Looping {
                    worker: self.worker.clone(),
                    users: entry.users.clone(),
                    load: index,
                    slot,
                    number: (slot * self.share.of + self.share.index) as u64,
                    stride: self.share.of as u64,
                    offset: self.share.index as u64,
                    zero: self.share.zero,
                    ends,
                    control: self.share.control.clone(),
                };
                self.worker.enter(index);
                spawn_local(user.run());
            }
        }
    }

    fn over(&mut self, index: usize, at: Offset) {
        let entry = &mut self.entries[index];
        if !entry.over {
            entry.over = true;
            entry.scheduled += entry.users.started.get();
            self.load_ended = self.load_ended.max(at);
        }
    }

    fn next_due(&mut self) -> Option<Offset> {
        let mut next: Option<Offset> = None;
        for index in 0..self.entries.len() {
            if self.entries[index].over {
                continue;
            }
            let ends = self.ends(index);
            let arrivals = self.entries[index].arrivals.as_mut();
            let due = arrivals.and_then(Arrivals::peek);
            let due = due.map_or(ends, |due| Offset(self.share.zero.0 + due.at_ns).min(ends));
            next = Some(next.map_or(due, |next| next.min(due)));
        }
        next
    }

    fn drain_ends(&self) -> Offset {
        let ends = |index: usize| self.ends(index).after(self.share.compiled.load[index].drain);
        (0..self.entries.len()).map(ends).max().unwrap_or(Offset(0))
    }

    fn tick(&mut self, now: Offset) {
        let next = self.next_tick.after(TICK);
        // After a stall (a suspended machine) ticks go on from now.
        self.next_tick = if next > now { next } else { now.after(TICK) };
        self.ticks += 1;
        if self.ticks.is_multiple_of(SWEEP) {
            self.worker.clients.iter().for_each(Client::sweep);
        }
        let open = self.worker.alarms.tick(self.next_tick);
        self.hand_over(now, open);
    }

    fn hand_over(&mut self, upto: Offset, open: Vec<OpenRequest>) {
        let worker = &self.worker;
        let mut batch = worker.samples.take();
        // As much as this time will do for the next one.
        *worker.samples.borrow_mut() = Batch {
            requests: Vec::with_capacity(batch.requests.len()),
            iterations: Vec::with_capacity(batch.iterations.len()),
            arrivals: Vec::with_capacity(batch.arrivals.len()),
            ..Batch::default()
        };
        batch.worker = self.share.index;
        batch.upto = upto;
        batch.open = open;
        batch.in_flight_max = worker.most_in_flight.replace(worker.in_flight());
        // A receiver that is gone has no use for it: the run is ending.
        drop(self.share.batches.send(batch));
    }

    /// Ends whatever is still open at `at`, and reports it.
    async fn stop(&mut self, at: Offset) {
        for index in 0..self.entries.len() {
            let ends = self.ends(index).min(at);
            self.over(index, ends);
        }
        self.worker.drained.set(Some(at));
        let mut open = self.worker.alarms.tick(Offset(u64::MAX));
        self.worker.alarms.fire(Offset(u64::MAX));
        // Each open request has been woken and ends in its next turn. A think time that goes on is dropped with its task.
        for _ in 0..1000 {
            if open.is_empty() {
                break;
            }
            tokio::task::yield_now().await;
            open = self.worker.alarms.tick(Offset(u64::MAX));
        }
        let upto = self.share.clock.now().max(at);
        self.hand_over(upto, open);
    }

    /// What is known once it has run.
    pub fn end(self) -> WorkerEnd {
        WorkerEnd {
            scheduled: self.entries.iter().map(|entry| entry.scheduled).sum(),
            load_ended: self.load_ended,
            entries: self.entries.iter().map(|entry| (entry.scheduled, entry.out_of_rows)).collect(),
            exhausted: self.worker.exhausted.take().into_iter().map(str::to_owned).collect(),
        }
    }
}

/// The connections of this worker's load entries: shared by those that say nothing about them; an entry that does is a
/// population of its own.
fn clients(share: &Share) -> (Vec<Client>, Vec<usize>) {
    let client = |wishes: Connections| {
        let max_per_host = wishes.max_per_host.map(|most| part(most, share.index, share.of));
        let wishes = Connections { max_per_host, ..wishes };
        let (destinations, tls) = (share.destinations.clone(), share.tls.clone());
        Client::new(share.clock, destinations, tls, share.index, share.connections, wishes)
    };
    let mut clients = vec![client(Connections::default())];
    let client_of = share.compiled.load.iter().map(|load| {
        if load.connections == Connections::default() {
            return 0;
        }
        clients.push(client(load.connections));
        clients.len() - 1
    });
    let client_of = client_of.collect();
    (clients, client_of)
}
