//! Following HTTP/1.x through a connection: where requests and replies begin and end.
//!
//! Every plain connection is followed from its first byte, at its upstream end. That costs some hundred nanoseconds a
//! request and gives two things: the number of requests that reached the upstream, and a place to begin for `http.*` faults
//! that come to a connection in the middle of its life: they copy the [`Exchange`] and so know whether a request or a reply
//! is half-way, and how many replies are still owed. What does not parse as HTTP/1.x (TLS, HTTP/2, a database's protocol, or
//! what follows an upgrade) is opaque from there on: passed as it is, never parsed again.
//!
//! Framing follows RFC 9112 section 6.3; heads are parsed by `httparse`.

mod body;
mod head;
mod reply;
mod request;

use std::collections::VecDeque;

pub(crate) use body::{Body, Chunked};
pub(crate) use reply::{Follows, ReplyHead, ReplyStep};
pub(crate) use request::{RequestStep, Requests};

use super::stage::Direction;
use reply::Replies;

/// What must be known of a request to frame its reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Owed {
    /// HEAD: the reply has no body, whatever its head says.
    pub bodyless: bool,
    /// CONNECT: after a 2xx the connection is a tunnel.
    pub tunnel: bool,
}

/// What reply bytes turned out to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reply {
    /// Some of a reply.
    Part,
    /// The end of a final reply.
    Complete,
    /// Nothing that can be followed.
    Opaque,
}

/// Both directions of one HTTP/1.x connection.
#[derive(Debug, Clone)]
pub(crate) struct Exchange {
    requests: Requests,
    replies: Replies,
    owed: VecDeque<Owed>,
}

impl Exchange {
    /// A connection before its first byte.
    pub fn new() -> Self {
        Self { requests: Requests::new(), replies: Replies::new(), owed: VecDeque::new() }
    }

    /// A connection that is not followed.
    pub fn opaque() -> Self {
        let mut exchange = Self::new();
        exchange.give_up();
        exchange
    }

    /// This exchange for a stage that joins the connection now: what has passed so far has passed, and from here on the
    /// beginning of a request's head is withheld until it is whole.
    pub fn taken_over(&self) -> Self {
        let mut exchange = self.clone();
        exchange.requests.take_over();
        exchange
    }

    /// The same for a stage that changes replies: the beginning of a reply's head is withheld until it is whole, and requests
    /// are only followed.
    pub fn taken_over_replies(&self) -> Self {
        let mut exchange = self.clone();
        exchange.replies.take_over();
        exchange
    }

    /// What is kept of a reply's head has been passed on: it is followed, and not withheld.
    pub fn passed_on(&mut self) {
        self.replies.take_over();
    }

    /// Whether nothing is parsed any more.
    pub fn is_opaque(&self) -> bool {
        self.requests.is_opaque()
    }

    /// How many replies are still to come.
    pub fn outstanding(&self) -> usize {
        self.owed.len()
    }

    /// The parser of what the client sends.
    pub fn requests(&mut self) -> &mut Requests {
        &mut self.requests
    }

    /// A request has been sent to the upstream: its reply is to come.
    pub fn expect(&mut self, owed: Owed) {
        self.owed.push_back(owed);
    }

    /// Nothing is parsed any more. Returns the beginning of a request's head that is still withheld.
    pub fn give_up(&mut self) -> Vec<u8> {
        self.replies.let_go();
        self.owed.clear();
        self.requests.let_go()
    }

    /// The same for a stage that changes replies: returns the beginning of a reply's head.
    pub fn give_up_replies(&mut self) -> Vec<u8> {
        self.requests.let_go();
        self.owed.clear();
        self.replies.let_go()
    }

    /// Follows bytes that pass in any case. Returns how many requests began.
    pub fn watch(&mut self, direction: Direction, mut bytes: &[u8]) -> u64 {
        let mut began = 0;
        while !bytes.is_empty() {
            let used = match direction {
                Direction::To => {
                    let (used, step) = self.requests.step(bytes);
                    match step {
                        RequestStep::Head(head) => {
                            let owed = head.owed();
                            self.expect(owed);
                            began += 1;
                        }
                        RequestStep::More | RequestStep::Body { .. } => {}
                        RequestStep::Opaque(_) => {
                            self.give_up();
                            return began;
                        }
                    }
                    used
                }
                Direction::From => match self.reply(bytes) {
                    (_, Reply::Opaque) => return began,
                    (used, _) => used,
                },
            };
            bytes = &bytes[used..];
        }
        began
    }

    /// Follows reply bytes, which pass in any case, up to the next boundary. Returns how many bytes of `input` that is.
    pub fn reply(&mut self, input: &[u8]) -> (usize, Reply) {
        let (used, step) = self.reply_step(input);
        let reply = match step {
            ReplyStep::Opaque(_) | ReplyStep::Head(ReplyHead { follows: Follows::AnotherProtocol, .. }) => {
                Reply::Opaque
            }
            ReplyStep::Body { last: true } | ReplyStep::Head(ReplyHead { follows: Follows::Nothing, .. }) => {
                Reply::Complete
            }
            ReplyStep::More | ReplyStep::Head(_) | ReplyStep::Body { last: false } => Reply::Part,
        };
        (used, reply)
    }

