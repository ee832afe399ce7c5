//! A batch as bytes: what was measured goes to the recorder whole, not summed up, for only the recorder knows the windows,
//! whose edges lie at the nanosecond. About thirty bytes an iteration of one request once they are packed.
//!
//! Numbers are written seven bits a byte, instants as distances from the instant before, all of it deflated.

use std::io::{Read as _, Write as _};

use brunt_report::sample::{Arrival, Batch, ErrorClass, ErrorExample, Iteration, OpenRequest, Repeat, Request};
use brunt_scenario::units::Offset;
use flate2::Compression;
use flate2::read::DeflateDecoder;
use flate2::write::DeflateEncoder;

/// More bytes than any batch has.
const LARGEST: u64 = 512 * 1024 * 1024;

/// The batch as bytes.
pub fn pack(batch: &Batch) -> Vec<u8> {
    let mut out = Out::default();
    out.number(batch.worker as u64);
    out.instant(batch.upto);
    out.number(batch.in_flight_max as u64);
    out.number(batch.requests.len() as u64);
    batch.requests.iter().for_each(|request| out.request(request));
    out.number(batch.repeats.len() as u64);
    for Repeat { series, warmup, at } in &batch.repeats {
        out.number(u64::from(*series) << 1 | u64::from(*warmup));
        out.instant(*at);
    }
    out.number(batch.iterations.len() as u64);
    for Iteration { journey, ok, warmup, intended, done, busy_ns } in &batch.iterations {
        out.number(u64::from(*journey) << 2 | u64::from(*ok) << 1 | u64::from(*warmup));
        out.instant(*intended);
        out.after(*intended, *done);
        out.number(*busy_ns);
    }
    out.number(batch.arrivals.len() as u64);
    for Arrival { load, journey, dropped, warmup, intended, lag_ns } in &batch.arrivals {
        out.number(u64::from(*load) << 2 | u64::from(*dropped) << 1 | u64::from(*warmup));
        out.number(u64::from(*journey));
        out.instant(*intended);
        out.number(*lag_ns);
    }
    out.number(batch.open.len() as u64);
    for OpenRequest { series, warmup, intended } in &batch.open {
        out.number(u64::from(*series) << 1 | u64::from(*warmup));
        out.instant(*intended);
    }
    out.number(batch.examples.len() as u64);
    for ErrorExample { series, class, at, text } in &batch.examples {
        out.number(u64::from(*series));
        out.number(index(*class));
        out.instant(*at);
        out.number(text.len() as u64);
        out.bytes.extend(text.as_bytes());
    }
    let mut deflate = DeflateEncoder::new(Vec::new(), Compression::fast());
    deflate.write_all(&out.bytes).and_then(|()| deflate.finish()).expect("a vector takes everything")
}

/// The batch again; `None` if these bytes are none.
pub fn unpack(bytes: &[u8]) -> Option<Batch> {
    let mut plain = Vec::new();
    DeflateDecoder::new(bytes).take(LARGEST).read_to_end(&mut plain).ok()?;
    let mut from = In { bytes: &plain, last: 0 };
    let worker = from.number()? as usize;
    let upto = from.instant()?;
    let in_flight_max = from.number()? as usize;
    let requests = from.many(In::request)?;
    let repeats = from.many(|from| {
        let (series, [warmup]) = from.flags()?;
        Some(Repeat { series, warmup, at: from.instant()? })
    })?;
    let iterations = from.many(|from| {
        let (journey, [ok, warmup]) = from.flags()?;
        let intended = from.instant()?;
        Some(Iteration { journey, ok, warmup, intended, done: from.after(intended)?, busy_ns: from.number()? })
    })?;
    let arrivals = from.many(|from| {
        let (load, [dropped, warmup]) = from.flags()?;
        let journey = from.short()?;
        Some(Arrival { load, journey, dropped, warmup, intended: from.instant()?, lag_ns: from.number()? })
    })?;
    let open = from.many(|from| {
        let (series, [warmup]) = from.flags()?;
        Some(OpenRequest { series, warmup, intended: from.instant()? })
    })?;
    let examples = from.many(|from| {
        let series = from.short()?;
        let class = *ErrorClass::ALL.get(usize::try_from(from.number()?).ok()?)?;
        let at = from.instant()?;
        let length = usize::try_from(from.number()?).ok()?;
        let text = String::from_utf8(from.take(length)?.to_vec()).ok()?;
        Some(ErrorExample { series, class, at, text })
    })?;
    from.bytes.is_empty().then_some(Batch {
        worker,
        upto,
        requests,
        repeats,
        iterations,
        arrivals,
        open,
        examples,
        in_flight_max,
    })
}

