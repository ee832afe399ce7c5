//! What a stream fault does to the bytes of one connection.
//!
//! A fault contributes a [`Stage`] to every connection of its listener. The stage decides about bytes as they arrive; the
//! [`Outlet`] keeps what has to wait, in order, and the connection moves it on when it is due. So the pump knows pieces and
//! instants, and no fault by name.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::counters::FaultCounters;
use super::timer::Nanos;

/// Which way bytes travel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// From the client to the target.
    To,
    /// From the target to the client: its replies.
    From,
}

/// Which ways a fault acts on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ways {
    /// On what goes to the target.
    pub to: bool,
    /// On what comes from the target.
    pub from: bool,
}

impl Ways {
    /// The words of the language: `to`, `from`, `both`.
    pub fn from_word(word: &str) -> Option<Self> {
        match word {
            "to" => Some(Self { to: true, from: false }),
            "from" => Some(Self { to: false, from: true }),
            "both" => Some(Self { to: true, from: true }),
            _ => None,
        }
    }

    /// Whether bytes that travel in `direction` are hit.
    pub fn include(self, direction: Direction) -> bool {
        match direction {
            Direction::To => self.to,
            Direction::From => self.from,
        }
    }
}

/// A stretch of a stream, or its end.
#[derive(Debug)]
pub(crate) enum Content {
    /// Bytes in order.
    Bytes(Bytes),
    /// The sender has closed its half.
    End,
    /// The sender has reset the connection.
    Reset,
}

/// Content on its way through the proxy.
#[derive(Debug)]
pub(crate) struct Piece {
    pub content: Content,
    /// When it may go on.
    pub due: Nanos,
    /// Set while it waits for a known instant, so that the wait can be compared with what was asked.
    pub stamp: Option<Stamp>,
}

/// What is needed to tell how well a delay was kept.
#[derive(Debug, Clone)]
pub(crate) struct Stamp {
    pub arrived: Nanos,
    pub due: Nanos,
    pub counters: Arc<FaultCounters>,
}

impl Stamp {
    /// Files the delay as it became, now that the piece has been handed on.
    pub fn record(&self) {
        let now = Nanos::now();
        self.counters.lateness.record(now.since(self.due));
        self.counters.first_hold.get_or_init(|| super::counters::FirstHold {
            asked: self.due.since(self.arrived),
            real: now.since(self.arrived),
        });
    }
}

/// Pieces in order, with their bytes counted.
#[derive(Debug, Default)]
pub(crate) struct Pieces {
    queue: VecDeque<Piece>,
    /// Bytes held, plus what a piece itself costs, so that many small ones are bounded too.
    cost: usize,
}

/// What a piece costs besides its bytes.
const PIECE_COST: usize = 128;

impl Piece {
    fn cost(&self) -> usize {
        match &self.content {
            Content::Bytes(bytes) => bytes.len() + PIECE_COST,
            Content::End | Content::Reset => PIECE_COST,
        }
    }
}

impl Pieces {
    /// Bytes held, with the cost of keeping them.
    pub fn cost(&self) -> usize {
        self.cost
    }

    /// Appends a piece.
    pub fn push(&mut self, piece: Piece) {
        self.cost += piece.cost();
        self.queue.push_back(piece);
    }

    /// The first piece.
    pub fn first(&self) -> Option<&Piece> {
        self.queue.front()
    }

    /// Takes the first piece.
    pub fn pop(&mut self) -> Option<Piece> {
        let piece = self.queue.pop_front()?;
        self.cost -= piece.cost();
        Some(piece)
    }

    /// Takes the first piece if it is due.
    pub fn pop_due(&mut self, now: Nanos) -> Option<Piece> {
        if self.first()?.due <= now { self.pop() } else { None }
    }

    /// `n` bytes of the first piece have gone.
    pub fn advance_first(&mut self, n: usize) {
        if let Some(Piece { content: Content::Bytes(bytes), .. }) = self.queue.front_mut() {
            bytes::Buf::advance(bytes, n);
            self.cost -= n;
        }
    }

    /// When the first piece is due; [`Nanos::NEVER`] if there is none.
    pub fn next_due(&self) -> Nanos {
        self.first().map_or(Nanos::NEVER, |piece| piece.due)
    }

    /// The first piece waits without a known instant: the first `bytes` of it may go on at `due`, the rest waits on.
    fn let_go_first(&mut self, bytes: usize, due: Nanos) {
        let Some(mut first) = self.queue.pop_front() else { return };
        if let Content::Bytes(all) = &mut first.content
            && bytes < all.len()
        {
            let rest = all.split_off(bytes);
            self.cost += PIECE_COST;
            self.queue.push_front(Piece {
                content: Content::Bytes(rest),
                due: Nanos::NEVER,
                stamp: first.stamp.clone(),
            });
        }
        first.due = due;
        if let Some(stamp) = &mut first.stamp {
            stamp.due = due;
        }
        self.queue.push_front(first);
    }

