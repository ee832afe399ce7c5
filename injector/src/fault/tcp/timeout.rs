//! `tcp.timeout` on a link: no byte passes, and after a while the connection is closed.
//!
//! *What the service feels*: a peer, or a balancer in between, that says nothing and then hangs up: a read that ends without an
//! answer instead of one that fails. Nothing passes in either direction from the moment the fault comes to a connection, and
//! `after` so long (0 s by default: at once) both sides are closed in order, by FIN; what they had sent meanwhile is lost. Live
//! connections count from the fault's begin, new ones from their acceptance; those are carried on to the target, which sees them
//! come and go. `share` is a share of the connections.
//! *Privileges*: none. *Verified*: bytes were held back or a connection was closed, and with `share: 100%` a fresh connection
//! gets no answer. *Undone*: connections whose time has not come go on, and get what was held; those that were closed stay so.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use brunt_scenario::plan::Params;
use bytes::Bytes;

use crate::error::Error;
use crate::fault::Seen;
use crate::fault::link::{amount, nothing_hit, share};
use crate::proxy::{Arrival, Counted, Direction, FaultCounters, Look, Nanos, Outlet, Shape, Stage, StreamFault};

/// The kind, as in the catalogue.
pub const KIND: &str = "tcp.timeout";

/// The parameters.
#[derive(Debug, Clone, PartialEq)]
struct Timeout {
    after: Duration,
    share: f64,
}

/// Reads `after` (0 s) and `share` (all).
pub fn from_params(with: &Params) -> Result<StreamFault, Error> {
    Ok(StreamFault::new(Timeout { after: with.duration("after").unwrap_or_default(), share: share(with) }))
}

impl Shape for Timeout {
    fn share(&self) -> f64 {
        self.share
    }

    fn stage(&self, mut arrival: Arrival<'_>, counters: &Arc<FaultCounters>) -> Box<dyn Stage> {
        if !arrival.is_hit(counters) {
            return Box::new(Silent::Spared);
        }
        Box::new(Silent::Until(Nanos::now().after(self.after)))
    }

    fn verify(&self, counted: &Counted, look: &mut dyn FnMut() -> io::Result<Look>) -> Seen {
        if let Some(nothing) = nothing_hit(counted, self.share, "connection") {
            return nothing;
        }
        if self.share >= 1.0 && look().is_ok_and(|look| look.answered) {
            return Seen::Absent("a fresh connection through the link is answered".into());
        }
        let hit = amount(counted.connections, "connection");
        let (held, closed) = (counted.bytes_held, counted.connections_closed);
        if held == 0 && closed == 0 {
            return Seen::NotExercised(format!("{hit} silenced, but no byte came along and none is closed yet"));
        }
        Seen::Yes(format!("held back {} on {hit}, closed {}", amount(held, "byte"), amount(closed, "connection")))
    }
}

enum Silent {
    /// This connection is not hit.
    Spared,
    /// Nothing passes, and then the connection is closed.
    Until(Nanos),
    /// It has been closed: what still comes is lost.
    Over,
}

impl Stage for Silent {
    fn bytes(&mut self, direction: Direction, bytes: Bytes, outlet: &mut Outlet<'_>) {
        match self {
            Self::Spared => outlet.pass(direction, bytes),
            Self::Until(_) => outlet.hold_until(direction, bytes, Nanos::NEVER),
            Self::Over => outlet.discard(&bytes),
        }
    }

    fn end(&mut self, direction: Direction, outlet: &mut Outlet<'_>) {
        match self {
            Self::Spared => outlet.end(direction),
            Self::Until(_) => outlet.hold_end(direction),
            Self::Over => {}
        }
    }

    fn look(&mut self, outlet: &mut Outlet<'_>) {
        if self.looks_at() <= outlet.now {
            outlet.close_now();
            *self = Self::Over;
        }
    }

