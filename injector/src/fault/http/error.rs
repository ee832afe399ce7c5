//! `http.error` on a link: matching requests are answered by the proxy, and the target never sees them.
//!
//! *What the service feels*: a target that fails some requests, at once. The body of such a request is taken and thrown away,
//! the answer has `status` (503) and `body`, comes in the order of the requests, and the connection stays usable. All other
//! requests are untouched. `share` is a share of the matching requests.
//! *Privileges*: none. *Verified*: at least one request was answered. *Undone*: requests that have begun to be answered are
//! answered to their end, later ones reach the target.

mod answer;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;

use brunt_scenario::plan::Params;
use bytes::{Buf, Bytes};

use super::matching::Which;
use crate::error::Error;
use crate::fault::Seen;
use crate::fault::link::{amount, nothing_hit, share, text};
use crate::proxy::{
    Arrival, Counted, Direction, Draws, Exchange, FaultCounters, Layer, Look, Outlet, Reply, RequestStep, Retired,
    Shape, Stage, StreamFault,
};
use answer::Answer;

/// The kind, as in the catalogue.
pub const KIND: &str = "http.error";

/// The parameters.
#[derive(Debug, Clone, PartialEq)]
struct Refusal {
    answer: Arc<Answer>,
    which: Which,
    share: f64,
}

/// Reads `status` (503), `body`, `path`, `method` (any) and `share` (all).
pub fn from_params(with: &Params) -> Result<StreamFault, Error> {
    let status = with.number("status").unwrap_or(503);
    let Some(status) = u16::try_from(status).ok().filter(|status| (200..=599).contains(status)) else {
        return Err(Error::Unfit { kind: KIND.into(), why: format!("`status: {status}` is not between 200 and 599") });
    };
    Ok(StreamFault::new(Refusal {
        answer: Arc::new(Answer::new(status, text(KIND, with, "body")?.as_deref())),
        which: Which::from_params(KIND, with)?,
        share: share(with),
    }))
}

impl Shape for Refusal {
    fn layer(&self) -> Layer {
        Layer::Http
    }

    fn share(&self) -> f64 {
        self.share
    }

    fn stage(&self, arrival: Arrival<'_>, counters: &Arc<FaultCounters>) -> Box<dyn Stage> {
        let exchange = arrival.exchange.taken_over();
        Box::new(AnswerRequests {
            fault: self.clone(),
            draws: arrival.draws,
            counters: Arc::clone(counters),
            touched: false,
            turns: (0..exchange.outstanding()).map(|_| Turn::Target).collect(),
            exchange,
            swallowing: false,
            retired: false,
        })
    }

    fn verify(&self, counted: &Counted, _: &mut dyn FnMut() -> io::Result<Look>) -> Seen {
        nothing_hit(counted, self.share, "matching request")
            .unwrap_or_else(|| Seen::Yes(format!("answered {}", amount(counted.affected, "request"))))
    }
}

/// Whose reply comes next.
#[derive(Debug, PartialEq)]
enum Turn {
    /// The target's.
    Target,
    /// Ours.
    Own(Own),
}

/// A request that the proxy answers.
#[derive(Debug, PartialEq)]
struct Own {
    /// The client waits for `100 Continue`. It gets it, so that there is no doubt whether its body follows.
    waits: bool,
    /// All of the request has come.
    complete: bool,
    /// HEAD.
    bodyless: bool,
    /// The client wants the connection closed after the answer.
    closes: bool,
}

struct AnswerRequests {
    fault: Refusal,
    draws: Draws,
    counters: Arc<FaultCounters>,
    /// A request of this connection has been answered.
    touched: bool,
    exchange: Exchange,
    /// In the order of the requests, the oldest first.
    turns: VecDeque<Turn>,
    /// The request that is coming in is one of ours: its body goes nowhere.
    swallowing: bool,
    retired: bool,
}

