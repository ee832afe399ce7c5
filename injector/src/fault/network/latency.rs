//! `network.latency` on a link: every message is held for a while, in order.
//!
//! *What the service feels*: a peer that is further away. Each chunk that the proxy reads in the chosen direction waits for
//! `latency` give or take `jitter`, by the `distribution`, `table` and `correlation` of [`crate::fault::delay`], and never
//! overtakes the one before it: one that has drawn less leaves right behind it. Chunks wait side by side, so a reply in
//! several segments is late once. Throughput falls only where more is under way than the proxy holds: 20 MiB in one direction
//! of one connection (a delay of one second at 20 MiB/s), 40 MiB on all connections of a run together. Connecting is not
//! delayed, nor is a close on its own: it follows the last byte.
//! *Privileges*: none. *Verified*: the first real message that it held was held for the drawn time, within the larger of 5 ms
//! and 5 %. *Undone*: what is held goes out at once; the proxy ends with the runner.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use brunt_scenario::plan::Params;
use bytes::Bytes;

use crate::error::Error;
use crate::fault::Seen;
use crate::fault::delay::{Delay, Delays};
use crate::fault::link::{amount, nothing_hit, share, ways};
use crate::proxy::counters::FirstHold;
use crate::proxy::{Arrival, Counted, Direction, Draws, FaultCounters, Look, Outlet, Shape, Stage, StreamFault, Ways};

/// The kind, as in the catalogue.
pub const KIND: &str = "network.latency";

/// The parameters.
#[derive(Debug, Clone, PartialEq)]
struct Latency {
    delays: Delays,
    ways: Ways,
    share: f64,
}

/// Reads the delays, `direction` (`from`) and `share` (all).
pub fn from_params(with: &Params) -> Result<StreamFault, Error> {
    let (delays, ways) = (Delays::from_params(KIND, with)?, ways(KIND, with, "from")?);
    Ok(StreamFault::new(Latency { delays, ways, share: share(with) }))
}

impl Shape for Latency {
    fn share(&self) -> f64 {
        self.share
    }

    fn stage(&self, arrival: Arrival<'_>, counters: &Arc<FaultCounters>) -> Box<dyn Stage> {
        let ways = arrival.draws.by_direction().map(|draws| (draws, Delay::new(&self.delays)));
        Box::new(Hold { ways: self.ways, draws: ways, counters: Arc::clone(counters), touched: false })
    }

    fn verify(&self, counted: &Counted, _: &mut dyn FnMut() -> io::Result<Look>) -> Seen {
        if let Some(nothing) = nothing_hit(counted, self.share, "message") {
            return nothing;
        }
        judge_holds(counted, "message")
    }
}

/// How many messages outweigh the first.
const ENOUGH: u64 = 5;

/// Whether the first message that was held at each listener was held for the time that was drawn for it. One that went out
/// too early is proof enough. One that was late may have met a machine that was busy at that moment, so five or more of which
/// half are on time outweigh it.
pub(crate) fn judge_holds(counted: &Counted, what: &str) -> Seen {
    let held = amount(counted.affected, what);
    let Some(first) = counted.first_holds.iter().max_by_key(|hold| hold.real.abs_diff(hold.asked)) else {
        return Seen::NotExercised(format!("{held} on hold, none delivered yet"));
    };
    let (asked, real) = (first.asked.as_millis(), first.real.as_millis());
    let is_late = first.real > first.asked;
    if is_kept(first) {
        return Seen::Yes(format!("held {held}, first for {real} ms"));
    }
    let odd = format!("the first {what} was to be held for {asked} ms and was held for {real} ms");
    if is_late && counted.delivered < ENOUGH {
        return Seen::NotExercised(format!("{odd}, too few came later to tell why"));
    }
    if is_late && counted.late_by <= tolerance(first.asked) {
        let late_by = counted.late_by.as_secs_f64() * 1e3;
        return Seen::Yes(format!("held {held}; {odd}, but half of all were late by less than {late_by:.1} ms"));
    }
    Seen::Absent(odd)
}

fn is_kept(hold: &FirstHold) -> bool {
    hold.real.abs_diff(hold.asked) <= tolerance(hold.asked)
}