    /// Makes everything due at once.
    fn release(&mut self) {
        for piece in &mut self.queue {
            piece.due = Nanos::PAST;
            piece.stamp = None;
        }
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.queue.clear();
        self.cost = 0;
    }
}

/// What stands first in a direction and waits for its stage to let it go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Waiting {
    /// How long it is; none for the end of the stream.
    pub bytes: usize,
    /// When it came. The end of a stream does not know.
    pub arrived: Nanos,
}

/// Where a stage puts what it has decided about. What is passed on never overtakes what is still held in that direction.
pub(crate) struct Outlet<'a> {
    pub queues: &'a mut [Pieces; 2],
    pub now: Nanos,
    pub counters: &'a Arc<FaultCounters>,
}

impl Outlet<'_> {
    /// The bytes may go on at once (behind what is held).
    pub fn pass(&mut self, direction: Direction, bytes: Bytes) {
        self.put(direction, Content::Bytes(bytes), Nanos::PAST, false);
    }

    /// The stream ends in this direction, behind what is held.
    pub fn end(&mut self, direction: Direction) {
        self.put(direction, Content::End, Nanos::PAST, false);
    }

    /// The stream ends in this direction when the fault is removed.
    pub fn hold_end(&mut self, direction: Direction) {
        self.put(direction, Content::End, Nanos::NEVER, false);
    }

    /// The bytes may go on at `due`, [`Nanos::NEVER`] when the fault is removed.
    pub fn hold_until(&mut self, direction: Direction, bytes: Bytes, due: Nanos) {
        self.counters.bytes_held.add(bytes.len() as u64);
        self.put(direction, Content::Bytes(bytes), due, due != Nanos::NEVER);
    }

    /// The stream ends in this direction at `due`.
    pub fn end_at(&mut self, direction: Direction, due: Nanos) {
        self.put(direction, Content::End, due, true);
    }

    /// The bytes wait until [`Stage::look`] lets them go.
    pub fn wait(&mut self, direction: Direction, bytes: Bytes) {
        self.put(direction, Content::Bytes(bytes), Nanos::NEVER, true);
    }

    /// What stands first in this direction, if it waits without a known instant.
    pub fn waiting(&self, direction: Direction) -> Option<Waiting> {
        let first = self.queues[direction as usize].first().filter(|first| first.due == Nanos::NEVER)?;
        let bytes = match &first.content {
            Content::Bytes(bytes) => bytes.len(),
            Content::End | Content::Reset => 0,
        };
        Some(Waiting { bytes, arrived: first.stamp.as_ref().map_or(Nanos::PAST, |stamp| stamp.arrived) })
    }

    /// Whether something stands in this direction with a known instant: it has not gone on yet.
    pub fn has_due(&self, direction: Direction) -> bool {
        self.queues[direction as usize].next_due() != Nanos::NEVER
    }

    /// Of what waits first in this direction, so many bytes (or the end) may go on at `due`.
    pub fn let_go(&mut self, direction: Direction, bytes: usize, due: Nanos) {
        if self.waiting(direction).is_some() {
            self.queues[direction as usize].let_go_first(bytes, due);
        }
    }

    /// What is held in both directions never goes on, and both ends of the connection are closed.
    pub fn close_now(&mut self) {
        for queue in &mut *self.queues {
            let lost = queue.queue.iter().map(|piece| piece.cost() - PIECE_COST).sum::<usize>();
            self.counters.bytes_discarded.add(lost as u64);
            queue.clear();
        }
        self.close();
    }

    /// Both ends of the connection are closed, behind what is held.
    pub fn close(&mut self) {
        self.counters.connections_closed.add(1);
        self.end(Direction::To);
        self.end(Direction::From);
    }

    /// The bytes never go on.
    pub fn discard(&mut self, bytes: &Bytes) {
        self.counters.bytes_discarded.add(bytes.len() as u64);
    }

    /// The sender has reset the connection; the receiver learns it behind what is held.
    pub(super) fn reset(&mut self, direction: Direction) {
        self.put(direction, Content::Reset, Nanos::PAST, false);
    }

    fn put(&mut self, direction: Direction, content: Content, due: Nanos, stamped: bool) {
        if matches!(&content, Content::Bytes(bytes) if bytes.is_empty()) {
            return;
        }
        let queue = &mut self.queues[direction as usize];
        // In order, always: nothing is due before what was put in front of it.
        let due = queue.queue.back().map_or(due, |last| due.max(last.due));
        let stamp = stamped.then(|| Stamp { arrived: self.now, due, counters: Arc::clone(self.counters) });
        queue.push(Piece { content, due, stamp });
    }
}