    fn looks_at(&self) -> Nanos {
        match self {
            Self::Until(at) => *at,
            Self::Spared | Self::Over => Nanos::NEVER,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::sync::mpsc;
    use std::time::Instant;

    use super::*;
    use crate::proxy::lab::{Lab, echo, eventually, fault, is_silent_for, ms, round_trip, server, share};

    /// Reads to the end, which has to be an orderly one.
    fn rest(socket: &mut std::net::TcpStream) -> Vec<u8> {
        let mut all = Vec::new();
        socket.read_to_end(&mut all).unwrap();
        all
    }

    #[test]
    fn no_byte_passes_and_then_both_sides_are_closed() {
        let (tell, told) = mpsc::channel();
        let lab = Lab::new(server(move |mut socket| tell.send(rest(&mut socket)).unwrap()));
        let timeout = fault(KIND, &[ms("after", 200)]);
        let counters = lab.add("timeout", timeout.clone());
        let start = Instant::now();
        let mut client = lab.connect();
        client.write_all(b"anybody?").unwrap();
        assert_eq!(rest(&mut client), b"");
        assert!(start.elapsed() >= Duration::from_millis(200), "{:?}", start.elapsed());
        assert_eq!(told.recv_timeout(Duration::from_secs(5)).unwrap(), b"", "the server got nothing but the end");
        assert_eq!((counters.bytes_held.get(), counters.bytes_discarded.get()), (8, 8));
        assert_eq!(
            lab.verify(&timeout, &counters),
            Seen::Yes("held back 8 bytes on 1 connection, closed 1 connection".into())
        );
        lab.remove("timeout");
    }

    #[test]
    fn live_connections_and_new_ones_are_closed_at_once_by_default() {
        let lab = Lab::new(echo());
        let mut live = lab.connect();
        round_trip(&mut live, b"before");
        let timeout = fault(KIND, &[]);
        let counters = lab.add("timeout", timeout.clone());
        assert_eq!(rest(&mut live), b"");
        assert_eq!(rest(&mut lab.connect()), b"");
        eventually("both are counted", || counters.connections_closed.get() == 2);
        assert!(matches!(lab.verify(&timeout, &counters), Seen::Yes(_)));
        lab.remove("timeout");
        round_trip(&mut lab.connect(), b"after");
    }

    #[test]
    fn removal_heals_the_connections_whose_time_has_not_come() {
        let lab = Lab::new(echo());
        let mut client = lab.connect();
        round_trip(&mut client, b"before");
        let timeout = fault(KIND, &[ms("after", 60_000)]);
        let counters = lab.add("timeout", timeout.clone());
        assert!(matches!(lab.verify(&timeout, &counters), Seen::NotExercised(_)));
        client.write_all(b"during").unwrap();
        assert!(is_silent_for(&mut client, Duration::from_millis(50)));
        assert!(matches!(lab.verify(&timeout, &counters), Seen::Yes(_)), "bytes are held back");
        lab.remove("timeout");
        let mut back = [0; 6];
        client.read_exact(&mut back).unwrap();
        assert_eq!(&back, b"during");
        round_trip(&mut client, b"after");
        assert_eq!(counters.bytes_discarded.get(), 0);
    }

    #[test]
    fn connections_outside_the_share_are_untouched() {
        let lab = Lab::new(echo());
        lab.add("timeout", fault(KIND, &[share(0.5)]));
        let lived = (0..40)
            .filter(|_| {
                let mut client = lab.connect();
                client.write_all(b"x").is_ok() && client.read_exact(&mut [0; 1]).is_ok()
            })
            .count();
        assert!((8..32).contains(&lived), "{lived} of 40 lived");
    }

    #[test]
    fn without_its_effect_it_is_found_absent() {
        let lab = Lab::new(echo());
        let timeout = fault(KIND, &[]);
        let counters = lab.add("timeout", timeout.clone().without_effect());
        round_trip(&mut lab.connect(), b"passes");
        assert!(matches!(lab.verify(&timeout, &counters), Seen::Absent(_)));
    }
}