impl AnswerRequests {
    fn requests(&mut self, mut bytes: Bytes, outlet: &mut Outlet<'_>) {
        while !bytes.is_empty() {
            let (used, step) = self.exchange.requests().step(&bytes);
            match step {
                RequestStep::More => {}
                RequestStep::Head(head) => {
                    let fits = !self.retired && head.whole && self.fault.which.matches(head.method, head.target);
                    self.swallowing = fits && self.draws.hits();
                    if self.swallowing {
                        let bodyless = head.owed().bodyless;
                        let own = Own { waits: head.waits, complete: head.complete, bodyless, closes: head.closes };
                        self.turns.push_back(Turn::Own(own));
                        self.count();
                    } else {
                        let owed = head.owed();
                        outlet.pass(Direction::To, Bytes::copy_from_slice(head.raw));
                        self.exchange.expect(owed);
                        self.turns.push_back(Turn::Target);
                    }
                }
                RequestStep::Body { last } if self.swallowing => {
                    if let (true, Some(Turn::Own(own))) = (last, self.turns.back_mut()) {
                        own.complete = true;
                    }
                }
                RequestStep::Body { .. } => outlet.pass(Direction::To, bytes.slice(..used)),
                RequestStep::Opaque(raw) => outlet.pass(Direction::To, Bytes::copy_from_slice(raw)),
            }
            bytes.advance(used);
            self.answer(outlet);
        }
    }

    fn count(&mut self) {
        self.counters.affected.add(1);
        if !std::mem::replace(&mut self.touched, true) {
            self.counters.connections.add(1);
        }
    }

    /// Gives the answers whose turn it is.
    fn answer(&mut self, outlet: &mut Outlet<'_>) {
        while let Some(Turn::Own(own)) = self.turns.front_mut() {
            if std::mem::take(&mut own.waits) && !own.complete {
                outlet.pass(Direction::From, Bytes::from_static(b"HTTP/1.1 100 Continue\r\n\r\n"));
            }
            if !own.complete {
                return;
            }
            outlet.pass(Direction::From, self.fault.answer.to(own.bodyless, own.closes));
            if own.closes {
                outlet.end(Direction::From);
            }
            self.turns.pop_front();
        }
    }

    fn replies(&mut self, mut bytes: Bytes, outlet: &mut Outlet<'_>) {
        while !bytes.is_empty() {
            let (used, reply) = self.exchange.reply(&bytes);
            outlet.pass(Direction::From, bytes.split_to(used));
            match reply {
                Reply::Part => {}
                Reply::Complete => {
                    // A reply that nobody asked for (a server that times out says 408) is nobody's turn.
                    if self.turns.front() == Some(&Turn::Target) {
                        self.turns.pop_front();
                    }
                    self.answer(outlet);
                }
                Reply::Opaque => {
                    self.turns.clear();
                    self.let_go(outlet);
                }
            }
        }
    }

    /// Passes on what is withheld of a head.
    fn let_go(&mut self, outlet: &mut Outlet<'_>) {
        outlet.pass(Direction::To, self.exchange.give_up().into());
    }
}

impl Stage for AnswerRequests {
    fn bytes(&mut self, direction: Direction, bytes: Bytes, outlet: &mut Outlet<'_>) {
        match direction {
            Direction::To => self.requests(bytes, outlet),
            Direction::From => self.replies(bytes, outlet),
        }
        if self.retired && self.finished() {
            self.let_go(outlet);
        }
    }

    fn end(&mut self, direction: Direction, outlet: &mut Outlet<'_>) {
        if direction == Direction::To {
            outlet.pass(direction, self.exchange.requests().let_go().into());
        }
        outlet.end(direction);
    }

    fn retire(&mut self, outlet: &mut Outlet<'_>) -> Retired {
        self.retired = true;
        if self.finished() {
            self.let_go(outlet);
            return Retired::Gone;
        }
        Retired::Finishing
    }

    fn finished(&self) -> bool {
        !self.turns.iter().any(|turn| matches!(turn, Turn::Own(_)))
    }
}
