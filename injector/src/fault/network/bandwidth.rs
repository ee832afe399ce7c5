//! `network.bandwidth` on a link: bytes come no faster than a rate.
//!
//! *What the service feels*: a thin wire. Each listener of the link is one wire: all connections through it that are hit share
//! `rate`, as they would behind a router with `tc tbf`, and not each a rate of its own, as a toxic of Toxiproxy gives them;
//! a service that opens more connections gets no more of a real wire. Each direction has the whole rate. Turns are taken by
//! pieces of five milliseconds, so that a download does not keep a small reply waiting. A byte takes `8 / rate` seconds
//! on an idle wire too: there is no burst that passes for nothing. A sender that is faster than the wire is slowed down by back
//! pressure, after what a connection and the kernel's socket buffers take. `share` is a share of the connections; the others
//! pass beside the wire.
//! *Privileges*: none. *Verified*: bytes were held back for a millisecond or more, and while the wire was busy no more went
//! over it than its rate; a wire that was never full is not exercised. *Undone*: what is held goes out at once; the proxy ends
//! with the runner.
//!
//! The wire is a clock that says when it is free: a piece of n bytes occupies it from then, or from the piece's arrival if
//! that is later, for `8 n / rate`. A piece that is handed over late because the machine was busy does not move the pieces
//! after it, so lateness is made good and the mean keeps to the rate. This is the virtual scheduling form of the generic cell
//! rate algorithm (ITU-T I.371) without a tolerance.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use brunt_scenario::plan::Params;
use bytes::Bytes;

use crate::error::Error;
use crate::fault::Seen;
use crate::fault::link::{amount, nothing_hit, share, ways};
use crate::proxy::{Arrival, Counted, Direction, FaultCounters, Look, Nanos, Outlet, Shape, Stage, StreamFault, Ways};

/// The kind, as in the catalogue.
pub const KIND: &str = "network.bandwidth";

/// How long a connection has the wire before the next one has its turn.
const TURN: Duration = Duration::from_millis(5);

/// Bytes that wait for less are not called held back: the proxy itself needs some of it.
const HELD: Duration = Duration::from_millis(1);

/// How much a connection holds in a direction: enough that the wire does not run dry while the machine is busy elsewhere.
const RESERVE: Duration = Duration::from_millis(50);

/// The least that it holds.
const ROOM: usize = 64 << 10;

/// Less than this of busy time says nothing about a rate.
const ENOUGH: Duration = Duration::from_millis(200);

/// How much faster than asked is too fast.
const TOLERANCE: f64 = 1.05;

/// The parameters.
#[derive(Debug, Clone)]
struct Bandwidth {
    /// Bits a second.
    rate: u64,
    ways: Ways,
    share: f64,
    wire: Arc<Wire>,
}

/// Reads `rate`, `direction` (`both`) and `share` (all).
pub fn from_params(with: &Params) -> Result<StreamFault, Error> {
    let unfit = |why: &str| Error::Unfit { kind: KIND.into(), why: why.into() };
    let rate = with.number("rate").ok_or_else(|| unfit("`rate` is missing, as in `rate: 10mbit`"))?;
    if rate == 0 {
        return Err(unfit("at `rate: 0bit` nothing passes: use network.partition"));
    }
    let ways = ways(KIND, with, "both")?;
    Ok(StreamFault::new(Bandwidth { rate, ways, share: share(with), wire: Arc::default() }))
}

impl Bandwidth {
    /// How long `bytes` occupy the wire.
    fn span(&self, bytes: usize) -> Duration {
        let nanos = bytes as u128 * 8_000_000_000 / u128::from(self.rate);
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }

    /// How many bytes pass in `span`.
    fn bytes_in(&self, span: Duration) -> usize {
        let bytes = u128::from(self.rate) * span.as_nanos() / 8_000_000_000;
        usize::try_from(bytes).unwrap_or(usize::MAX)
    }
}

impl Shape for Bandwidth {
    fn share(&self) -> f64 {
        self.share
    }

    fn at_listener(&self) -> Option<Arc<dyn Shape>> {
        Some(Arc::new(Self { wire: Arc::default(), ..self.clone() }))
    }

    fn stage(&self, mut arrival: Arrival<'_>, counters: &Arc<FaultCounters>) -> Box<dyn Stage> {
        let hit = arrival.is_hit(counters);
        let counters = Arc::clone(counters);
        Box::new(Paced { fault: self.clone(), hit, counters, on_the_wire: [None; 2] })
    }

    fn verify(&self, counted: &Counted, _: &mut dyn FnMut() -> io::Result<Look>) -> Seen {
        if let Some(nothing) = nothing_hit(counted, self.share, "connection") {
            return nothing;
        }
        let on = amount(counted.connections, "connection");
        if counted.bytes_held == 0 {
            let passed = amount(counted.bytes_paced, "byte");
            return Seen::NotExercised(format!("{passed} came along on {on}, too few to fill the wire"));
        }
        let busy = Duration::from_nanos(counted.nanos_paced);
        let held = format!("held back {} on {on}", amount(counted.bytes_held, "byte"));
        if busy < ENOUGH {
            return Seen::Yes(held);
        }
        let found = counted.bytes_paced as f64 * 8.0 / busy.as_secs_f64();
        if found > self.rate as f64 * TOLERANCE {
            return Seen::Absent(format!("{} passed where {} should", bits(found), bits(self.rate as f64)));
        }
        Seen::Yes(format!("{held}; {} passed while the wire was busy", bits(found)))
    }
}

