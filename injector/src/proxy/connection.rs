//! One connection through the proxy: two sockets, two directions, and the faults between them.
//!
//! ```text
//!            wire stages      http stages     watch
//!   client ──> [latency] ──> [http.error] ──> (requests counted) ──> ready ──> upstream      Direction::To
//!   client <── ready <── [latency] <── [http.error] <── (replies followed) <── upstream      Direction::From
//! ```
//!
//! Without stages a chunk goes from one socket to the other through a buffer that all connections of the thread share; what
//! the receiver does not take is kept in `ready`, and nothing more is read until it is gone. With stages, chunks become
//! pieces, and reading goes on until as much is kept in a direction as its faults want ([`WINDOW`] unless they say otherwise)
//! and the proxy's memory allows (`budget.rs`).
//!
//! The connection is polled by one task of the proxy's thread. Adding and removing faults locks it from another thread for
//! some microseconds and wakes that task.

use std::cell::Cell;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use super::budget::{Budget, Portion};
use super::counters::ListenerCounters;
use super::http::Exchange;
use super::stage::{Content, Direction, Piece, Pieces, Retired, Seat};
use super::timer::{Nanos, Timer};

/// How much a fault holds in one direction of a connection, unless it wants more: about what two kernels would keep in their
/// socket buffers while a wire stalls.
pub(crate) const WINDOW: usize = 1 << 20;

/// With less room than this nothing is read: many small pieces cost more than they carry.
const LEAST: usize = 4 << 10;

/// How much is read at once.
const CHUNK: usize = 64 << 10;

thread_local! {
    /// Bytes between two sockets; taken while a chunk is being moved, so that idle connections cost no buffer.
    static SCRATCH: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// How far a connection is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Progress {
    /// Bytes may still come.
    Open,
    /// Both directions have ended, or the connection was reset.
    Over,
}

/// One direction of a connection.
#[derive(Default)]
struct Lane {
    /// What may go to the receiver now.
    ready: Pieces,
    /// The sender's end has been read.
    ended: bool,
    /// The end has been passed on, or the receiver is gone.
    closed: bool,
}

/// A connection from a client, and from the moment when it is made the one to the upstream.
pub(crate) struct Connection {
    /// In the order of acceptance at its listener.
    pub index: u64,
    client: Option<TcpStream>,
    upstream: Option<TcpStream>,
    lanes: [Lane; 2],
    /// From the client to the upstream.
    seats: Vec<Seat>,
    watch: Exchange,
    /// A receiver was lost: the end of the other direction is a reset.
    broken: bool,
    waker: Option<Waker>,
    /// The instant for which the timer was asked last.
    armed: Nanos,
    timer: Arc<Timer>,
    /// What it keeps, as far as it was counted.
    portion: Portion,
    counters: Arc<ListenerCounters>,
}

impl Connection {
    /// A connection that has just been accepted; `watch` follows its HTTP exchange.
    pub fn new(
        index: u64,
        client: TcpStream,
        watch: Exchange,
        timer: Arc<Timer>,
        budget: Arc<Budget>,
        counters: Arc<ListenerCounters>,
    ) -> Self {
        Self {
            index,
            client: Some(client),
            upstream: None,
            lanes: [Lane::default(), Lane::default()],
            seats: Vec::new(),
            watch,
            broken: false,
            waker: None,
            armed: Nanos::PAST,
            timer,
            portion: Portion::of(budget),
            counters,
        }
    }

    /// Where the exchange stands at the upstream's end: where a stage that parses HTTP begins.
    pub fn exchange(&self) -> &Exchange {
        &self.watch
    }

    /// Brunt made it, to look at the link.
    pub fn is_own(&self) -> bool {
        self.index >= u64::MAX - u64::from(u16::MAX)
    }

    /// The upstream has been reached, and the connection lives.
    pub fn is_connected(&self) -> bool {
        self.upstream.is_some()
    }

    /// A fault comes to this connection.
    pub fn seat(&mut self, seat: Seat) {
        let place = self.seats.partition_point(|other| other.layer <= seat.layer);
        self.seats.insert(place, seat);
        self.reset_if_due(Nanos::now());
        self.wake();
    }

