//! When each instance answered: what becomes `first request to the new pod` and `last request to the dead pod`.
//!
//! Kept as spans, as a name may be used again: the pods of a stateful set take over the names of those before them, and the
//! pause between them tells them apart.

use std::collections::BTreeMap;

use brunt_scenario::units::Offset;

use crate::sample::Request;

/// Requests that are further apart belong to two spans, nanoseconds.
const APART: u64 = 1_000_000_000;
/// So many spans of one instance; what comes later widens the last one, so that memory has a bound.
const MOST: usize = 1024;

/// The instants at which the first and the last of some requests were sent.
pub type Span = (Offset, Offset);

/// By target and instance.
#[derive(Debug, Clone, Default)]
pub struct Answers {
    spans: BTreeMap<(usize, u16), Vec<Span>>,
}

impl Answers {
    /// Notes when a request that got a reply was sent. Requests come in nearly any order.
    pub fn file(&mut self, target: usize, request: &Request) {
        let (Some(sent), Some(_)) = (request.sent, request.first_byte) else { return };
        let spans = self.spans.entry((target, request.instance)).or_default();
        let near = |span: &Span| sent.0 + APART >= span.0.0 && sent.0 <= span.1.0 + APART;
        // The newest one, nearly always.
        if let Some(span) = spans.iter_mut().rev().find(|span| near(span)) {
            *span = (span.0.min(sent), span.1.max(sent));
        } else if spans.len() < MOST {
            let at = spans.partition_point(|span| span.0 < sent);
            spans.insert(at, (sent, sent));
        } else if let Some(last) = spans.last_mut() {
            *last = (last.0.min(sent), last.1.max(sent));
        }
    }

    /// Those of an instance, in order.
    pub fn of(&self, target: usize, instance: usize) -> &[Span] {
        let instance = u16::try_from(instance).unwrap_or(u16::MAX);
        self.spans.get(&(target, instance)).map_or(&[], Vec::as_slice)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(at_ms: u64, instance: u16) -> Request {
        let at = Offset(at_ms * 1_000_000);
        Request {
            series: 0,
            instance,
            error: None,
            warmup: false,
            intended: at,
            sent: Some(at),
            first_byte: Some(at),
            done: at,
            queued_ns: 0,
            connect_ns: 0,
        }
    }

    #[test]
    fn a_pause_of_more_than_a_second_tells_two_spans_apart_whatever_the_order() {
        let mut answers = Answers::default();
        for at in [500, 900, 700, 5000, 400, 4500] {
            answers.file(0, &sent(at, 1));
        }
        let ms = |at: u64| Offset(at * 1_000_000);
        assert_eq!(answers.of(0, 1), [(ms(400), ms(900)), (ms(4500), ms(5000))]);
        assert!(answers.of(0, 2).is_empty() && answers.of(1, 1).is_empty());
    }

    #[test]
    fn what_got_no_reply_was_answered_by_nobody() {
        let mut answers = Answers::default();
        answers.file(0, &Request { first_byte: None, ..sent(1, 1) });
        assert!(answers.of(0, 1).is_empty());
    }
}