fn index(class: ErrorClass) -> u64 {
    ErrorClass::ALL.iter().position(|known| *known == class).map_or(u64::MAX, |at| at as u64)
}

#[derive(Default)]
struct Out {
    bytes: Vec<u8>,
    last: u64,
}

impl Out {
    fn number(&mut self, mut number: u64) {
        while number >= 0x80 {
            self.bytes.push(number as u8 | 0x80);
            number >>= 7;
        }
        self.bytes.push(number as u8);
    }

    fn signed(&mut self, number: i64) {
        self.number((number << 1 ^ number >> 63) as u64);
    }

    /// An instant, by its distance from the one before.
    fn instant(&mut self, at: Offset) {
        self.signed(at.0.wrapping_sub(self.last) as i64);
        self.last = at.0;
    }

    /// An instant, by its distance from one that the reader knows by then.
    fn after(&mut self, known: Offset, at: Offset) {
        self.signed(at.0.wrapping_sub(known.0) as i64);
    }

    fn request(&mut self, request: &Request) {
        let Request { series, instance, error, warmup, intended, sent, first_byte, done, queued_ns, connect_ns } =
            request;
        let flags = u64::from(*warmup) << 2 | u64::from(sent.is_some()) << 1 | u64::from(first_byte.is_some());
        self.number(u64::from(*series) << 3 | flags);
        self.number(u64::from(instance.wrapping_add(1)));
        self.number(error.map_or(0, |class| index(class) + 1));
        self.instant(*intended);
        sent.iter().for_each(|sent| self.after(*intended, *sent));
        first_byte.iter().for_each(|first| self.after(*intended, *first));
        self.after(*intended, *done);
        self.number(*queued_ns);
        self.number(*connect_ns);
    }
}

struct In<'a> {
    bytes: &'a [u8],
    last: u64,
}

