//! `tcp.slicer` on a link: what passes is cut into small pieces, with gaps between them.
//!
//! *What the service feels*: messages that arrive a little at a time, as from a slow writer or over a path with a tiny MTU: a
//! parser that takes one read for one message breaks, and a timeout that starts anew with every byte never fires. In both
//! directions nothing longer than `size` is written at once, and each piece comes `delay` (0 s by default) after the one before
//! it, also across messages. Bytes and their order stay as they are. Without a delay the receiver's kernel may join pieces
//! again before the receiver looks. `share` is a share of the connections.
//! *Privileges*: none. *Verified*: at least one message was cut, or had to wait for the gap. *Undone*: what waits goes out at
//! once, whole.

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
pub const KIND: &str = "tcp.slicer";

/// How much a connection holds in a direction before its sender is slowed down.
const ROOM: usize = 64 << 10;

/// The parameters.
#[derive(Debug, Clone, PartialEq)]
struct Slicer {
    size: usize,
    delay: Duration,
    share: f64,
}

/// Reads `size`, `delay` (0 s) and `share` (all).
pub fn from_params(with: &Params) -> Result<StreamFault, Error> {
    let unfit = |why: &str| Error::Unfit { kind: KIND.into(), why: why.into() };
    let size = with.number("size").ok_or_else(|| unfit("`size` is missing, as in `size: 16B`"))?;
    if size == 0 {
        return Err(unfit("in pieces of `size: 0B` nothing passes: use network.partition"));
    }
    let size = usize::try_from(size).unwrap_or(usize::MAX);
    Ok(StreamFault::new(Slicer { size, delay: with.duration("delay").unwrap_or_default(), share: share(with) }))
}

impl Shape for Slicer {
    fn share(&self) -> f64 {
        self.share
    }

    fn stage(&self, mut arrival: Arrival<'_>, counters: &Arc<FaultCounters>) -> Box<dyn Stage> {
        let hit = arrival.is_hit(counters);
        let counters = Arc::clone(counters);
        Box::new(Sliced { fault: self.clone(), hit, counters, on_its_way: [false; 2], next_at: [Nanos::PAST; 2] })
    }

    fn verify(&self, counted: &Counted, _: &mut dyn FnMut() -> io::Result<Look>) -> Seen {
        if let Some(nothing) = nothing_hit(counted, self.share, "connection") {
            return nothing;
        }
        let on = amount(counted.connections, "connection");
        if counted.pieces_cut == 0 && counted.bytes_held == 0 {
            return Seen::NotExercised(format!("{on} to be sliced, but nothing came along to be cut"));
        }
        let (cuts, held) = (amount(counted.pieces_cut, "piece"), amount(counted.bytes_held, "byte"));
        Seen::Yes(format!("cut off {cuts} on {on}, made {held} wait for a gap"))
    }
}

struct Sliced {
    fault: Slicer,
    /// This connection is hit.
    hit: bool,
    counters: Arc<FaultCounters>,
    /// A piece has been let go and was not seen to have gone on, by direction.
    on_its_way: [bool; 2],
    /// When the gap after the last piece is over.
    next_at: [Nanos; 2],
}

impl Sliced {
    fn slice(&mut self, direction: Direction, outlet: &mut Outlet<'_>) {
        if outlet.has_due(direction) {
            return;
        }
        let way = direction as usize;
        if std::mem::take(&mut self.on_its_way[way]) {
            // From now, not from when it was due: a piece that was late must not take the gap with it.
            self.next_at[way] = outlet.now.after(self.fault.delay);
        }
        let Some(waiting) = outlet.waiting(direction) else { return };
        if waiting.bytes == 0 {
            return outlet.let_go(direction, 0, outlet.now);
        }
        let bytes = waiting.bytes.min(self.fault.size);
        self.counters.pieces_cut.add(u64::from(bytes < waiting.bytes));
        if self.next_at[way] > outlet.now {
            self.counters.bytes_held.add(bytes as u64);
        }
        outlet.let_go(direction, bytes, outlet.now.max(self.next_at[way]));
        self.on_its_way[way] = true;
    }
}

impl Stage for Sliced {
    fn bytes(&mut self, direction: Direction, bytes: Bytes, outlet: &mut Outlet<'_>) {
        if self.hit {
            outlet.wait(direction, bytes);
        } else {
            outlet.pass(direction, bytes);
        }
    }

    fn room(&self) -> usize {
        ROOM
    }