    /// A fault leaves this connection: what it held becomes ready, or the connection is reset if it cannot be healed.
    pub fn unseat(&mut self, fault_id: &str) {
        let Some(place) = self.seats.iter().position(|seat| &*seat.fault_id == fault_id && seat.retired.is_none())
        else {
            return;
        };
        let now = Nanos::now();
        let retired = self.seats[place].retire(now);
        if retired == Retired::Reset {
            self.seats[place].counters.connections_reset.add(1);
            self.reset();
        }
        self.advance(now);
        self.seats.retain(|seat| !seat.is_done());
        self.wake();
    }

    /// The upstream has been reached.
    pub fn connected(&mut self, upstream: TcpStream) {
        self.upstream = Some(upstream);
    }

    /// Resets both sides at once (SO_LINGER 0, then close: RST instead of FIN) and forgets what is held.
    pub fn reset(&mut self) {
        for socket in [self.client.take(), self.upstream.take()].into_iter().flatten() {
            // A socket that the peer has reset already refuses the option; it is gone either way.
            let _ = socket.set_zero_linger();
        }
        self.lanes.iter_mut().for_each(|lane| lane.ready.clear());
        self.seats.clear();
    }

    /// Lets the task look again.
    pub fn wake(&self) {
        if let Some(waker) = &self.waker {
            waker.wake_by_ref();
        }
    }

    /// Waits until the upstream may be reached. What the client sends meanwhile goes through the stages. A client that
    /// closes while it hangs has never had a connection: in a real network its SYN would still be unanswered.
    pub fn poll_admitted(&mut self, cx: &mut Context<'_>) -> Poll<Progress> {
        self.remember(cx);
        let now = Nanos::now();
        if self.reset_if_due(now) {
            return Poll::Ready(Progress::Over);
        }
        if !self.seats.iter().any(|seat| seat.stage.hangs() && seat.retired.is_none()) {
            return Poll::Ready(Progress::Open);
        }
        loop {
            let read = self.read(Direction::To, cx);
            if self.lanes[Direction::To as usize].ended {
                self.reset();
                return Poll::Ready(Progress::Over);
            }
            if !read {
                break;
            }
        }
        self.ask_for_wake(self.next_reset(), now, cx);
        Poll::Pending
    }

    /// Whether the connection has been reset, while the upstream is being reached.
    pub fn poll_reset(&mut self, cx: &mut Context<'_>) -> bool {
        self.remember(cx);
        let now = Nanos::now();
        let over = self.reset_if_due(now);
        self.ask_for_wake(self.next_reset(), now, cx);
        over
    }

    /// Moves what can be moved. Ready when the connection is over.
    pub fn poll_pump(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.remember(cx);
        loop {
            let mut moved = self.read(Direction::To, cx);
            moved |= self.read(Direction::From, cx);
            if !self.seats.is_empty() {
                let now = Nanos::now();
                if self.reset_if_due(now) {
                    return Poll::Ready(());
                }
                self.advance(now);
                self.seats.retain(|seat| !seat.is_done());
            }
            moved |= self.flush(Direction::To, cx);
            moved |= self.flush(Direction::From, cx);
            if self.client.is_none() {
                return Poll::Ready(());
            }
            if self.lanes.iter().all(|lane| lane.closed) {
                if self.broken {
                    self.reset();
                }
                return Poll::Ready(());
            }
            if !moved {
                break;
            }
        }
        if !self.seats.is_empty() {
            let next = self.seats.iter().map(Seat::next_due).min().unwrap_or(Nanos::NEVER);
            self.ask_for_wake(next, Nanos::now(), cx);
        }
        self.count_held(Direction::To);
        self.count_held(Direction::From);
        Poll::Pending
    }

    fn remember(&mut self, cx: &Context<'_>) {
        if !self.waker.as_ref().is_some_and(|waker| waker.will_wake(cx.waker())) {
            self.waker = Some(cx.waker().clone());
        }
    }

    fn reset_if_due(&mut self, now: Nanos) -> bool {
        let due = self.seats.iter().find(|seat| seat.stage.resets_at() <= now && seat.retired.is_none());
        if let Some(seat) = due {
            seat.counters.connections_reset.add(1);
            self.reset();
        }
        self.client.is_none()
    }

    /// While the upstream is not there a reset is all that can become due: bytes have nowhere to go.
    fn next_reset(&self) -> Nanos {
        let active = self.seats.iter().filter(|seat| seat.retired.is_none());
        active.map(|seat| seat.stage.resets_at()).min().unwrap_or(Nanos::NEVER)
    }

