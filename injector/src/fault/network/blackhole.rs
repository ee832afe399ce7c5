//! `network.blackhole` on a link: bytes are taken and never delivered.
//!
//! *What the service feels*: a peer that takes everything and answers nothing, as behind a firewall that drops. What is sent in
//! the chosen direction is lost; a close is held until the removal. New connections are accepted and not carried on, and what
//! their clients send is lost too. `share` is a share of the connections.
//! *Privileges*: none. *Verified*: bytes were discarded, and a fresh connection through the link gets nothing. *Undone*:
//! connections that lost bytes cannot be healed and are reset, all others go on; the proxy ends with the runner.

use std::io;
use std::sync::Arc;

use brunt_scenario::plan::Params;
use bytes::Bytes;

use super::partition::leaks;
use crate::error::Error;
use crate::fault::Seen;
use crate::fault::link::{amount, nothing_hit, share, ways};
use crate::proxy::{
    Arrival, Counted, Direction, FaultCounters, Look, Outlet, Retired, Shape, Stage, StreamFault, Ways,
};

/// The kind, as in the catalogue.
pub const KIND: &str = "network.blackhole";

/// The parameters.
#[derive(Debug, Clone, PartialEq)]
struct Blackhole {
    ways: Ways,
    share: f64,
}

/// Reads `direction` (`both`) and `share` (all).
pub fn from_params(with: &Params) -> Result<StreamFault, Error> {
    Ok(StreamFault::new(Blackhole { ways: ways(KIND, with, "both")?, share: share(with) }))
}

impl Shape for Blackhole {
    fn share(&self) -> f64 {
        self.share
    }

    fn stage(&self, mut arrival: Arrival<'_>, counters: &Arc<FaultCounters>) -> Box<dyn Stage> {
        let hit = arrival.draws.hits();
        if hit {
            counters.affected.add(1);
            counters.connections_hung.add(u64::from(arrival.fresh));
        }
        let counters = Arc::clone(counters);
        Box::new(Swallow { ways: self.ways, hit, hangs: hit && arrival.fresh, lost: false, counters })
    }

    fn verify(&self, counted: &Counted, look: &mut dyn FnMut() -> io::Result<Look>) -> Seen {
        if let Some(nothing) = nothing_hit(counted, self.share, "connection") {
            return nothing;
        }
        if let Some(leak) = leaks(self.share, look) {
            return leak;
        }
        if counted.bytes_discarded == 0 {
            return Seen::NotExercised(format!(
                "{} hit, but no byte came along",
                amount(counted.affected, "connection")
            ));
        }
        Seen::Yes(format!(
            "discarded {} on {}, a fresh connection gets nothing",
            amount(counted.bytes_discarded, "byte"),
            amount(counted.connections, "connection"),
        ))
    }
}

struct Swallow {
    ways: Ways,
    /// This connection is hit.
    hit: bool,
    /// It was made during the fault, and is not carried on before its end.
    hangs: bool,
    /// It has lost bytes.
    lost: bool,
    counters: Arc<FaultCounters>,
}

impl Stage for Swallow {
    fn bytes(&mut self, direction: Direction, bytes: Bytes, outlet: &mut Outlet<'_>) {
        if !(self.hangs || self.hit && self.ways.include(direction)) {
            return outlet.pass(direction, bytes);
        }
        outlet.discard(&bytes);
        if !std::mem::replace(&mut self.lost, true) {
            self.counters.connections.add(1);
        }
    }

    fn end(&mut self, direction: Direction, outlet: &mut Outlet<'_>) {
        if self.hit && self.ways.include(direction) {
            outlet.hold_end(direction);
        } else {
            outlet.end(direction);
        }
    }

    fn hangs(&self) -> bool {
        self.hangs
    }

    fn retire(&mut self, _: &mut Outlet<'_>) -> Retired {
        if self.lost { Retired::Reset } else { Retired::Gone }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::time::Duration;

    use super::*;
    use crate::proxy::lab::{Lab, echo, fault, is_reset, is_silent_for, round_trip, word};

    #[test]
    fn bytes_vanish_and_their_connection_is_reset_on_removal() {
        let lab = Lab::new(echo());
        let (mut talks, mut idle) = (lab.connect(), lab.connect());
        round_trip(&mut talks, b"before");
        round_trip(&mut idle, b"before");
        let hole = fault(KIND, &[]);
        let counters = lab.add("hole", hole.clone());
        talks.write_all(b"during").unwrap();
        assert!(is_silent_for(&mut talks, Duration::from_millis(100)));
        assert_eq!(
            lab.verify(&hole, &counters),
            Seen::Yes("discarded 6 bytes on 1 connection, a fresh connection gets nothing".into())
        );
        lab.remove("hole");
        assert!(is_reset(&mut talks));
        round_trip(&mut idle, b"after");
        assert_eq!(counters.connections_reset.get(), 1);
    }

    #[test]
    fn replies_vanish_while_requests_arrive() {
        let lab = Lab::new(echo());
        let mut client = lab.connect();
        round_trip(&mut client, b"before");
        let counters = lab.add("hole", fault(KIND, &[word("direction", "from")]));
        client.write_all(b"during").unwrap();
        assert!(is_silent_for(&mut client, Duration::from_millis(50)));
        assert_eq!(counters.bytes_discarded.get(), 6, "the echo of the request");
        lab.remove("hole");
        assert!(is_reset(&mut client));
    }

    #[test]
    fn a_new_connection_that_says_nothing_works_after_removal_and_one_that_spoke_is_reset() {
        let lab = Lab::new(echo());
        lab.add("hole", fault(KIND, &[]));
        let (mut speaks, mut quiet) = (lab.connect(), lab.connect());
        speaks.write_all(b"hello").unwrap();
        assert!(is_silent_for(&mut speaks, Duration::from_millis(50)));
        lab.remove("hole");
        assert!(is_reset(&mut speaks));
        round_trip(&mut quiet, b"hello");
    }

    #[test]
    fn without_its_effect_it_is_found_absent() {
        let lab = Lab::new(echo());
        let hole = fault(KIND, &[]);
        let counters = lab.add("hole", hole.clone().without_effect());
        round_trip(&mut lab.connect(), b"passes");
        assert!(matches!(lab.verify(&hole, &counters), Seen::Absent(_)));
    }
}
