//! What the faults that change replies have in common: which reply belongs to which request, and where it ends.
//!
//! Requests pass untouched; they are followed for their path and method. A reply is decided about when its head is whole. Only
//! the head of a reply to a matching request is withheld until then, so that other replies pass as they come, cut as they
//! were. Interim replies (1xx) and upgrades are untouched, and so is the reply to a request that was under way when the fault
//! came.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;

use super::matching::Which;
use crate::proxy::{
    Arrival, Direction, Draws, Exchange, FaultCounters, Follows, Outlet, ReplyHead, ReplyStep, RequestStep, Retired,
    Stage,
};

/// A change to replies. One implementation for each fault.
pub(super) trait Change: Clone + Send + Sync + 'static {
    /// Whether there is something in this reply that it could change. Others are not decided about.
    fn fits(&self, head: &ReplyHead<'_>) -> bool;

    /// What goes on instead of the head, and what becomes of the body.
    fn change(&self, head: &ReplyHead<'_>) -> (Vec<u8>, Rest);
}

/// What becomes of the body behind a head that was changed.
pub(super) enum Rest {
    /// It goes on as it comes.
    Same,
    /// It goes on through this.
    Through(Box<dyn Rewrite>),
}

/// A body that does not go on as it came.
pub(super) trait Rewrite: Send {
    /// What goes on instead of `bytes`, the next ones of the body as it was sent.
    fn write(&mut self, bytes: &Bytes, outlet: &mut Outlet<'_>);

    /// The body has come to its end. Whether it has become another one.
    fn end(&mut self) -> bool;
}

/// The stage of such a fault on one connection.
pub(super) struct ChangeReplies<C> {
    change: C,
    which: Which,
    draws: Draws,
    counters: Arc<FaultCounters>,
    /// A reply of this connection has been changed.
    touched: bool,
    exchange: Exchange,
    /// Whether the replies that are owed are to matching requests, the oldest first.
    turns: VecDeque<bool>,
    /// The body that is being changed.
    rewrite: Option<Box<dyn Rewrite>>,
    /// The target broke off in a body that was being changed: what follows cannot be told from it.
    lost: bool,
    retired: bool,
}

impl<C: Change> ChangeReplies<C> {
    pub fn stage(change: C, which: Which, arrival: Arrival<'_>, counters: &Arc<FaultCounters>) -> Box<dyn Stage> {
        let exchange = arrival.exchange.taken_over_replies();
        Box::new(Self {
            change,
            which,
            draws: arrival.draws,
            counters: Arc::clone(counters),
            touched: false,
            turns: (0..exchange.outstanding()).map(|_| false).collect(),
            exchange,
            rewrite: None,
            lost: false,
            retired: false,
        })
    }

    fn follow_requests(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let (used, step) = self.exchange.requests().step(bytes);
            if let RequestStep::Head(head) = step {
                self.turns.push_back(self.which.matches(head.method, head.target));
                let owed = head.owed();
                self.exchange.expect(owed);
            }
            bytes = &bytes[used..];
        }
    }

    fn replies(&mut self, mut bytes: Bytes, outlet: &mut Outlet<'_>) {
        while !bytes.is_empty() && !self.lost {
            let withholds = !self.retired && self.turns.front() == Some(&true);
            let (used, step) = self.exchange.reply_step(&bytes);
            let mut is_last = false;
            match step {
                ReplyStep::More if withholds => {}
                ReplyStep::More => {
                    self.exchange.passed_on();
                    outlet.pass(Direction::From, bytes.slice(..used));
                }
                ReplyStep::Head(head) => {
                    is_last = head.follows == Follows::Nothing;
                    let is_final = is_last || head.follows == Follows::Body;
                    let fits = withholds && is_final && head.whole && self.change.fits(&head);
                    if fits && self.draws.hits() {
                        let (text, rest) = self.change.change(&head);
                        outlet.pass(Direction::From, text.into());
                        match rest {
                            Rest::Through(rewrite) if !is_last => self.rewrite = Some(rewrite),
                            Rest::Through(_) | Rest::Same => self.count(),
                        }
                    } else {
                        outlet.pass(Direction::From, Bytes::copy_from_slice(head.raw));
                    }
                }
                ReplyStep::Body { last } => {
                    is_last = last;
                    let body = bytes.slice(..used);
                    match &mut self.rewrite {
                        None => outlet.pass(Direction::From, body),
                        Some(rewrite) => rewrite.write(&body, outlet),
                    }
                }
                ReplyStep::Opaque(_) if self.rewrite.is_some() => {
                    self.lost = true;
                    self.end_rewrite();
                    outlet.end(Direction::From);
                }
                ReplyStep::Opaque(raw) => outlet.pass(Direction::From, Bytes::copy_from_slice(raw)),
            }
            if is_last {
                self.end_rewrite();
                self.turns.pop_front();
            }
            bytes = bytes.split_off(used);
        }
    }

    /// The reply has ended.
    fn end_rewrite(&mut self) {
        let Some(mut rewrite) = self.rewrite.take() else { return };
        if rewrite.end() {
            self.count();
        } else {
            // Only its end told that there was nothing to change: it was none that could be hit.
            self.counters.seen.sub(1);
        }
    }

    fn count(&mut self) {
        self.counters.affected.add(1);
        if !std::mem::replace(&mut self.touched, true) {
            self.counters.connections.add(1);
        }
    }

    /// Passes on what is withheld of a head.
    fn let_go(&mut self, outlet: &mut Outlet<'_>) {
        outlet.pass(Direction::From, self.exchange.give_up_replies().into());
    }
}

impl<C: Change> Stage for ChangeReplies<C> {
    fn bytes(&mut self, direction: Direction, bytes: Bytes, outlet: &mut Outlet<'_>) {
        match direction {
            Direction::To => {
                self.follow_requests(&bytes);
                outlet.pass(direction, bytes);
            }
            Direction::From => self.replies(bytes, outlet),
        }
    }

    fn end(&mut self, direction: Direction, outlet: &mut Outlet<'_>) {
        if self.lost && direction == Direction::From {
            return;
        }
        if direction == Direction::From {
            self.end_rewrite();
            self.let_go(outlet);
        }
        outlet.end(direction);
    }

    fn retire(&mut self, outlet: &mut Outlet<'_>) -> Retired {
        self.retired = true;
        if self.rewrite.is_none() && !self.lost {
            self.let_go(outlet);
            return Retired::Gone;
        }
        Retired::Finishing
    }

    /// One that has lost the target's place stays until the connection has ended.
    fn finished(&self) -> bool {
        self.rewrite.is_none() && !self.lost
    }
}