    fn ask_for_wake(&mut self, next: Nanos, now: Nanos, cx: &Context<'_>) {
        let asked_already = self.armed > now && self.armed <= next;
        if next != Nanos::NEVER && !asked_already {
            self.timer.wake_at(next, cx.waker().clone());
            self.armed = next;
        }
    }

    /// Counts what is kept in a direction, everywhere on its way.
    fn count_held(&mut self, direction: Direction) -> usize {
        let lane = direction as usize;
        let held =
            self.lanes[lane].ready.cost() + self.seats.iter().map(|seat| seat.queues[lane].cost()).sum::<usize>();
        self.portion.set(lane, held);
        held
    }

    /// How much may be read in a direction now.
    fn room(&mut self, direction: Direction) -> usize {
        let held = self.count_held(direction);
        match self.seats.iter().map(|seat| seat.stage.room().max(WINDOW)).max() {
            None if held == 0 => CHUNK,
            None => 0,
            Some(window) => self.portion.room(direction as usize, window).min(CHUNK),
        }
    }

    /// Reads one chunk and sends it on its way. False when there is nothing to read, or no room.
    fn read(&mut self, direction: Direction, cx: &mut Context<'_>) -> bool {
        let lane = &self.lanes[direction as usize];
        let takes = self.seats.iter().all(|seat| seat.has_room(direction));
        if lane.ended || lane.closed || !takes {
            return false;
        }
        let room = self.room(direction);
        if room < LEAST {
            return false;
        }
        let source = match direction {
            Direction::To => &mut self.client,
            Direction::From => &mut self.upstream,
        };
        let Some(source) = source else { return false };
        let mut scratch = SCRATCH.take();
        scratch.resize(CHUNK, 0);
        let mut chunk = ReadBuf::new(&mut scratch[..room]);
        let read = Pin::new(source).poll_read(cx, &mut chunk);
        let moved = match read {
            Poll::Pending => false,
            Poll::Ready(Ok(())) if chunk.filled().is_empty() => self.sender_gone(direction, Content::End),
            Poll::Ready(Ok(())) => self.received(direction, chunk.filled(), cx),
            Poll::Ready(Err(_)) => self.sender_gone(direction, Content::Reset),
        };
        SCRATCH.set(scratch);
        moved
    }

    fn received(&mut self, direction: Direction, chunk: &[u8], cx: &mut Context<'_>) -> bool {
        self.counters.bytes[direction as usize].add(chunk.len() as u64);
        if direction == Direction::From {
            self.watch.watch(direction, chunk);
        }
        if self.seats.is_empty() {
            if direction == Direction::To {
                self.count_requests(chunk);
            }
            let sent = self.write_through(direction, chunk, cx);
            if sent < chunk.len() {
                let content = Content::Bytes(Bytes::copy_from_slice(&chunk[sent..]));
                self.lanes[direction as usize].ready.push(Piece { content, due: Nanos::PAST, stamp: None });
            }
        } else {
            self.enter(direction, Content::Bytes(Bytes::copy_from_slice(chunk)));
        }
        true
    }

    /// Writes straight from the shared buffer. Returns how much the receiver took; errors show when the rest is flushed.
    fn write_through(&mut self, direction: Direction, chunk: &[u8], cx: &mut Context<'_>) -> usize {
        let receiver = match direction {
            Direction::To => &mut self.upstream,
            Direction::From => &mut self.client,
        };
        match receiver {
            Some(receiver) => match Pin::new(receiver).poll_write(cx, chunk) {
                Poll::Ready(Ok(sent)) => sent,
                Poll::Ready(Err(_)) | Poll::Pending => 0,
            },
            None => 0,
        }
    }

    fn sender_gone(&mut self, direction: Direction, content: Content) -> bool {
        self.lanes[direction as usize].ended = true;
        self.enter(direction, content);
        true
    }

    /// Content from a socket goes to the first seat of its direction.
    fn enter(&mut self, direction: Direction, content: Content) {
        let first = match direction {
            Direction::To => 0,
            Direction::From => self.seats.len(),
        };
        self.hand_on(direction, first, content, Nanos::now());
    }

