//! `http.latency` on a link: matching requests are held for a while before the target gets them.
//!
//! *What the service feels*: a target that is slow for some requests. A matching request waits for `latency` give or take
//! `jitter`, by the `distribution`, `table` and `correlation` of [`crate::fault::delay`]; requests that are pipelined behind it wait too, for HTTP/1.1 knows no overtaking. All others are untouched. `share`
//! is a share of the matching requests.
//! *Privileges*: none. *Verified*: the first request that it held was held for the drawn time, within the larger of 5 ms and
//! 5 %. *Undone*: what is held goes out at once; the proxy ends with the runner.

use std::io;
use std::sync::Arc;

use brunt_scenario::plan::Params;
use bytes::{Buf, Bytes};

use super::matching::Which;
use crate::error::Error;
use crate::fault::Seen;
use crate::fault::delay::{Delay, Delays};
use crate::fault::link::{nothing_hit, share};
use crate::fault::network::latency::judge_holds;
use crate::proxy::{
    Arrival, Counted, Direction, Draws, Exchange, FaultCounters, Layer, Look, Nanos, Outlet, RequestStep, Retired,
    Shape, Stage, StreamFault,
};

/// The kind, as in the catalogue.
pub const KIND: &str = "http.latency";

/// The parameters.
#[derive(Debug, Clone, PartialEq)]
struct Latency {
    delays: Delays,
    which: Which,
    share: f64,
}

/// Reads the delays, `path`, `method` (any) and `share` (all).
pub fn from_params(with: &Params) -> Result<StreamFault, Error> {
    Ok(StreamFault::new(Latency {
        delays: Delays::from_params(KIND, with)?,
        which: Which::from_params(KIND, with)?,
        share: share(with),
    }))
}

impl Shape for Latency {
    fn layer(&self) -> Layer {
        Layer::Http
    }

    fn share(&self) -> f64 {
        self.share
    }

    fn stage(&self, arrival: Arrival<'_>, counters: &Arc<FaultCounters>) -> Box<dyn Stage> {
        Box::new(HoldRequests {
            which: self.which.clone(),
            draws: arrival.draws,
            delay: Delay::new(&self.delays),
            counters: Arc::clone(counters),
            touched: false,
            exchange: arrival.exchange.taken_over(),
        })
    }

    fn verify(&self, counted: &Counted, _: &mut dyn FnMut() -> io::Result<Look>) -> Seen {
        nothing_hit(counted, self.share, "matching request").unwrap_or_else(|| judge_holds(counted, "request"))
    }
}

struct HoldRequests {
    which: Which,
    draws: Draws,
    delay: Delay,
    counters: Arc<FaultCounters>,
    /// A request of this connection has been held.
    touched: bool,
    exchange: Exchange,
}

impl HoldRequests {
    /// When a matching request whose head has come may go on.
    fn due(&mut self, now: Nanos) -> Nanos {
        if !self.draws.hits() {
            return Nanos::PAST;
        }
        self.counters.affected.add(1);
        if !std::mem::replace(&mut self.touched, true) {
            self.counters.connections.add(1);
        }
        now.after(self.delay.draw(&mut self.draws))
    }

    fn requests(&mut self, mut bytes: Bytes, outlet: &mut Outlet<'_>) {
        while !bytes.is_empty() {
            let (used, step) = self.exchange.requests().step(&bytes);
            match step {
                RequestStep::More => {}
                RequestStep::Head(head) => {
                    let fits = head.whole && self.which.matches(head.method, head.target);
                    let (owed, raw) = (head.owed(), Bytes::copy_from_slice(head.raw));
                    self.exchange.expect(owed);
                    match if fits { self.due(outlet.now) } else { Nanos::PAST } {
                        Nanos::PAST => outlet.pass(Direction::To, raw),
                        due => outlet.hold_until(Direction::To, raw, due),
                    }
                }
                RequestStep::Body { .. } => outlet.pass(Direction::To, bytes.slice(..used)),
                RequestStep::Opaque(raw) => outlet.pass(Direction::To, Bytes::copy_from_slice(raw)),
            }
            bytes.advance(used);
        }
    }

    /// Passes on what is withheld of a head.
    fn let_go(&mut self, outlet: &mut Outlet<'_>) {
        outlet.pass(Direction::To, self.exchange.give_up().into());
    }
}

impl Stage for HoldRequests {
    fn bytes(&mut self, direction: Direction, bytes: Bytes, outlet: &mut Outlet<'_>) {
        if direction == Direction::To {
            return self.requests(bytes, outlet);
        }
        self.exchange.watch(direction, &bytes);
        if self.exchange.is_opaque() {
            self.let_go(outlet);
        }
        outlet.pass(direction, bytes);
    }

    fn end(&mut self, direction: Direction, outlet: &mut Outlet<'_>) {
        if direction == Direction::To {
            self.let_go(outlet);
        }
        outlet.end(direction);
    }

