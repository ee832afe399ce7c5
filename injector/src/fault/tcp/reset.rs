//! `tcp.reset` on a link: connections are torn down by RST.
//!
//! *What the service feels*: `connection reset by peer`, on both sides. Every connection is reset `after` so long: those that
//! live when the fault comes, counted from then, and new ones, counted from their acceptance, for as long as the fault lasts.
//! With `after: 0s` (the default) new connections are reset before a byte passes. `share` is a share of the connections.
//! *Privileges*: none. *Verified*: at least one connection was reset, and with `after: 0s` a fresh one through the link is
//! too. *Undone*: later connections live; those that were reset stay so.

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
pub const KIND: &str = "tcp.reset";

/// The parameters.
#[derive(Debug, Clone, PartialEq)]
struct Reset {
    after: Duration,
    share: f64,
}

/// Reads `after` (0 s) and `share` (all).
pub fn from_params(with: &Params) -> Result<StreamFault, Error> {
    Ok(StreamFault::new(Reset { after: with.duration("after").unwrap_or_default(), share: share(with) }))
}

impl Shape for Reset {
    fn share(&self) -> f64 {
        self.share
    }

    fn stage(&self, mut arrival: Arrival<'_>, counters: &Arc<FaultCounters>) -> Box<dyn Stage> {
        let hit = arrival.is_hit(counters);
        Box::new(Doomed { at: if hit { Nanos::now().after(self.after) } else { Nanos::NEVER } })
    }

    fn verify(&self, counted: &Counted, look: &mut dyn FnMut() -> io::Result<Look>) -> Seen {
        if let Some(nothing) = nothing_hit(counted, self.share, "connection") {
            return nothing;
        }
        if counted.connections_reset == 0 {
            return Seen::NotExercised(format!("{} to be reset, none yet", amount(counted.affected, "connection")));
        }
        let survives = self.share >= 1.0 && self.after.is_zero() && look().is_ok_and(|look| !look.closed);
        if survives {
            return Seen::Absent("a fresh connection through the link is not reset".into());
        }
        Seen::Yes(format!("reset {}", amount(counted.connections_reset, "connection")))
    }
}

struct Doomed {
    at: Nanos,
}

impl Stage for Doomed {
    fn bytes(&mut self, direction: Direction, bytes: Bytes, outlet: &mut Outlet<'_>) {
        outlet.pass(direction, bytes);
    }

    fn resets_at(&self) -> Nanos {
        self.at
    }
}

#[cfg(test)]
mod tests {
    use std::io::{ErrorKind, Read, Write};
    use std::sync::mpsc;
    use std::time::Instant;

    use super::*;
    use crate::proxy::lab::{Lab, echo, fault, is_reset, ms, round_trip, server, share};

    #[test]
    fn live_and_new_connections_are_reset_while_it_lasts() {
        let lab = Lab::new(echo());
        let mut client = lab.connect();
        round_trip(&mut client, b"before");
        let reset = fault(KIND, &[]);
        let counters = lab.add("reset", reset.clone());
        assert!(is_reset(&mut client));
        assert!(is_reset(&mut lab.connect()));
        assert_eq!(lab.verify(&reset, &counters), Seen::Yes("reset 2 connections".into()));
        lab.remove("reset");
        round_trip(&mut lab.connect(), b"after");
    }

    #[test]
    fn the_server_is_reset_too() {
        let (tell, told) = mpsc::channel();
        let lab = Lab::new(server(move |mut socket| {
            socket.read_exact(&mut [0; 1]).unwrap();
            socket.write_all(b"x").unwrap();
            tell.send(socket.read(&mut [0; 1]).map_err(|error| error.kind())).unwrap();
        }));
        let mut client = lab.connect();
        round_trip(&mut client, b"x");
        lab.add("reset", fault(KIND, &[]));
        assert_eq!(told.recv_timeout(Duration::from_secs(5)).unwrap(), Err(ErrorKind::ConnectionReset));
    }

    #[test]
    fn with_after_a_connection_works_until_then() {
        let lab = Lab::new(echo());
        let reset = fault(KIND, &[ms("after", 150)]);
        let counters = lab.add("reset", reset.clone());
        let start = Instant::now();
        let mut client = lab.connect();
        round_trip(&mut client, b"still here");
        assert_eq!(lab.verify(&reset, &counters), Seen::NotExercised("1 connection to be reset, none yet".into()));
        assert!(is_reset(&mut client));
        let lived = start.elapsed();
        assert!((Duration::from_millis(145)..Duration::from_millis(200)).contains(&lived), "{lived:?}");
    }

    #[test]
    fn connections_outside_the_share_are_untouched() {
        let lab = Lab::new(echo());
        lab.add("reset", fault(KIND, &[share(0.5)]));
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
        let reset = fault(KIND, &[]);
        let counters = lab.add("reset", reset.clone().without_effect());
        round_trip(&mut lab.connect(), b"passes");
        assert!(matches!(lab.verify(&reset, &counters), Seen::Absent(_)));
    }
}