    /// Looks at the start of `input`, which is not empty and comes from the target. Returns how many bytes the step covers.
    pub fn reply_step<'a>(&'a mut self, input: &'a [u8]) -> (usize, ReplyStep<'a>) {
        let Self { requests, replies, owed } = self;
        let (used, step) = replies.step(input, owed.front().copied());
        match &step {
            // What is withheld of requests stays until `give_up`.
            ReplyStep::Opaque(_) | ReplyStep::Head(ReplyHead { follows: Follows::AnotherProtocol, .. }) => {
                requests.stop();
            }
            ReplyStep::Body { last: true } | ReplyStep::Head(ReplyHead { follows: Follows::Nothing, .. }) => {
                owed.pop_front();
            }
            ReplyStep::More | ReplyStep::Head(_) | ReplyStep::Body { last: false } => {}
        }
        (used, step)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Feeds a dialogue in pieces of `size` bytes; says how many requests began and how many replies ended.
    fn follow(dialogue: &[(Direction, &str)], size: usize) -> (u64, u64) {
        let mut exchange = Exchange::new();
        let (mut began, mut ended) = (0, 0);
        for (direction, text) in dialogue {
            for mut piece in text.as_bytes().chunks(size) {
                if *direction == Direction::To {
                    began += exchange.watch(*direction, piece);
                    continue;
                }
                while !piece.is_empty() {
                    let (used, reply) = exchange.reply(piece);
                    ended += u64::from(reply == Reply::Complete);
                    piece = &piece[used..];
                }
            }
        }
        (began, ended)
    }

    fn in_all_sizes(dialogue: &[(Direction, &str)], expected: (u64, u64)) {
        for size in [1, 2, 3, 7, 64, 4096] {
            assert_eq!(follow(dialogue, size), expected, "in pieces of {size} bytes");
        }
    }

    #[test]
    fn requests_and_replies_are_counted_whatever_their_framing() {
        in_all_sizes(
            &[
                (Direction::To, "POST /a HTTP/1.1\r\nContent-Length: 5\r\n\r\nGET /"),
                (Direction::From, "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc"),
                (
                    Direction::To,
                    "POST /b HTTP/1.1\r\nTransfer-Encoding: gzip, chunked\r\n\r\n4;x=1\r\nabcd\r\nA\r\n0123456789\r\n0\r\nT: 1\r\n\r\n",
                ),
                (Direction::From, "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nHTTP/\r\n0\r\n\r\n"),
                (Direction::To, "HEAD /c HTTP/1.1\r\n\r\n"),
                (Direction::From, "HTTP/1.1 200 OK\r\nContent-Length: 300\r\n\r\n"),
                (Direction::To, "GET /d HTTP/1.1\r\n\r\n"),
                (Direction::From, "HTTP/1.1 304 Not Modified\r\nContent-Length: 300\r\n\r\n"),
                (Direction::To, "GET /d HTTP/1.1\r\n\r\nGET /e HTTP/1.1\r\n\r\n"),
                (Direction::From, "HTTP/1.1 204 No Content\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"),
            ],
            (6, 6),
        );
    }

    #[test]
    fn a_continue_is_not_the_reply() {
        in_all_sizes(
            &[
                (Direction::To, "POST /a HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n"),
                (Direction::From, "HTTP/1.1 100 Continue\r\n\r\n"),
                (Direction::To, "ab"),
                (Direction::From, "HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n"),
            ],
            (1, 1),
        );
    }

    #[test]
    fn after_an_upgrade_nothing_is_parsed() {
        in_all_sizes(
            &[
                (Direction::To, "GET /ws HTTP/1.1\r\nUpgrade: websocket\r\n\r\n"),
                (Direction::From, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n"),
                (Direction::To, "GET /not-a-request HTTP/1.1\r\n\r\n"),
                (Direction::From, "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"),
            ],
            (1, 0),
        );
    }

    #[test]
    fn a_length_is_digits_and_a_chunk_has_a_size() {
        for message in [
            "POST /a HTTP/1.1\r\ncontent-length: +5\r\n\r\n01234",
            "POST /a HTTP/1.1\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\n01234",
        ] {
            assert_eq!(follow(&[(Direction::To, message), (Direction::To, "GET / HTTP/1.1\r\n\r\n")], 4096), (0, 0));
        }
        let no_size = "POST /a HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n\r\n\r\nGET / HTTP/1.1\r\n\r\n";
        in_all_sizes(&[(Direction::To, no_size)], (1, 0));
    }

    #[test]
    fn other_protocols_are_opaque() {
        for hello in ["\u{16}\u{3}\u{1}", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "*1\r\n$4\r\nPING\r\n", "PING\r\n"] {
            assert_eq!(follow(&[(Direction::To, hello), (Direction::To, "GET / HTTP/1.1\r\n\r\n")], 4096), (0, 0));
        }
    }

    #[test]
    fn a_reply_without_length_lasts_until_the_close() {
        in_all_sizes(
            &[
                (Direction::To, "GET /a HTTP/1.0\r\n\r\n"),
                (Direction::From, "HTTP/1.0 200 OK\r\n\r\nHTTP/1.0 200 OK\r\n\r\n"),
            ],
            (1, 0),
        );
    }
}
