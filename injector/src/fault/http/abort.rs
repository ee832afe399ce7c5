//! `http.abort` on a link: the connection of a matching request is closed, and no reply comes.
//!
//! *What the service feels*: a target that accepts a request and gives up on it, as one that crashes while it works: an empty
//! reply, a connection that ends early. The target never sees the request. Replies to earlier requests of the connection come
//! first; then both sides are closed, and with them goes what was sent behind the request. Who is still sending then is
//! reset, as by any server that has closed. `share` is a share of the matching requests.
//! *Privileges*: none. *Verified*: at least one request was cut off. *Undone*: later requests reach the target; a connection
//! that waits for earlier replies is still closed behind them, for its request is gone.

use std::io;
use std::sync::Arc;

use brunt_scenario::plan::Params;
use bytes::{Buf, Bytes};

use super::matching::Which;
use crate::error::Error;
use crate::fault::Seen;
use crate::fault::link::{amount, nothing_hit, share};
use crate::proxy::{
    Arrival, Counted, Direction, Draws, Exchange, FaultCounters, Layer, Look, Outlet, Reply, RequestStep, Retired,
    Shape, Stage, StreamFault,
};

/// The kind, as in the catalogue.
pub const KIND: &str = "http.abort";

/// The parameters.
#[derive(Debug, Clone, PartialEq)]
struct Abort {
    which: Which,
    share: f64,
}

/// Reads `path`, `method` (any) and `share` (all).
pub fn from_params(with: &Params) -> Result<StreamFault, Error> {
    Ok(StreamFault::new(Abort { which: Which::from_params(KIND, with)?, share: share(with) }))
}

impl Shape for Abort {
    fn layer(&self) -> Layer {
        Layer::Http
    }

    fn share(&self) -> f64 {
        self.share
    }

    fn stage(&self, arrival: Arrival<'_>, counters: &Arc<FaultCounters>) -> Box<dyn Stage> {
        Box::new(CutOff {
            which: self.which.clone(),
            draws: arrival.draws,
            counters: Arc::clone(counters),
            exchange: arrival.exchange.taken_over(),
            end: End::NotYet,
        })
    }

    fn verify(&self, counted: &Counted, _: &mut dyn FnMut() -> io::Result<Look>) -> Seen {
        nothing_hit(counted, self.share, "matching request")
            .unwrap_or_else(|| Seen::Yes(format!("cut off {}", amount(counted.affected, "request"))))
    }
}

/// How far the end of the connection is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// No request has been hit.
    NotYet,
    /// One has; earlier replies are still to come.
    BehindReplies,
    /// Both sides are being closed.
    Now,
}

struct CutOff {
    which: Which,
    draws: Draws,
    counters: Arc<FaultCounters>,
    exchange: Exchange,
    end: End,
}

impl CutOff {
    fn requests(&mut self, mut bytes: Bytes, outlet: &mut Outlet<'_>) {
        while !bytes.is_empty() && self.end == End::NotYet {
            let (used, step) = self.exchange.requests().step(&bytes);
            match step {
                RequestStep::More => {}
                RequestStep::Head(head) => {
                    if head.whole && self.which.matches(head.method, head.target) && self.draws.hits() {
                        self.end = End::BehindReplies;
                        self.counters.affected.add(1);
                        self.counters.connections.add(1);
                    } else {
                        let owed = head.owed();
                        outlet.pass(Direction::To, Bytes::copy_from_slice(head.raw));
                        self.exchange.expect(owed);
                    }
                }
                RequestStep::Body { .. } => outlet.pass(Direction::To, bytes.slice(..used)),
                RequestStep::Opaque(raw) => outlet.pass(Direction::To, Bytes::copy_from_slice(raw)),
            }
            bytes.advance(used);
        }
    }

    fn replies(&mut self, mut bytes: Bytes, outlet: &mut Outlet<'_>) {
        while !bytes.is_empty() && !self.is_due() {
            let (used, reply) = self.exchange.reply(&bytes);
            outlet.pass(Direction::From, bytes.split_to(used));
            if reply == Reply::Opaque {
                // What has begun to be another protocol owes no replies.
                self.let_go(outlet);
            }
        }
    }

    /// The request that was hit is the next to be answered.
    fn is_due(&self) -> bool {
        self.end != End::NotYet && self.exchange.outstanding() == 0
    }

    fn close_if_due(&mut self, outlet: &mut Outlet<'_>) {
        if self.end == End::BehindReplies && self.is_due() {
            self.end = End::Now;
            outlet.end(Direction::To);
            outlet.end(Direction::From);
        }
    }

    /// Passes on what is withheld of a head.
    fn let_go(&mut self, outlet: &mut Outlet<'_>) {
        outlet.pass(Direction::To, self.exchange.give_up().into());
    }
}

impl Stage for CutOff {
    fn bytes(&mut self, direction: Direction, bytes: Bytes, outlet: &mut Outlet<'_>) {
        match direction {
            Direction::To => self.requests(bytes, outlet),
            Direction::From => self.replies(bytes, outlet),
        }
        self.close_if_due(outlet);
    }

    fn end(&mut self, direction: Direction, outlet: &mut Outlet<'_>) {
        match (self.end, direction) {
            (End::NotYet, Direction::To) => {
                outlet.pass(direction, self.exchange.requests().let_go().into());
                outlet.end(direction);
            }
            (End::NotYet, Direction::From) => outlet.end(direction),
            // The target has ended, and owes the earlier replies for ever.
            (End::BehindReplies, Direction::From) => {
                self.exchange.give_up();
                self.close_if_due(outlet);
            }
            (End::BehindReplies, Direction::To) | (End::Now, _) => {}
        }
    }