    /// Hands content to what comes after `place` places: the next seat, or the receiver. Places are counted from the
    /// client; in [`Direction::From`] the next seat is the one before `place`.
    fn hand_on(&mut self, direction: Direction, place: usize, content: Content, now: Nanos) {
        let next = match direction {
            Direction::To => self.seats.get_mut(place),
            Direction::From => place.checked_sub(1).and_then(|place| self.seats.get_mut(place)),
        };
        match next {
            Some(seat) => seat.take(direction, content, now),
            None => self.arrived(direction, Piece { content, due: Nanos::PAST, stamp: None }),
        }
    }

    /// A piece has passed the last seat.
    fn arrived(&mut self, direction: Direction, piece: Piece) {
        if let (Direction::To, Content::Bytes(bytes)) = (direction, &piece.content) {
            let bytes = bytes.clone();
            self.count_requests(&bytes);
        }
        self.lanes[direction as usize].ready.push(piece);
    }

    fn count_requests(&mut self, chunk: &[u8]) {
        let requests = self.watch.watch(Direction::To, chunk);
        if requests > 0 {
            self.counters.requests.add(requests);
        }
    }

    /// Moves every due piece as far as it may go. Requests first: a stage may answer one in the other direction. And requests
    /// again: a reply may make a stage let go of what it kept of one.
    fn advance(&mut self, now: Nanos) {
        for place in 0..self.seats.len() {
            self.advance_from(Direction::To, place, now);
        }
        for place in (0..self.seats.len()).rev() {
            self.advance_from(Direction::From, place, now);
        }
        for place in 0..self.seats.len() {
            self.advance_from(Direction::To, place, now);
        }
    }

    fn advance_from(&mut self, direction: Direction, place: usize, now: Nanos) {
        let last = match direction {
            Direction::To => place + 1 == self.seats.len(),
            Direction::From => place == 0,
        };
        loop {
            self.seats[place].look(now);
            let Some(piece) = self.seats[place].queues[direction as usize].pop_due(now) else { return };
            if last {
                self.arrived(direction, piece);
                continue;
            }
            if let Some(stamp) = &piece.stamp {
                stamp.record();
            }
            let next = if direction == Direction::To { place + 1 } else { place };
            self.hand_on(direction, next, piece.content, now);
        }
    }

    /// Gives the receiver what is ready, as much as it takes. True if something went, so that there may be room again.
    fn flush(&mut self, direction: Direction, cx: &mut Context<'_>) -> bool {
        let lane = &mut self.lanes[direction as usize];
        let receiver = match direction {
            Direction::To => &mut self.upstream,
            Direction::From => &mut self.client,
        };
        let Some(receiver) = receiver else { return false };
        let mut moved = false;
        while let Some(piece) = lane.ready.first() {
            let sent = match &piece.content {
                Content::Bytes(bytes) => {
                    Pin::new(&mut *receiver).poll_write(cx, bytes).map_ok(|n| (n, n == bytes.len()))
                }
                Content::End => Pin::new(&mut *receiver).poll_shutdown(cx).map_ok(|()| (0, true)),
                Content::Reset => Poll::Ready(Err(io::ErrorKind::ConnectionReset.into())),
            };
            moved |= sent.is_ready();
            match sent {
                Poll::Pending => return moved,
                Poll::Ready(Ok((n, false))) => lane.ready.advance_first(n),
                Poll::Ready(Ok((_, true))) => {
                    if let Some(Piece { content, stamp, .. }) = lane.ready.pop() {
                        stamp.iter().for_each(super::stage::Stamp::record);
                        lane.closed |= matches!(content, Content::End);
                    }
                }
                Poll::Ready(Err(_)) => {
                    let sender_reset = matches!(piece.content, Content::Reset);
                    self.receiver_gone(direction, sender_reset);
                    return true;
                }
            }
        }
        moved
    }

    /// Nothing more can be given to the receiver: it has gone, or it is to be reset because the sender was.
    fn receiver_gone(&mut self, direction: Direction, sender_reset: bool) {
        if sender_reset {
            return self.reset();
        }
        // What the receiver has sent before it went is still passed on to the other side; then that side is reset.
        self.broken = true;
        let lane = &mut self.lanes[direction as usize];
        lane.closed = true;
        lane.ready.clear();
        self.seats.iter_mut().for_each(|seat| seat.queues[direction as usize].clear());
    }
}
