//! `network.partition` on a link: nothing passes until it heals, and then everything does.
//!
//! *What the service feels*: a peer that has fallen silent. Bytes in the chosen direction stall and are delivered, in order,
//! after the removal; a close stalls with them. New connections hang: they are accepted (by the kernel, before the proxy
//! could refuse) but not carried on before it heals; one whose client gives up meanwhile is forgotten, as if its SYN had never
//! been answered. `share` is a share of the connections.
//! *Privileges*: none. *Verified*: bytes were held back, and a fresh connection through the link gets nothing. *Undone*: what
//! is held goes out at once, and connections that hang are carried on; the proxy ends with the runner.

use std::io;
use std::sync::Arc;

use brunt_scenario::plan::Params;
use bytes::Bytes;

use crate::error::Error;
use crate::fault::Seen;
use crate::fault::link::{amount, nothing_hit, share, ways};
use crate::proxy::{Arrival, Counted, Direction, FaultCounters, Look, Nanos, Outlet, Shape, Stage, StreamFault, Ways};

/// The kind, as in the catalogue.
pub const KIND: &str = "network.partition";

/// The parameters.
#[derive(Debug, Clone, PartialEq)]
struct Partition {
    ways: Ways,
    share: f64,
}

/// Reads `direction` (`both`) and `share` (all).
pub fn from_params(with: &Params) -> Result<StreamFault, Error> {
    Ok(StreamFault::new(Partition { ways: ways(KIND, with, "both")?, share: share(with) }))
}

impl Shape for Partition {
    fn share(&self) -> f64 {
        self.share
    }

    fn stage(&self, mut arrival: Arrival<'_>, counters: &Arc<FaultCounters>) -> Box<dyn Stage> {
        let cut = arrival.is_hit(counters);
        if cut {
            counters.connections_hung.add(u64::from(arrival.fresh));
        }
        Box::new(Cut { ways: self.ways, cut, hangs: cut && arrival.fresh })
    }

    fn verify(&self, counted: &Counted, look: &mut dyn FnMut() -> io::Result<Look>) -> Seen {
        if let Some(nothing) = nothing_hit(counted, self.share, "connection") {
            return nothing;
        }
        if let Some(leak) = leaks(self.share, look) {
            return leak;
        }
        if counted.bytes_held == 0 {
            return Seen::NotExercised(format!(
                "{} cut, but no byte came along",
                amount(counted.affected, "connection")
            ));
        }
        Seen::Yes(format!(
            "held back {} on {}, a fresh connection gets nothing",
            amount(counted.bytes_held, "byte"),
            amount(counted.connections, "connection"),
        ))
    }
}

/// Whether a fresh connection gets through a link on which nothing should pass. With a share below all it proves nothing.
pub(crate) fn leaks(share: f64, look: &mut dyn FnMut() -> io::Result<Look>) -> Option<Seen> {
    if share < 1.0 {
        return None;
    }
    match look() {
        Ok(Look { reached: false, answered: false, closed: false }) => None,
        Ok(_) => Some(Seen::Absent("a fresh connection through the link gets through".into())),
        Err(error) => {
            Some(Seen::NotExercised(format!("a fresh connection through the link could not be made: {error}")))
        }
    }
}

struct Cut {
    ways: Ways,
    /// This connection is hit.
    cut: bool,
    /// It was made during the fault, and is not carried on before its end.
    hangs: bool,
}

impl Stage for Cut {
    fn bytes(&mut self, direction: Direction, bytes: Bytes, outlet: &mut Outlet<'_>) {
        // A connection that hangs has no other end yet, so its first bytes wait whatever the direction of the cut.
        if self.hangs || self.cut && self.ways.include(direction) {
            outlet.hold_until(direction, bytes, Nanos::NEVER);
        } else {
            outlet.pass(direction, bytes);
        }
    }

    fn end(&mut self, direction: Direction, outlet: &mut Outlet<'_>) {
        if self.cut && self.ways.include(direction) {
            outlet.hold_end(direction);
        } else {
            outlet.end(direction);
        }
    }