/// A fault's decisions about one connection. One of its own for each connection, made when the connection is accepted or
/// when the fault comes to a connection that lives already.
pub(crate) trait Stage: Send {
    /// Bytes have arrived. All of them end up in `outlet`, sooner or later, or are discarded.
    fn bytes(&mut self, direction: Direction, bytes: Bytes, outlet: &mut Outlet<'_>);

    /// The sender in this direction has closed its half.
    fn end(&mut self, direction: Direction, outlet: &mut Outlet<'_>) {
        outlet.end(direction);
    }

    /// Whether a connection that is being made is kept from the upstream for now.
    fn hangs(&self) -> bool {
        false
    }

    /// When the connection is to be reset.
    fn resets_at(&self) -> Nanos {
        Nanos::NEVER
    }

    /// How much it wants to hold in a direction before the sender is slowed down. It gets that if the proxy's memory allows
    /// (`budget.rs`).
    fn room(&self) -> usize {
        super::connection::WINDOW
    }

    /// Looks again: when something has come or gone on, and at [`Stage::looks_at`]. What waits in `outlet` may be let go.
    fn look(&mut self, outlet: &mut Outlet<'_>) {
        let _ = outlet;
    }

    /// When it wants to look again, whatever comes.
    fn looks_at(&self) -> Nanos {
        Nanos::NEVER
    }

    /// The fault is being removed: what the stage keeps itself goes into `outlet`, whose content then becomes due at once.
    fn retire(&mut self, outlet: &mut Outlet<'_>) -> Retired {
        let _ = outlet;
        Retired::Gone
    }

    /// Whether a stage that retired as [`Retired::Finishing`] has finished.
    fn finished(&self) -> bool {
        true
    }
}

/// How a stage leaves a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Retired {
    /// It can be taken out.
    Gone,
    /// It has begun something that must be ended for the connection to stay usable; it begins nothing new.
    Finishing,
    /// The connection has lost bytes and cannot be healed: it is reset.
    Reset,
}

/// Where a stage stands between client and upstream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Layer {
    /// Nearest to the client: the wire, which carries everything, also the answers of faults in [`Layer::Http`].
    Wire,
    /// Nearest to the target, whose part it plays: requests and replies.
    Http,
}

/// A stage in its place on a connection, with what it holds.
pub(crate) struct Seat {
    pub fault_id: Arc<str>,
    pub layer: Layer,
    pub stage: Box<dyn Stage>,
    pub queues: [Pieces; 2],
    pub counters: Arc<FaultCounters>,
    /// How the fault has left this connection; `None` while it acts.
    pub retired: Option<Retired>,
}

impl Seat {
    /// Gives a piece to the stage. Once the stage is gone the piece passes: what is due elsewhere may still come this way
    /// before the seat is taken out, and must not be held anew.
    pub fn take(&mut self, direction: Direction, content: Content, now: Nanos) {
        let mut outlet = Outlet { queues: &mut self.queues, now, counters: &self.counters };
        match content {
            content if self.retired == Some(Retired::Gone) => outlet.put(direction, content, Nanos::PAST, false),
            Content::Bytes(bytes) => self.stage.bytes(direction, bytes, &mut outlet),
            Content::End => self.stage.end(direction, &mut outlet),
            Content::Reset => outlet.reset(direction),
        }
    }

    /// Lets the stage look again, while its fault acts.
    pub fn look(&mut self, now: Nanos) {
        if self.retired.is_none() {
            self.stage.look(&mut Outlet { queues: &mut self.queues, now, counters: &self.counters });
        }
    }

    /// Whether it takes more from the sender in this direction.
    pub fn has_room(&self, direction: Direction) -> bool {
        self.retired.is_some() || self.queues[direction as usize].cost() < self.stage.room()
    }

    /// Ends the fault on this connection: all that is held becomes due.
    pub fn retire(&mut self, now: Nanos) -> Retired {
        let mut outlet = Outlet { queues: &mut self.queues, now, counters: &self.counters };
        let retired = self.stage.retire(&mut outlet);
        self.queues.iter_mut().for_each(Pieces::release);
        self.retired = Some(retired);
        retired
    }

    /// It has retired, finished what it had begun, and holds nothing.
    pub fn is_done(&self) -> bool {
        self.retired.is_some() && self.stage.finished() && self.queues.iter().all(|pieces| pieces.first().is_none())
    }

    /// The next instant at which this seat has something to do.
    pub fn next_due(&self) -> Nanos {
        let queued = self.queues[0].next_due().min(self.queues[1].next_due());
        if self.retired.is_some() {
            return queued;
        }
        queued.min(self.stage.resets_at()).min(self.stage.looks_at())
    }
}