    fn look(&mut self, outlet: &mut Outlet<'_>) {
        if self.hit {
            self.slice(Direction::To, outlet);
            self.slice(Direction::From, outlet);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::time::Instant;

    use brunt_scenario::plan::ParamValue;

    use super::*;
    use crate::proxy::lab::{Lab, echo, eventually, fault, is_silent_for, ms, round_trip, server, share};

    fn size(bytes: u64) -> (&'static str, ParamValue) {
        ("size", ParamValue::Size(bytes))
    }

    #[test]
    fn a_message_arrives_in_small_pieces_with_gaps() {
        // Writes 40 bytes when asked: four pieces, so three gaps.
        let lab = Lab::new(server(|mut socket| {
            while socket.read_exact(&mut [0; 1]).is_ok() {
                socket.write_all(&(0..40).collect::<Vec<u8>>()).unwrap();
            }
        }));
        let slicer = fault(KIND, &[size(10), ms("delay", 60)]);
        let counters = lab.add("slicer", slicer.clone());
        let mut client = lab.connect();
        client.write_all(b"?").unwrap();
        let (mut all, mut reads) = (Vec::new(), Vec::new());
        let mut buffer = [0; 100];
        let mut last = None::<Instant>;
        while all.len() < 40 {
            let read = client.read(&mut buffer).unwrap();
            let now = Instant::now();
            reads.push((read, last.map(|last| now - last)));
            last = Some(now);
            all.extend_from_slice(&buffer[..read]);
        }
        assert_eq!(all, (0..40).collect::<Vec<u8>>());
        // A client that is kept from its processor finds two pieces at once, but never sooner than the gaps allow.
        let total: Duration = reads.iter().filter_map(|(_, gap)| *gap).sum();
        assert!(reads[0].0 == 10 || total >= Duration::from_millis(55), "{reads:?}");
        assert!(reads.len() > 1 && total >= Duration::from_millis(60 * (reads.len() as u64 - 1) - 5), "{reads:?}");
        assert_eq!(
            lab.verify(&slicer, &counters),
            Seen::Yes("cut off 3 pieces on 1 connection, made 30 bytes wait for a gap".into())
        );
    }

    #[test]
    fn the_gap_is_kept_from_one_message_to_the_next() {
        let lab = Lab::new(echo());
        lab.add("slicer", fault(KIND, &[size(10), ms("delay", 60)]));
        let mut client = lab.connect();
        round_trip(&mut client, b"first");
        // Each way: what was sent 60 ms before may go on at once, so a second message right behind waits once each way.
        let span = round_trip(&mut client, b"second");
        assert!(span >= Duration::from_millis(55), "{span:?}");
    }

    #[test]
    fn bytes_stay_as_they_are_and_removal_lets_go_of_the_rest_at_once() {
        let lab = Lab::new(echo());
        let slicer = fault(KIND, &[size(1), ms("delay", 1000)]);
        let counters = lab.add("slicer", slicer);
        let mut client = lab.connect();
        let text: Vec<u8> = (0..200_000u32).map(|place| (place * 31 % 251) as u8).collect();
        let mut writer = client.try_clone().unwrap();
        let sent = text.clone();
        let writes = std::thread::spawn(move || writer.write_all(&sent).unwrap());
        eventually("pieces wait for a gap", || counters.bytes_held.get() > 0);
        assert!(counters.bytes_held.get() < 5, "and are still waiting");
        lab.remove("slicer");
        let mut back = vec![0; text.len()];
        client.read_exact(&mut back).unwrap();
        assert!(back == text, "other bytes came back");
        writes.join().unwrap();
        assert!(round_trip(&mut client, b"after") < Duration::from_millis(500));
    }

    #[test]
    fn without_a_delay_everything_passes_without_one() {
        let lab = Lab::new(echo());
        let slicer = fault(KIND, &[size(7)]);
        let counters = lab.add("slicer", slicer.clone());
        let mut client = lab.connect();
        round_trip(&mut client, b"short");
        assert!(matches!(lab.verify(&slicer, &counters), Seen::NotExercised(_)), "nothing was long enough");
        round_trip(&mut client, &[9; 5000]);
        assert!(matches!(lab.verify(&slicer, &counters), Seen::Yes(_)));
        // The last piece of each chunk that arrives is not cut off, and into how many chunks 5,000 bytes fall is the kernel's
        // affair: far fewer than two hundred each way.
        assert!(counters.pieces_cut.get() >= 2 * (5000 / 7 - 200), "{}", counters.pieces_cut.get());
    }

    #[test]
    fn the_end_comes_after_the_last_piece() {
        let lab = Lab::new(server(|mut socket| socket.write_all(b"one two three").unwrap()));
        lab.add("slicer", fault(KIND, &[size(5), ms("delay", 20)]));
        let mut all = String::new();
        lab.connect().read_to_string(&mut all).unwrap();
        assert_eq!(all, "one two three");
    }

    #[test]
    fn connections_outside_the_share_are_untouched() {
        let lab = Lab::new(server(|mut socket| socket.write_all(b"ab").unwrap()));
        lab.add("slicer", fault(KIND, &[size(1), ms("delay", 5000), share(0.5)]));
        let whole = (0..40)
            .filter(|_| {
                let mut client = lab.connect();
                client.read_exact(&mut [0; 1]).unwrap();
                !is_silent_for(&mut client, Duration::from_millis(30))
            })
            .count();
        assert!((8..32).contains(&whole), "{whole} of 40 came whole");
    }

    #[test]
    fn without_its_effect_it_is_found_absent() {
        let lab = Lab::new(echo());
        let slicer = fault(KIND, &[size(1), ms("delay", 60_000)]);
        let counters = lab.add("slicer", slicer.clone().without_effect());
        round_trip(&mut lab.connect(), b"passes");
        assert!(matches!(lab.verify(&slicer, &counters), Seen::Absent(_)));
    }

    #[test]
    fn pieces_of_nothing_are_refused() {
        let error = from_params(&Params([size(0)].into())).err().unwrap().to_string();
        assert_eq!(error, "tcp.slicer: in pieces of `size: 0B` nothing passes: use network.partition");
    }
}