    fn hangs(&self) -> bool {
        self.hangs
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpStream;
    use std::time::Duration;

    use super::*;
    use crate::proxy::lab::{Lab, echo, eventually, fault, is_silent_for, round_trip, server, share, word};

    fn partition(direction: &'static str) -> StreamFault {
        fault(KIND, &[word("direction", direction)])
    }

    fn read(socket: &mut TcpStream, expected: &[u8]) {
        let mut bytes = vec![0; expected.len()];
        socket.read_exact(&mut bytes).unwrap();
        assert_eq!(bytes, expected);
    }

    #[test]
    fn bytes_stall_and_arrive_after_healing() {
        let lab = Lab::new(echo());
        let mut client = lab.connect();
        round_trip(&mut client, b"before");
        let cut = partition("both");
        let counters = lab.add("cut", cut.clone());
        assert_eq!(lab.verify(&cut, &counters), Seen::NotExercised("1 connection cut, but no byte came along".into()));
        client.write_all(b"during").unwrap();
        assert!(is_silent_for(&mut client, Duration::from_millis(100)));
        assert_eq!(
            lab.verify(&cut, &counters),
            Seen::Yes("held back 6 bytes on 1 connection, a fresh connection gets nothing".into())
        );
        lab.remove("cut");
        read(&mut client, b"during");
        round_trip(&mut client, b"after");
    }

    #[test]
    fn new_connections_hang_and_are_carried_on_after_healing() {
        for direction in ["both", "to", "from"] {
            let lab = Lab::new(echo());
            let counters = lab.add("cut", partition(direction));
            let mut client = lab.connect();
            client.write_all(b"hello").unwrap();
            assert!(is_silent_for(&mut client, Duration::from_millis(50)));
            assert_eq!((counters.connections_hung.get(), counters.bytes_held.get()), (1, 5));
            lab.remove("cut");
            read(&mut client, b"hello");
        }
    }

    #[test]
    fn a_client_that_gives_up_while_it_hangs_is_forgotten() {
        let lab = Lab::new(echo());
        lab.add("cut", partition("both"));
        let mut client = lab.connect();
        client.write_all(b"hello").unwrap();
        drop(client);
        eventually("the connection is forgotten", || lab.proxy.stats()[0].open == 0);
        lab.remove("cut");
        round_trip(&mut lab.connect(), b"next");
    }

    #[test]
    fn one_direction_leaves_the_other_alone() {
        let (tell, told) = std::sync::mpsc::channel();
        let lab = Lab::new(server(move |mut socket| {
            let mut byte = [0; 1];
            while socket.read_exact(&mut byte).is_ok() {
                tell.send(byte[0]).unwrap();
                socket.write_all(&byte).unwrap();
            }
        }));
        let mut client = lab.connect();
        round_trip(&mut client, b"a");
        lab.add("deaf", partition("from"));
        client.write_all(b"b").unwrap();
        assert_eq!(told.iter().take(2).collect::<Vec<_>>(), b"ab", "the request arrives");
        assert!(is_silent_for(&mut client, Duration::from_millis(50)), "the reply does not");
        lab.remove("deaf");
        read(&mut client, b"b");
    }

    #[test]
    fn connections_outside_the_share_are_untouched() {
        let lab = Lab::new(echo());
        let counters = lab.add("cut", fault(KIND, &[share(0.5)]));
        let passed = (0..40)
            .filter(|_| {
                let mut client = lab.connect();
                client.write_all(b"x").unwrap();
                !is_silent_for(&mut client, Duration::from_millis(25))
            })
            .count();
        assert!((8..32).contains(&passed), "{passed} of 40 passed");
        assert_eq!(counters.affected.get(), 40 - passed as u64);
    }

    #[test]
    fn without_its_effect_it_is_found_absent() {
        let lab = Lab::new(echo());
        let mut client = lab.connect();
        let cut = partition("both");
        let counters = lab.add("cut", cut.clone().without_effect());
        round_trip(&mut client, b"passes");
        assert_eq!(lab.verify(&cut, &counters), Seen::Absent("1 connection came along and not one was hit".into()));
    }
}