/// Bits a second, as people write them: `9.98 mbit/s`.
fn bits(rate: f64) -> String {
    let (scale, unit) = match rate {
        rate if rate >= 1e9 => (1e9, "gbit"),
        rate if rate >= 1e6 => (1e6, "mbit"),
        rate if rate >= 1e3 => (1e3, "kbit"),
        _ => (1.0, "bit"),
    };
    let value = rate / scale;
    let places = if value < 10.0 { 2 } else { usize::from(value < 100.0) };
    format!("{value:.places$} {unit}/s")
}

/// What the connections of a listener share, by direction.
#[derive(Debug, Default)]
struct Wire([Mutex<Clock>; 2]);

#[derive(Debug)]
struct Clock {
    /// When everything that was given to it has gone over it.
    free_at: Nanos,
    /// Up to when its busy time has been counted.
    counted_to: Nanos,
    /// How many pieces are on it: given to it, and not seen to have gone.
    pieces: usize,
}

impl Default for Clock {
    fn default() -> Self {
        Self { free_at: Nanos::PAST, counted_to: Nanos::PAST, pieces: 0 }
    }
}

impl Wire {
    /// Gives it something that could have gone `since` then and occupies it for `span`. When that will be over.
    fn occupy(&self, direction: Direction, since: Nanos, span: Duration) -> Nanos {
        let mut clock = self.clock(direction);
        if clock.pieces == 0 {
            // It lay idle until now. While a late piece is still to go it does not count as idle.
            clock.counted_to = clock.counted_to.max(since);
        }
        clock.pieces += 1;
        clock.free_at = clock.free_at.max(since).after(span);
        clock.free_at
    }

    /// Something has gone over it just now. For how long it was busy since the last time.
    fn passed(&self, direction: Direction, now: Nanos) -> Duration {
        let mut clock = self.clock(direction);
        clock.pieces = clock.pieces.saturating_sub(1);
        let busy = now.since(clock.counted_to);
        clock.counted_to = clock.counted_to.max(now);
        busy
    }

    fn clock(&self, direction: Direction) -> MutexGuard<'_, Clock> {
        self.0[direction as usize].lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Something of a connection that is on the wire.
#[derive(Debug, Clone, Copy)]
struct Turn {
    bytes: usize,
    due: Nanos,
}

struct Paced {
    fault: Bandwidth,
    /// This connection is hit.
    hit: bool,
    counters: Arc<FaultCounters>,
    /// The turn that each direction has or had last.
    on_the_wire: [Option<Turn>; 2],
}

impl Paced {
    /// Gives the wire the next piece of a direction, if it has none there.
    fn take_turn(&mut self, direction: Direction, outlet: &mut Outlet<'_>) {
        if outlet.has_due(direction) {
            return;
        }
        let last = &mut self.on_the_wire[direction as usize];
        let mut since = Nanos::PAST;
        if let Some(Turn { bytes, due }) = last.take() {
            let busy = self.fault.wire.passed(direction, outlet.now);
            self.counters.bytes_paced.add(bytes as u64);
            self.counters.nanos_paced.add(u64::try_from(busy.as_nanos()).unwrap_or(u64::MAX));
            since = due;
        }
        let Some(waiting) = outlet.waiting(direction) else { return };
        if waiting.bytes == 0 {
            return outlet.let_go(direction, 0, outlet.now);
        }
        let bytes = waiting.bytes.min(self.fault.bytes_in(TURN).max(1));
        let due = self.fault.wire.occupy(direction, since.max(waiting.arrived), self.fault.span(bytes));
        if due.since(waiting.arrived) >= HELD {
            self.counters.bytes_held.add(bytes as u64);
        }
        *last = Some(Turn { bytes, due });
        outlet.let_go(direction, bytes, due);
    }
}

impl Stage for Paced {
    fn bytes(&mut self, direction: Direction, bytes: Bytes, outlet: &mut Outlet<'_>) {
        if self.hit && self.fault.ways.include(direction) {
            outlet.wait(direction, bytes);
        } else {
            outlet.pass(direction, bytes);
        }
    }

    fn room(&self) -> usize {
        self.fault.bytes_in(RESERVE).max(ROOM)
    }

    fn look(&mut self, outlet: &mut Outlet<'_>) {
        if self.hit {
            self.take_turn(Direction::To, outlet);
            self.take_turn(Direction::From, outlet);
        }
    }
}

impl Drop for Paced {
    fn drop(&mut self) {
        // The connection has ended with something on the wire, or the fault has: for the others it has gone.
        for direction in [Direction::To, Direction::From] {
            if self.on_the_wire[direction as usize].is_some() {
                self.fault.wire.passed(direction, Nanos::PAST);
            }
        }
    }
}

#[cfg(test)]
mod tests;