impl<'a> In<'a> {
    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.bytes.split_at_checked(length)?;
        self.bytes = rest;
        Some(taken)
    }

    fn number(&mut self) -> Option<u64> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let byte = *self.take(1)?.first()?;
            number |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Some(number);
            }
        }
        None
    }

    fn signed(&mut self) -> Option<i64> {
        let number = self.number()?;
        Some((number >> 1) as i64 ^ -((number & 1) as i64))
    }

    fn short(&mut self) -> Option<u16> {
        u16::try_from(self.number()?).ok()
    }

    /// A short number with flags below it, the highest first.
    fn flags<const N: usize>(&mut self) -> Option<(u16, [bool; N])> {
        let number = self.number()?;
        let flags = std::array::from_fn(|at| number >> (N - 1 - at) & 1 == 1);
        Some((u16::try_from(number >> N).ok()?, flags))
    }

    fn instant(&mut self) -> Option<Offset> {
        self.last = self.last.wrapping_add(self.signed()? as u64);
        Some(Offset(self.last))
    }

    fn after(&mut self, known: Offset) -> Option<Offset> {
        Some(Offset(known.0.wrapping_add(self.signed()? as u64)))
    }

    fn many<T>(&mut self, mut one: impl FnMut(&mut Self) -> Option<T>) -> Option<Vec<T>> {
        let count = usize::try_from(self.number()?).ok()?;
        // Each takes a byte at least: a count that cannot be is refused before room is made for it.
        (count <= self.bytes.len()).then_some(())?;
        (0..count).map(|_| one(self)).collect()
    }

    fn request(&mut self) -> Option<Request> {
        let (series, [warmup, has_sent, has_first]) = self.flags()?;
        let instance = self.short()?.wrapping_sub(1);
        let error = match self.number()? {
            0 => None,
            class => Some(*ErrorClass::ALL.get(usize::try_from(class - 1).ok()?)?),
        };
        let intended = self.instant()?;
        let sent = if has_sent { Some(self.after(intended)?) } else { None };
        let first_byte = if has_first { Some(self.after(intended)?) } else { None };
        let done = self.after(intended)?;
        let (queued_ns, connect_ns) = (self.number()?, self.number()?);
        Some(Request { series, instance, error, warmup, intended, sent, first_byte, done, queued_ns, connect_ns })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn instant() -> impl Strategy<Value = Offset> {
        any::<u64>().prop_map(Offset)
    }

    fn class() -> impl Strategy<Value = ErrorClass> {
        prop::sample::select(ErrorClass::ALL.to_vec())
    }

    fn request() -> impl Strategy<Value = Request> {
        let small = (any::<u16>(), any::<u16>(), prop::option::of(class()), any::<bool>());
        let large = (instant(), prop::option::of(instant()), prop::option::of(instant()), instant());
        (small, large, any::<u64>(), any::<u64>()).prop_map(|(small, large, queued_ns, connect_ns)| {
            let ((series, instance, error, warmup), (intended, sent, first_byte, done)) = (small, large);
            Request { series, instance, error, warmup, intended, sent, first_byte, done, queued_ns, connect_ns }
        })
    }

    proptest! {
        #[test]
        fn a_batch_comes_through_to_the_nanosecond(
            requests in prop::collection::vec(request(), 0..20),
            upto in instant(),
            flags in any::<(u16, bool, bool)>(),
            text in ".{0,40}",
            kind in class(),
        ) {
            let (number, one, other) = flags;
            let batch = Batch {
                worker: usize::from(number),
                upto,
                repeats: requests.iter().map(|it| Repeat { series: it.series, warmup: one, at: it.done }).collect(),
                iterations: requests.iter().map(|it| Iteration {
                    journey: it.series, ok: one, warmup: other, intended: it.intended, done: it.done, busy_ns: it.queued_ns,
                }).collect(),
                arrivals: requests.iter().map(|it| Arrival {
                    load: number, journey: it.series, dropped: other, warmup: one, intended: it.intended, lag_ns: it.connect_ns,
                }).collect(),
                open: requests.iter().map(|it| OpenRequest { series: it.series, warmup: one, intended: it.done }).collect(),
                examples: vec![ErrorExample { series: number, class: kind, at: upto, text }],
                in_flight_max: usize::from(number),
                requests,
            };
            let back = unpack(&pack(&batch)).unwrap();
            prop_assert_eq!(format!("{back:?}"), format!("{batch:?}"));
        }

        #[test]
        fn no_bytes_make_the_reader_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = unpack(&bytes);
            let mut deflate = DeflateEncoder::new(Vec::new(), Compression::fast());
            deflate.write_all(&bytes).unwrap();
            let _ = unpack(&deflate.finish().unwrap());
        }
    }

    #[test]
    fn an_iteration_of_one_request_takes_about_thirty_bytes() {
        let at = |index: u64| Offset(index * 1_003_217 + index % 7 * 1117);
        let requests = (0..50).map(|index| Request {
            series: 0,
            instance: 0,
            error: None,
            warmup: false,
            intended: at(index),
            sent: Some(at(index).after(std::time::Duration::from_nanos(21_313 + index * 331))),
            first_byte: Some(at(index).after(std::time::Duration::from_nanos(1_921_313 + index * 7331))),
            done: at(index).after(std::time::Duration::from_nanos(1_941_313 + index * 7339)),
            queued_ns: 0,
            connect_ns: 0,
        });
        let requests: Vec<Request> = requests.collect();
        let batch = Batch {
            iterations: requests
                .iter()
                .map(|it| Iteration {
                    journey: 0,
                    ok: true,
                    warmup: false,
                    intended: it.intended,
                    done: it.done,
                    busy_ns: it.done.0 - it.intended.0,
                })
                .collect(),
            arrivals: requests
                .iter()
                .map(|it| Arrival {
                    load: 0,
                    journey: 0,
                    dropped: false,
                    warmup: false,
                    intended: it.intended,
                    lag_ns: 21_313,
                })
                .collect(),
            requests,
            ..Batch::default()
        };
        let bytes = pack(&batch).len();
        assert!(bytes < 50 * 40, "{bytes}");
    }
}
