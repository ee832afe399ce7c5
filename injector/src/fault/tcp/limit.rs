//! `tcp.limit` on a link: a connection is closed after so many bytes.
//!
//! *What the service feels*: a reply that breaks off in the middle, as from a peer that crashes while it sends or a middlebox
//! with a quota. Exactly `bytes` bytes pass in the chosen direction (`from` by default: the target's replies), counted from the
//! acceptance, or from the fault's begin on connections that live then; with the last of them both sides are closed in order,
//! by FIN, and what comes later is lost. With `direction: both` each direction counts for itself, and the first that is through
//! ends the connection. Connections that carry less are untouched. `share` is a share of the connections.
//! *Privileges*: none. *Verified*: at least one connection was closed by it. *Undone*: nothing is held; connections that were
//! closed stay so, all others go on.

use std::io;
use std::sync::Arc;

use brunt_scenario::plan::Params;
use bytes::Bytes;

use crate::error::Error;
use crate::fault::Seen;
use crate::fault::link::{amount, nothing_hit, share, ways};
use crate::proxy::{Arrival, Counted, Direction, FaultCounters, Look, Outlet, Shape, Stage, StreamFault, Ways};

/// The kind, as in the catalogue.
pub const KIND: &str = "tcp.limit";

/// The parameters.
#[derive(Debug, Clone, PartialEq)]
struct Limit {
    bytes: u64,
    ways: Ways,
    share: f64,
}

/// Reads `bytes`, `direction` (`from`) and `share` (all).
pub fn from_params(with: &Params) -> Result<StreamFault, Error> {
    let missing = || Error::Unfit { kind: KIND.into(), why: "`bytes` is missing, as in `bytes: 64KiB`".into() };
    let bytes = with.number("bytes").ok_or_else(missing)?;
    Ok(StreamFault::new(Limit { bytes, ways: ways(KIND, with, "from")?, share: share(with) }))
}

impl Shape for Limit {
    fn share(&self) -> f64 {
        self.share
    }

    fn stage(&self, mut arrival: Arrival<'_>, counters: &Arc<FaultCounters>) -> Box<dyn Stage> {
        let hit = arrival.is_hit(counters);
        let left = |direction| if hit && self.ways.include(direction) { self.bytes } else { u64::MAX };
        Box::new(Counting { left: [left(Direction::To), left(Direction::From)], closed: false })
    }

    fn verify(&self, counted: &Counted, _: &mut dyn FnMut() -> io::Result<Look>) -> Seen {
        if let Some(nothing) = nothing_hit(counted, self.share, "connection") {
            return nothing;
        }
        let hit = amount(counted.affected, "connection");
        if counted.connections_closed == 0 {
            let bytes = amount(self.bytes, "byte");
            return Seen::NotExercised(format!("{hit} came along, none of which carried {bytes} yet"));
        }
        Seen::Yes(format!(
            "closed {} after {}",
            amount(counted.connections_closed, "connection"),
            amount(self.bytes, "byte")
        ))
    }
}

struct Counting {
    /// How many bytes may still pass, by direction.
    left: [u64; 2],
    /// The connection has been closed: what still comes is lost.
    closed: bool,
}

impl Stage for Counting {
    fn bytes(&mut self, direction: Direction, mut bytes: Bytes, outlet: &mut Outlet<'_>) {
        if self.closed {
            return outlet.discard(&bytes);
        }
        let left = &mut self.left[direction as usize];
        let pass = usize::try_from(*left).unwrap_or(usize::MAX).min(bytes.len());
        *left -= pass as u64;
        outlet.pass(direction, bytes.split_to(pass));
        self.look(outlet);
        if self.closed {
            outlet.discard(&bytes);
        }
    }

    fn end(&mut self, direction: Direction, outlet: &mut Outlet<'_>) {
        if !self.closed {
            outlet.end(direction);
        }
    }