    fn retire(&mut self, outlet: &mut Outlet<'_>) -> Retired {
        if self.end == End::NotYet {
            self.let_go(outlet);
            return Retired::Gone;
        }
        Retired::Finishing
    }

    /// Once it has begun it stays to the end of the connection: nothing may go on behind the close.
    fn finished(&self) -> bool {
        self.end == End::NotYet
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proxy::lab::{Http, Lab, echo, eventually, fault, http, round_trip, share, text, word};

    const OK: &str = "GET /ok HTTP/1.1\r\n\r\n";
    const BAD: &str = "POST /bad HTTP/1.1\r\ncontent-length: 3\r\n\r\nxyz";

    /// Whether the connection has ended without a further byte.
    fn has_ended(client: &mut Http) -> bool {
        use std::io::Read;
        match client.reader.read(&mut [0; 1]) {
            Ok(read) => read == 0,
            Err(error) => error.kind() == io::ErrorKind::ConnectionReset,
        }
    }

    #[test]
    fn a_matching_request_ends_its_connection_and_no_other() {
        let (address, asked) = http();
        let lab = Lab::new(address);
        let (mut client, mut other) = (lab.http(), lab.http());
        assert_eq!(client.ask(BAD).0, 200);
        let abort = fault(KIND, &[text("path", "/bad*"), word("method", "POST")]);
        let counters = lab.add("abort", abort.clone());
        assert_eq!(client.ask(OK).0, 200);
        assert_eq!(client.ask("GET /bad HTTP/1.1\r\n\r\n").0, 200);
        assert_eq!(lab.verify(&abort, &counters), Seen::NotExercised("no matching request came along".into()));
        client.send(BAD);
        assert_eq!(client.reply(), None);
        assert_eq!(lab.verify(&abort, &counters), Seen::Yes("cut off 1 request".into()));
        assert_eq!(other.ask(OK).0, 200);
        lab.remove("abort");
        assert_eq!(other.ask(BAD).0, 200);
        assert_eq!(*asked.lock().unwrap(), ["POST /bad 3", "GET /ok 0", "GET /bad 0", "GET /ok 0", "POST /bad 3"]);
        drop(other);
        eventually("both connections are gone", || lab.proxy.stats()[0].open == 0);
    }

    #[test]
    fn replies_to_earlier_requests_come_first_and_later_requests_go_with_the_connection() {
        let (address, asked) = http();
        let lab = Lab::new(address);
        lab.add("abort", fault(KIND, &[text("path", "/bad")]));
        let mut client = lab.http();
        client.send(&format!("GET /slow HTTP/1.1\r\n\r\n{OK}{BAD}{OK}"));
        assert_eq!(client.reply(), Some((200, "GET /slow 0".into())));
        assert_eq!(client.reply(), Some((200, "GET /ok 0".into())));
        assert!(has_ended(&mut client));
        assert_eq!(*asked.lock().unwrap(), ["GET /slow 0", "GET /ok 0"]);
    }

    #[test]
    fn one_that_waits_for_earlier_replies_at_the_removal_is_still_cut_off() {
        let (address, asked) = http();
        let lab = Lab::new(address);
        let counters = lab.add("abort", fault(KIND, &[text("path", "/bad")]));
        let (mut client, mut other) = (lab.http(), lab.http());
        assert_eq!(other.ask(OK).0, 200);
        client.send(&format!("GET /slow HTTP/1.1\r\n\r\n{BAD}"));
        eventually("it is being cut off", || counters.affected.get() == 1);
        lab.remove("abort");
        assert_eq!(client.reply(), Some((200, "GET /slow 0".into())));
        assert!(has_ended(&mut client));
        assert_eq!(other.ask(BAD).0, 200);
        assert_eq!(*asked.lock().unwrap(), ["GET /ok 0", "GET /slow 0", "POST /bad 3"]);
    }

    #[test]
    fn requests_outside_the_share_reach_the_target() {
        let (address, asked) = http();
        let lab = Lab::new(address);
        let counters = lab.add("abort", fault(KIND, &[share(0.3)]));
        let replied = (0..100)
            .filter(|_| {
                let mut client = lab.http();
                client.send(OK);
                client.reply().is_some()
            })
            .count();
        assert!((50..88).contains(&replied), "{replied} of 100 at 30 %");
        assert_eq!(asked.lock().unwrap().len(), replied);
        assert_eq!((counters.seen.get(), counters.affected.get()), (100, 100 - replied as u64));
    }

    #[test]
    fn what_is_no_http_and_what_follows_an_upgrade_is_untouched() {
        let lab = Lab::new(echo());
        lab.add("abort", fault(KIND, &[]));
        round_trip(&mut lab.connect(), b"\x16\x03\x01 hello");
        let (address, _) = http();
        let lab = Lab::new(address);
        lab.add("abort", fault(KIND, &[text("path", "/bad")]));
        let mut client = lab.http();
        client.send("GET /upgrade HTTP/1.1\r\nupgrade: echo\r\n\r\n");
        assert_eq!(client.reply(), Some((101, String::new())));
        round_trip(client.reader.get_mut(), BAD.as_bytes());
    }

    #[test]
    fn without_its_effect_it_is_found_absent() {
        let (address, _) = http();
        let lab = Lab::new(address);
        let abort = fault(KIND, &[]);
        let counters = lab.add("abort", abort.clone().without_effect());
        assert_eq!(lab.http().ask(BAD).0, 200);
        assert!(matches!(lab.verify(&abort, &counters), Seen::Absent(_)));
    }
}