    fn retire(&mut self, outlet: &mut Outlet<'_>) -> Retired {
        self.let_go(outlet);
        Retired::Gone
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;
    use crate::proxy::lab::{Http, Lab, echo, fault, http, ms, round_trip, seen, share, text, word};

    const GET: &str = "GET /orders/1 HTTP/1.1\r\n\r\n";

    fn timed(client: &mut Http, request: &str) -> (u64, String) {
        let start = Instant::now();
        let (status, body) = client.ask(request);
        assert_eq!(status, 200);
        (start.elapsed().as_millis() as u64, body)
    }

    #[test]
    fn only_matching_requests_are_late() {
        let (address, _) = http();
        let lab = Lab::new(address);
        let mut client = lab.http();
        assert!(timed(&mut client, GET).0 < 60);
        let slow = fault(KIND, &[ms("latency", 80), text("path", "/orders/*"), word("method", "GET")]);
        let counters = lab.add("slow", slow.clone());
        assert!(timed(&mut client, "GET /other HTTP/1.1\r\n\r\n").0 < 60);
        assert!(timed(&mut client, "POST /orders/1 HTTP/1.1\r\ncontent-length: 2\r\n\r\nab").0 < 60);
        assert_eq!(lab.verify(&slow, &counters), Seen::NotExercised("no matching request came along".into()));
        for _ in 0..6 {
            let (span, body) = timed(&mut client, GET);
            assert!((80..140).contains(&span), "{span} ms");
            assert_eq!(body, "GET /orders/1 0");
        }
        let said = seen(|| lab.verify(&slow, &counters));
        assert!(said.starts_with("held 6 requests"), "{said}");
        lab.remove("slow");
        assert!(timed(&mut client, GET).0 < 60);
    }

    #[test]
    fn a_request_in_many_pieces_is_held_once_and_arrives_whole() {
        let (address, asked) = http();
        let lab = Lab::new(address);
        lab.add("slow", fault(KIND, &[ms("latency", 60)]));
        let mut client = lab.http();
        let start = Instant::now();
        for piece in
            ["POST /or", "ders HTTP/1.1\r\ntransfer-encoding: chunked\r", "\n\r\n3\r\nabc\r", "\n2\r\nde\r\n0\r\n\r\n"]
        {
            client.send(piece);
            std::thread::sleep(Duration::from_millis(3));
        }
        assert_eq!(client.reply(), Some((200, "POST /orders 5".into())));
        assert!((60..140).contains(&start.elapsed().as_millis()), "{:?}", start.elapsed());
        assert_eq!(*asked.lock().unwrap(), ["POST /orders 5"]);
    }

    #[test]
    fn a_request_that_had_begun_when_the_fault_came_is_left_alone() {
        let (address, _) = http();
        let lab = Lab::new(address);
        for beginning in [4, 30, 48] {
            let before = lab.proxy.stats()[0].bytes_to;
            let mut client = lab.http();
            let request = "POST /a HTTP/1.1\r\ncontent-length: 10\r\n\r\n0123456789";
            client.send(&request[..beginning]);
            let passed = || lab.proxy.stats()[0].bytes_to - before == beginning as u64;
            crate::proxy::lab::eventually("the beginning has passed", passed);
            lab.add("slow", fault(KIND, &[ms("latency", 80)]));
            let (span, body) = timed(&mut client, &request[beginning..]);
            assert!(span < 60, "{span} ms after {beginning} bytes");
            assert_eq!(body, "POST /a 10");
            assert!(timed(&mut client, "GET /b HTTP/1.1\r\n\r\n").0 >= 80);
            lab.remove("slow");
        }
    }

    #[test]
    fn what_is_held_goes_out_at_once_on_removal() {
        let (address, _) = http();
        let lab = Lab::new(address);
        let counters = lab.add("slow", fault(KIND, &[ms("latency", 60_000)]));
        let mut client = lab.http();
        client.send(GET);
        crate::proxy::lab::eventually("it is held", || counters.affected.get() == 1);
        lab.remove("slow");
        assert_eq!(client.reply(), Some((200, "GET /orders/1 0".into())));
    }

    #[test]
    fn what_is_no_http_and_what_follows_an_upgrade_is_untouched() {
        let lab = Lab::new(echo());
        lab.add("slow", fault(KIND, &[ms("latency", 60_000)]));
        let mut client = lab.connect();
        for words in [&b"\x16\x03\x01 hello"[..], b"GET / HTTP/1.1\r\n\r\n", b"GE"] {
            round_trip(&mut client, words);
        }
        let (address, _) = http();
        let lab = Lab::new(address);
        lab.add("slow", fault(KIND, &[ms("latency", 60_000), text("path", "/orders/*")]));
        let mut client = lab.http();
        client.send("GET /upgrade HTTP/1.1\r\nupgrade: echo\r\n\r\n");
        assert_eq!(client.reply(), Some((101, String::new())));
        round_trip(client.reader.get_mut(), b"GET /orders/1 HTTP/1.1\r\n\r\n");
        round_trip(client.reader.get_mut(), b"GE");
    }

    #[test]
    fn requests_outside_the_share_are_untouched() {
        let (address, _) = http();
        let lab = Lab::new(address);
        lab.add("slow", fault(KIND, &[ms("latency", 30), share(0.5)]));
        let mut client = lab.http();
        let slow = (0..30).filter(|_| timed(&mut client, GET).0 >= 30).count();
        assert!((6..24).contains(&slow), "{slow} of 30 at 50 %");
    }

    #[test]
    fn without_its_effect_it_is_found_absent() {
        let (address, _) = http();
        let lab = Lab::new(address);
        let slow = fault(KIND, &[ms("latency", 100)]);
        let counters = lab.add("slow", slow.clone().without_effect());
        assert!(timed(&mut lab.http(), GET).0 < 60);
        assert!(matches!(lab.verify(&slow, &counters), Seen::Absent(_)));
    }
}