/// The larger of 5 ms and 5 %.
fn tolerance(asked: Duration) -> Duration {
    Duration::from_millis(5).max(asked / 20)
}

struct Hold {
    ways: Ways,
    /// Whether and for how long, by direction.
    draws: [(Draws, Delay); 2],
    counters: Arc<FaultCounters>,
    /// A message of this connection has been held.
    touched: bool,
}

impl Stage for Hold {
    /// What is under way through a delay is the rate times the delay, and a delay promises not to lower the rate.
    fn room(&self) -> usize {
        usize::MAX
    }

    fn bytes(&mut self, direction: Direction, bytes: Bytes, outlet: &mut Outlet<'_>) {
        let (draws, delay) = &mut self.draws[direction as usize];
        if !self.ways.include(direction) || !draws.hits() {
            return outlet.pass(direction, bytes);
        }
        self.counters.affected.add(1);
        if !std::mem::replace(&mut self.touched, true) {
            self.counters.connections.add(1);
        }
        let delay = delay.draw(draws);
        outlet.hold_until(direction, bytes, outlet.now.after(delay));
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::time::Instant;

    use super::*;
    use crate::proxy::lab::{Lab, echo, fault, is_silent_for, ms, round_trip, seen, server, share, word};

    /// What a busy machine may add.
    const SLACK: Duration = Duration::from_millis(55);

    fn about(span: Duration, expected: u64) -> bool {
        let expected = Duration::from_millis(expected);
        span >= expected && span < expected + SLACK
    }

    #[test]
    fn every_reply_is_late_and_not_only_the_first() {
        let lab = Lab::new(echo());
        let mut client = lab.connect();
        let quick = round_trip(&mut client, b"before");
        assert!(quick < SLACK, "{quick:?}");
        let slow = fault(KIND, &[ms("latency", 100)]);
        let counters = lab.add("slow", slow.clone());
        assert_eq!(lab.verify(&slow, &counters), Seen::NotExercised("no message came along".into()));
        for _ in 0..6 {
            let span = round_trip(&mut client, b"during");
            assert!(about(span, 100), "{span:?}");
        }
        let text = seen(|| lab.verify(&slow, &counters));
        assert!(text.starts_with("held 6 messages"), "{text}");
        lab.remove("slow");
        let quick = round_trip(&mut client, b"after");
        assert!(quick < SLACK, "{quick:?}");
    }

    #[test]
    fn both_directions_are_late_twice_a_round_trip() {
        let lab = Lab::new(echo());
        lab.add("slow", fault(KIND, &[ms("latency", 60), word("direction", "both")]));
        let span = round_trip(&mut lab.connect(), b"x");
        assert!(about(span, 120), "{span:?}");
    }

    #[test]
    fn a_reply_in_two_segments_is_late_once() {
        let lab = Lab::new(server(|mut socket| {
            while socket.read_exact(&mut [0; 1]).is_ok() {
                socket.write_all(b"head").unwrap();
                std::thread::sleep(Duration::from_millis(20));
                socket.write_all(b"body").unwrap();
            }
        }));
        lab.add("slow", fault(KIND, &[ms("latency", 100)]));
        let mut client = lab.connect();
        for _ in 0..2 {
            let start = Instant::now();
            client.write_all(b"?").unwrap();
            client.read_exact(&mut [0; 8]).unwrap();
            assert!(about(start.elapsed(), 120), "{:?}", start.elapsed());
        }
    }

    #[test]
    fn messages_wait_side_by_side() {
        let lab = Lab::new(echo());
        lab.add("slow", fault(KIND, &[ms("latency", 100)]));
        let mut client = lab.connect();
        let start = Instant::now();
        for _ in 0..20 {
            client.write_all(b"x").unwrap();
            std::thread::sleep(Duration::from_millis(2));
        }
        client.read_exact(&mut [0; 20]).unwrap();
        assert!(start.elapsed() < Duration::from_millis(250), "{:?} for 20 messages of 100 ms", start.elapsed());
    }

    #[test]
    fn what_is_held_goes_out_at_once_on_removal() {
        let lab = Lab::new(echo());
        let counters = lab.add("slow", fault(KIND, &[ms("latency", 60_000)]));
        let mut client = lab.connect();
        client.write_all(b"held").unwrap();
        assert!(is_silent_for(&mut client, Duration::from_millis(50)));
        assert_eq!(counters.bytes_held.get(), 4);
        lab.remove("slow");
        let mut back = [0; 4];
        client.read_exact(&mut back).unwrap();
        assert_eq!(&back, b"held");
    }

    #[test]
    fn a_close_comes_after_the_last_byte() {
        let lab = Lab::new(server(|mut socket| socket.write_all(b"bye").unwrap()));
        lab.add("slow", fault(KIND, &[ms("latency", 50)]));
        let mut client = lab.connect();
        let start = Instant::now();
        let mut all = Vec::new();
        client.read_to_end(&mut all).unwrap();
        assert_eq!(all, b"bye");
        assert!(about(start.elapsed(), 50), "{:?}", start.elapsed());
    }

    #[test]
    fn messages_outside_the_share_are_untouched_and_the_same_ones_every_time() {
        let fates = || {
            let lab = Lab::new(echo());
            lab.add("slow", fault(KIND, &[ms("latency", 30), share(0.4)]));
            let mut client = lab.connect();
            (0..30).map(|_| round_trip(&mut client, b"x") >= Duration::from_millis(30)).collect::<Vec<_>>()
        };
        let first = fates();
        let slow = first.iter().filter(|slow| **slow).count();
        assert!((5..20).contains(&slow), "{slow} of 30 at 40 %");
        assert_eq!(first, fates());
    }

    #[test]
    fn the_other_listener_of_a_link_is_untouched() {
        let proxy = crate::proxy::Proxy::start(1).unwrap();
        let addresses = proxy.open("wire", false, vec![echo().to_string(), echo().to_string()], None).unwrap();
        proxy.add("wire", 0, "slow", fault(KIND, &[ms("latency", 100)])).unwrap();
        let mut sockets = addresses.iter().map(|address| std::net::TcpStream::connect(address).unwrap());
        assert!(about(round_trip(&mut sockets.next().unwrap(), b"x"), 100));
        assert!(round_trip(&mut sockets.next().unwrap(), b"x") < SLACK);
    }

    #[test]
    fn without_its_effect_it_is_found_absent() {
        let lab = Lab::new(echo());
        let slow = fault(KIND, &[ms("latency", 100)]);
        let counters = lab.add("slow", slow.clone().without_effect());
        round_trip(&mut lab.connect(), b"x");
        assert_eq!(lab.verify(&slow, &counters), Seen::Absent("1 message came along and not one was hit".into()));
    }

    #[test]
    fn a_hold_of_the_wrong_length_is_found_absent() {
        let hold = |asked, real| FirstHold { asked: Duration::from_millis(asked), real: Duration::from_millis(real) };
        assert!(is_kept(&hold(10, 14)) && is_kept(&hold(400, 419)));
        assert!(!is_kept(&hold(10, 16)) && !is_kept(&hold(400, 421)) && !is_kept(&hold(400, 0)));
    }

    #[test]
    fn a_late_first_message_counts_until_others_outweigh_it_and_an_early_one_is_proof() {
        let judge = |asked, real, delivered, late_by| {
            let hold = FirstHold { asked: Duration::from_millis(asked), real: Duration::from_millis(real) };
            let late_by = Duration::from_millis(late_by);
            judge_holds(
                &Counted { affected: 9, delivered, late_by, first_holds: vec![hold], ..Counted::default() },
                "message",
            )
        };
        assert_eq!(judge(400, 405, 1, 5), Seen::Yes("held 9 messages, first for 405 ms".into()));
        assert!(matches!(judge(400, 450, 4, 50), Seen::NotExercised(_)));
        assert!(matches!(judge(400, 450, 5, 1), Seen::Yes(_)));
        assert!(matches!(judge(400, 450, 5, 50), Seen::Absent(_)));
        assert!(matches!(judge(400, 0, 9, 0), Seen::Absent(_)));
    }

    #[test]
    fn a_latency_must_be_given() {
        let error = from_params(&Params::default()).err().unwrap().to_string();
        assert_eq!(error, "network.latency: `latency` is missing, as in `latency: 200ms`");
    }
}
