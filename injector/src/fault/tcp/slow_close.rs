//! `tcp.slow_close` on a link: the close of a connection is passed on late.
//!
//! *What the service feels*: a peer that stays in the room after it has said goodbye. When a side closes its half of the
//! connection, in order (FIN), the other side learns it `delay` later; the answering close is late in its turn. Bytes are not
//! delayed, and a reset is not a close. Servers that wait for the end of a stream, and pools that count open connections, find
//! out what they do meanwhile. `share` is a share of the connections, drawn when a connection closes first.
//! *Privileges*: none. *Verified*: the first close that it held was held for `delay`, within the larger of 5 ms and 5 %.
//! *Undone*: closes that are held are passed on at once.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use brunt_scenario::plan::Params;
use bytes::Bytes;

use crate::error::Error;
use crate::fault::Seen;
use crate::fault::link::{nothing_hit, share};
use crate::fault::network::latency::judge_holds;
use crate::proxy::{Arrival, Counted, Direction, Draws, FaultCounters, Look, Outlet, Shape, Stage, StreamFault};

/// The kind, as in the catalogue.
pub const KIND: &str = "tcp.slow_close";

/// The parameters.
#[derive(Debug, Clone, PartialEq)]
struct SlowClose {
    delay: Duration,
    share: f64,
}

/// Reads `delay` and `share` (all).
pub fn from_params(with: &Params) -> Result<StreamFault, Error> {
    let missing = || Error::Unfit { kind: KIND.into(), why: "`delay` is missing, as in `delay: 2s`".into() };
    Ok(StreamFault::new(SlowClose { delay: with.duration("delay").ok_or_else(missing)?, share: share(with) }))
}

impl Shape for SlowClose {
    fn share(&self) -> f64 {
        self.share
    }

    fn stage(&self, arrival: Arrival<'_>, counters: &Arc<FaultCounters>) -> Box<dyn Stage> {
        Box::new(HoldEnds { delay: self.delay, draws: arrival.draws, hit: None, counters: Arc::clone(counters) })
    }

    fn verify(&self, counted: &Counted, _: &mut dyn FnMut() -> io::Result<Look>) -> Seen {
        nothing_hit(counted, self.share, "closing connection").unwrap_or_else(|| judge_holds(counted, "close"))
    }
}

struct HoldEnds {
    delay: Duration,
    draws: Draws,
    /// Whether this connection is hit; not drawn before it closes, so that only closing connections count as seen.
    hit: Option<bool>,
    counters: Arc<FaultCounters>,
}

impl Stage for HoldEnds {
    fn bytes(&mut self, direction: Direction, bytes: Bytes, outlet: &mut Outlet<'_>) {
        outlet.pass(direction, bytes);
    }

    fn end(&mut self, direction: Direction, outlet: &mut Outlet<'_>) {
        let first = self.hit.is_none();
        if !*self.hit.get_or_insert_with(|| self.draws.hits()) {
            return outlet.end(direction);
        }
        self.counters.affected.add(1);
        self.counters.connections.add(u64::from(first));
        outlet.end_at(direction, outlet.now.after(self.delay));
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::{Shutdown, TcpStream};
    use std::time::Instant;

    use super::*;
    use crate::proxy::lab::{Lab, echo, eventually, fault, ms, round_trip, seen, server, share};

    /// A server that counts what it gets until the end, and answers then.
    fn counting() -> std::net::SocketAddr {
        server(|mut socket| {
            let mut all = Vec::new();
            socket.read_to_end(&mut all).unwrap();
            socket.write_all(format!("got {}", all.len()).as_bytes()).unwrap();
        })
    }

    /// Closes the client's half and reads to the end. The answer, and when it came and when the end.
    fn goodbye(client: &mut TcpStream) -> (String, Duration, Duration) {
        let start = Instant::now();
        client.write_all(&[1; 1000]).unwrap();
        client.shutdown(Shutdown::Write).unwrap();
        let mut answer = [0; 8];
        client.read_exact(&mut answer).unwrap();
        let answered = start.elapsed();
        assert_eq!(client.read(&mut [0; 1]).unwrap(), 0, "an orderly end");
        (String::from_utf8(answer.to_vec()).unwrap(), answered, start.elapsed())
    }

    #[test]
    fn each_close_is_late_and_bytes_are_not() {
        let lab = Lab::new(counting());
        let slow = fault(KIND, &[ms("delay", 150)]);
        let counters = lab.add("slow", slow.clone());
        assert_eq!(lab.verify(&slow, &counters), Seen::NotExercised("no closing connection came along".into()));
        for _ in 0..3 {
            let (answer, answered, ended) = goodbye(&mut lab.connect());
            assert_eq!(answer, "got 1000");
            // The server answers when it has the end of the request; its own close is late again.
            assert!((150..250).contains(&answered.as_millis()), "{answered:?}");
            assert!((300..450).contains(&ended.as_millis()), "{ended:?}");
        }
        let said = seen(|| lab.verify(&slow, &counters));
        assert!(said.starts_with("held 6 closes"), "{said}");
        assert_eq!(counters.connections.get(), 3);
        lab.remove("slow");
        assert!(goodbye(&mut lab.connect()).2 < Duration::from_millis(150));
    }

    #[test]
    fn a_live_connection_goes_on_while_and_after_the_fault_is_there() {
        let lab = Lab::new(echo());
        let mut client = lab.connect();
        round_trip(&mut client, b"before");
        lab.add("slow", fault(KIND, &[ms("delay", 60_000)]));
        assert!(round_trip(&mut client, b"during") < Duration::from_millis(100));
        lab.remove("slow");
        round_trip(&mut client, b"after");
    }

    #[test]
    fn what_is_held_is_passed_on_at_removal() {
        let lab = Lab::new(counting());
        let counters = lab.add("slow", fault(KIND, &[ms("delay", 60_000)]));
        let mut client = lab.connect();
        client.write_all(&[1; 1000]).unwrap();
        client.shutdown(Shutdown::Write).unwrap();
        eventually("the close is held", || counters.affected.get() == 1);
        lab.remove("slow");
        let mut answer = String::new();
        client.read_to_string(&mut answer).unwrap();
        assert_eq!(answer, "got 1000");
    }

    #[test]
    fn connections_outside_the_share_are_untouched() {
        let lab = Lab::new(counting());
        lab.add("slow", fault(KIND, &[ms("delay", 60), share(0.5)]));
        let late = (0..30).filter(|_| goodbye(&mut lab.connect()).1 >= Duration::from_millis(60)).count();
        assert!((6..24).contains(&late), "{late} of 30 at 50 %");
    }

    #[test]
    fn without_its_effect_it_is_found_absent() {
        let lab = Lab::new(counting());
        let slow = fault(KIND, &[ms("delay", 60_000)]);
        let counters = lab.add("slow", slow.clone().without_effect());
        goodbye(&mut lab.connect());
        assert!(matches!(lab.verify(&slow, &counters), Seen::Absent(_)));
    }
}