    fn look(&mut self, outlet: &mut Outlet<'_>) {
        if !self.closed && self.left.contains(&0) {
            outlet.close();
            self.closed = true;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpStream;
    use std::sync::mpsc;
    use std::time::Duration;

    use brunt_scenario::plan::ParamValue;

    use super::*;
    use crate::proxy::lab::{Lab, echo, fault, ms, round_trip, server, share, word};

    fn bytes(bytes: u64) -> (&'static str, ParamValue) {
        ("bytes", ParamValue::Size(bytes))
    }

    /// A server that answers each byte with a hundred thousand.
    fn generous() -> std::net::SocketAddr {
        server(|mut socket| {
            while socket.read_exact(&mut [0; 1]).is_ok() {
                if socket.write_all(&page()).is_err() {
                    return;
                }
            }
        })
    }

    fn page() -> Vec<u8> {
        (0..100_000u32).map(|place| (place * 31 % 251) as u8).collect()
    }

    fn rest(socket: &mut TcpStream) -> Vec<u8> {
        let mut all = Vec::new();
        socket.read_to_end(&mut all).unwrap();
        all
    }

    #[test]
    fn a_reply_breaks_off_at_the_very_byte_and_the_connection_is_closed() {
        let lab = Lab::new(generous());
        let limit = fault(KIND, &[bytes(70_001)]);
        let counters = lab.add("limit", limit.clone());
        let mut client = lab.connect();
        client.write_all(b"?").unwrap();
        assert!(rest(&mut client) == page()[..70_001], "not the first 70,001 bytes");
        assert_eq!(lab.verify(&limit, &counters), Seen::Yes("closed 1 connection after 70,001 bytes".into()));
        lab.remove("limit");
        let mut client = lab.connect();
        client.write_all(b"?").unwrap();
        client.read_exact(&mut vec![0; 100_000]).unwrap();
    }

    #[test]
    fn live_connections_count_from_the_begin_and_go_on_if_they_stay_below() {
        let lab = Lab::new(echo());
        let (mut talks, mut quiet) = (lab.connect(), lab.connect());
        round_trip(&mut talks, &[1; 500]);
        round_trip(&mut quiet, &[1; 500]);
        let limit = fault(KIND, &[bytes(100)]);
        let counters = lab.add("limit", limit.clone());
        round_trip(&mut quiet, &[2; 99]);
        assert!(matches!(lab.verify(&limit, &counters), Seen::NotExercised(_)), "nobody is through yet");
        talks.write_all(&[2; 150]).unwrap();
        assert_eq!(rest(&mut talks), [2; 100]);
        lab.remove("limit");
        round_trip(&mut quiet, &[3; 500]);
    }

    #[test]
    fn requests_count_where_they_are_chosen_and_the_server_gets_so_many_and_the_end() {
        for direction in ["to", "both"] {
            let (tell, told) = mpsc::channel();
            let lab = Lab::new(server(move |mut socket| tell.send(rest(&mut socket)).unwrap()));
            lab.add("limit", fault(KIND, &[bytes(8), word("direction", direction)]));
            let mut client = lab.connect();
            client.write_all(b"0123456789").unwrap();
            assert_eq!(told.recv_timeout(Duration::from_secs(5)).unwrap(), b"01234567");
            assert_eq!(rest(&mut client), b"");
        }
    }

    #[test]
    fn what_has_passed_still_arrives_through_a_delay_before_the_end_does() {
        let lab = Lab::new(generous());
        lab.add("slow", fault("network.latency", &[ms("latency", 80)]));
        lab.add("limit", fault(KIND, &[bytes(10)]));
        let mut client = lab.connect();
        client.write_all(b"?").unwrap();
        assert_eq!(rest(&mut client), page()[..10]);
    }

    #[test]
    fn without_a_single_byte_it_closes_at_once() {
        let lab = Lab::new(echo());
        lab.add("limit", fault(KIND, &[bytes(0)]));
        assert_eq!(rest(&mut lab.connect()), b"");
    }

    #[test]
    fn connections_outside_the_share_are_untouched() {
        let lab = Lab::new(echo());
        lab.add("limit", fault(KIND, &[bytes(1), share(0.5)]));
        let lived = (0..40)
            .filter(|_| {
                let mut client = lab.connect();
                client.write_all(b"ab").unwrap();
                client.read_exact(&mut [0; 2]).is_ok()
            })
            .count();
        assert!((8..32).contains(&lived), "{lived} of 40 lived");
    }

    #[test]
    fn without_its_effect_it_is_found_absent() {
        let lab = Lab::new(echo());
        let limit = fault(KIND, &[bytes(1)]);
        let counters = lab.add("limit", limit.clone().without_effect());
        round_trip(&mut lab.connect(), b"passes");
        assert!(matches!(lab.verify(&limit, &counters), Seen::Absent(_)));
    }
}
