//! What must hold for any bytes that pass the proxy, for the fuzz targets in `fuzz/` and the test that replays their corpus.
//!
//! The first bytes of an input choose how the rest is cut: an input means a connection, not a message.

use std::sync::Arc;

use brunt_scenario::plan::{ParamValue, Params, Text};
use brunt_scenario::units::Share;
use bytes::Bytes;

use crate::fault::link::stream_fault;
use crate::proxy::{
    Arrival, Content, Direction, Draws, Exchange, FaultCounters, Nanos, RequestStep, Retired, Seat, StreamFault,
};

/// What a parser said about a request.
#[derive(Debug, PartialEq)]
enum Said {
    /// A head ended at this place, with what it said.
    Head { end: usize, method: String, target: String, flags: [bool; 3] },
    /// A body ended at this place.
    Body { end: usize },
    /// No HTTP from some place on.
    Opaque,
}

/// What a client sends, cut anywhere, is told apart in the same way as in one piece, and passes as it was.
pub fn http_requests(input: &[u8]) {
    let Some((cut, stream)) = input.split_first() else { return };
    let (whole, passed) = requests(stream, stream.len().max(1));
    assert_eq!(passed, stream, "in one piece");
    for size in [1, usize::from(*cut).max(1)] {
        let (said, passed) = requests(stream, size);
        assert_eq!(passed, stream, "in pieces of {size}");
        assert_eq!(said, whole, "in pieces of {size}");
    }
}

fn requests(stream: &[u8], size: usize) -> (Vec<Said>, Vec<u8>) {
    let mut exchange = Exchange::new().taken_over();
    let (mut said, mut passed, mut at) = (Vec::new(), Vec::new(), 0);
    for mut piece in stream.chunks(size) {
        while !piece.is_empty() {
            let (used, step) = exchange.requests().step(piece);
            assert!(used > 0 && used <= piece.len(), "used {used} of {}", piece.len());
            at += used;
            match step {
                RequestStep::More => {}
                RequestStep::Head(head) => {
                    passed.extend_from_slice(head.raw);
                    assert!(head.whole);
                    let flags = [head.waits, head.closes, head.complete];
                    let (method, target) = (head.method.to_owned(), head.target.to_owned());
                    said.push(Said::Head { end: at, method, target, flags });
                }
                RequestStep::Body { last } => {
                    passed.extend_from_slice(&piece[..used]);
                    said.extend(last.then_some(Said::Body { end: at }));
                }
                RequestStep::Opaque(raw) => {
                    passed.extend_from_slice(raw);
                    if said.last() != Some(&Said::Opaque) {
                        said.push(Said::Opaque);
                    }
                }
            }
            piece = &piece[used..];
        }
    }
    passed.extend(exchange.give_up());
    (said, passed)
}

/// A dialogue, both directions cut and interleaved anywhere, through every fault by request. Those that hit nothing pass every
/// byte as it was; those that hit everything do not panic, and what they leave behind passes bytes again.
pub fn http_exchange(input: &[u8]) {
    let Some((mode, dialogue)) = input.split_first() else { return };
    for kind in ["http.latency", "http.error", "http.abort", "http.header", "http.body"] {
        let replaces = mode & 1 == 1;
        let harmless = run(kind, replaces, 0.0, dialogue);
        assert_eq!(harmless, sent(dialogue), "{kind}");
        run(kind, replaces, 1.0, dialogue);
        run(kind, replaces, 0.5, dialogue);
    }
}

/// The turns of a dialogue: a byte says who speaks and for how long, that many bytes follow. The fault leaves at a turn of
/// no length.
fn turns(mut dialogue: &[u8]) -> Vec<(Direction, &[u8])> {
    let mut turns = Vec::new();
    while let Some((turn, rest)) = dialogue.split_first() {
        let direction = if turn & 0x80 == 0 { Direction::To } else { Direction::From };
        let length = usize::from(turn & 0x7f).min(rest.len());
        let (said, after) = rest.split_at(length);
        turns.push((direction, said));
        dialogue = after;
    }
    turns
}

fn sent(dialogue: &[u8]) -> [Vec<u8>; 2] {
    let mut sent = [Vec::new(), Vec::new()];
    turns(dialogue).iter().for_each(|(direction, said)| sent[*direction as usize].extend_from_slice(said));
    sent
}

fn params(kind: &str, replaces: bool, share: f64) -> Params {
    let mut with = Params::default();
    with.0.insert("share", ParamValue::Percent(Share(share)));
    match (kind, replaces) {
        ("http.latency", _) => drop(with.0.insert("latency", ParamValue::Duration(std::time::Duration::from_secs(9)))),
        ("http.header", _) => {
            with.0.insert("set", ParamValue::Pairs(vec![("a".into(), "b".into())]));
            with.0.insert("remove", ParamValue::Names(vec!["etag".into()]));
        }
        ("http.body", true) => drop(with.0.insert("replace", ParamValue::Text(Text::literal("oops")))),
        ("http.body", false) => drop(with.0.insert("truncate", ParamValue::Size(3))),
        _ => {}
    }
    with
}

/// What arrives, to and from, when the dialogue passes one fault.
fn run(kind: &'static str, replaces: bool, share: f64, dialogue: &[u8]) -> [Vec<u8>; 2] {
    let fault = stream_fault(kind, &params(kind, replaces, share)).and_then(Result::ok).expect("the kind is built");
    let mut seat = seat(&fault);
    let mut arrived = [Vec::new(), Vec::new()];
    for (direction, said) in turns(dialogue) {
        if said.is_empty() {
            if seat.retired.is_none() {
                assert_ne!(seat.retire(Nanos(1)), Retired::Reset, "no fault by request loses bytes for good");
            }
            continue;
        }
        seat.take(direction, Content::Bytes(Bytes::copy_from_slice(said)), Nanos(1));
        collect(&mut seat, &mut arrived);
    }
    for direction in [Direction::To, Direction::From] {
        seat.take(direction, Content::End, Nanos(1));
        collect(&mut seat, &mut arrived);
    }
    if seat.retired.is_none() {
        seat.retire(Nanos(1));
    }
    collect(&mut seat, &mut arrived);
    arrived
}

fn seat(fault: &StreamFault) -> Seat {
    let counters = Arc::<FaultCounters>::default();
    let exchange = Exchange::new();
    let draws = Draws::new(7, 0, fault.share(), true, Arc::clone(&counters));
    let stage = fault.stage(Arrival { draws, fresh: true, exchange: &exchange }, &counters);
    Seat { fault_id: "fault".into(), layer: fault.layer(), stage, queues: Default::default(), counters, retired: None }
}

/// Takes what has arrived, held or not: instants do not matter here, the order does.
fn collect(seat: &mut Seat, arrived: &mut [Vec<u8>; 2]) {
    for (queue, arrived) in seat.queues.iter_mut().zip(arrived) {
        while let Some(piece) = queue.pop() {
            if let Content::Bytes(bytes) = piece.content {
                arrived.extend_from_slice(&bytes);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn replay(target: &str, check: fn(&[u8])) {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus").join(target);
        let mut inputs = 0;
        for entry in std::fs::read_dir(folder).unwrap() {
            check(&std::fs::read(entry.unwrap().path()).unwrap());
            inputs += 1;
        }
        assert!(inputs >= 5, "{inputs} inputs for {target}");
    }

    #[test]
    fn the_corpus_of_requests_holds() {
        replay("http_requests", http_requests);
    }

    #[test]
    fn the_corpus_of_exchanges_holds() {
        replay("http_exchange", http_exchange);
    }
}
