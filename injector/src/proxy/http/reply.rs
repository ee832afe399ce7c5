//! What a target sends: heads and bodies of replies, in pieces as they come.

use super::Owed;
use super::body::{Body, Chunked};
use super::head::{Coding, HEAD_LIMIT, Kept, Parsed, State, coding, no_fields};

/// The parser of what a target sends.
#[derive(Debug, Clone)]
pub(super) struct Replies {
    state: State,
    kept: Kept,
}

/// What the next bytes of a target are.
#[derive(Debug)]
pub(crate) enum ReplyStep<'a> {
    /// The beginning of a head: the parser keeps it, the head comes later as a whole.
    More,
    /// A whole head.
    Head(ReplyHead<'a>),
    /// Bytes of a body.
    Body {
        /// The reply ends here.
        last: bool,
    },
    /// Bytes, with those that the parser had kept, that are not HTTP/1.x any more.
    Opaque(&'a [u8]),
}

/// The head of a reply.
#[derive(Debug)]
pub(crate) struct ReplyHead<'a> {
    /// As it was sent, with the empty line, but without what had passed before the parser took over.
    pub raw: &'a [u8],
    /// All of it is in `raw`: nothing had passed.
    pub whole: bool,
    /// What follows it.
    pub follows: Follows,
    /// A reply of this kind may have a body: it is final, and neither 204, 304 nor an answer to HEAD.
    pub may_have_body: bool,
    /// The length of the body; zero if none follows.
    pub body: Body,
}

/// What follows the head of a reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Follows {
    /// After 1xx: the final reply is still to come.
    FinalReply,
    /// After 101, or 2xx to CONNECT: another protocol.
    AnotherProtocol,
    /// The next reply: this one is final and has no body.
    Nothing,
    /// The body.
    Body,
}

impl Replies {
    pub(super) fn new() -> Self {
        Self { state: State::Head, kept: Kept::default() }
    }

    /// From now on what the parser keeps is withheld from the client; so far it only followed what passed.
    pub(super) fn take_over(&mut self) {
        self.kept.take_over();
    }

    /// Parses no more. Returns the beginning of a head that is withheld.
    pub(super) fn let_go(&mut self) -> Vec<u8> {
        self.state = State::Opaque;
        self.kept.let_go()
    }

    /// Looks at the start of `input`, which is not empty; `owed` is the request that waits longest. Returns how many bytes
    /// the step covers.
    pub(super) fn step<'a>(&'a mut self, input: &'a [u8], owed: Option<Owed>) -> (usize, ReplyStep<'a>) {
        self.kept.forget_given();
        match &mut self.state {
            State::Body(body) => match body.take(input) {
                Ok((used, last)) => {
                    if last {
                        self.state = State::Head;
                    }
                    (used, ReplyStep::Body { last })
                }
                Err(_) => self.lost(input),
            },
            State::Opaque => self.lost(input),
            State::Head => self.head(input, owed),
        }
    }

    fn lost<'a>(&'a mut self, input: &'a [u8]) -> (usize, ReplyStep<'a>) {
        self.state = State::Opaque;
        self.kept.with(input);
        let (text, passed) = self.kept.give(input);
        (input.len(), ReplyStep::Opaque(&text[passed..]))
    }

    fn head<'a>(&'a mut self, input: &'a [u8], owed: Option<Owed>) -> (usize, ReplyStep<'a>) {
        let before = self.kept.len();
        match parse(self.kept.with(input)) {
            Parsed::Whole(shape) if shape.length <= HEAD_LIMIT => {
                let (follows, body) = shape.follows(owed);
                self.state = match follows {
                    Follows::Body => State::Body(body),
                    Follows::AnotherProtocol => State::Opaque,
                    Follows::FinalReply | Follows::Nothing => State::Head,
                };
                let (text, passed) = self.kept.give(input);
                let may_have_body = match follows {
                    Follows::Body => true,
                    Follows::Nothing => shape.may_have_body(owed),
                    Follows::FinalReply | Follows::AnotherProtocol => false,
                };
                let raw = &text[passed..shape.length];
                let head = ReplyHead { raw, whole: passed == 0, follows, may_have_body, body };
                (shape.length - before, ReplyStep::Head(head))
            }
            Parsed::Partial if before + input.len() <= HEAD_LIMIT => {
                self.kept.keep(input);
                (input.len(), ReplyStep::More)
            }
            Parsed::Whole(_) | Parsed::Partial | Parsed::Broken => {
                self.state = State::Opaque;
                let (text, passed) = self.kept.give(input);
                (input.len(), ReplyStep::Opaque(&text[passed..]))
            }
        }
    }
}

struct Shape {
    length: usize,
    status: u16,
    body: Body,
}

impl Shape {
    /// What follows it, and the length of the body, if it is the reply to `owed` (RFC 9112 section 6.3).
    fn follows(&self, owed: Option<Owed>) -> (Follows, Body) {
        let empty = Body::Length(0);
        match self.status {
            101 => (Follows::AnotherProtocol, empty),
            100..200 => (Follows::FinalReply, empty),
            200..300 if owed.is_some_and(|owed| owed.tunnel) => (Follows::AnotherProtocol, empty),
            _ if self.body.is_empty() || !self.may_have_body(owed) => (Follows::Nothing, empty),
            _ => (Follows::Body, self.body),
        }
    }

    /// Whether a final reply with this status has a body at all.
    fn may_have_body(&self, owed: Option<Owed>) -> bool {
        !matches!(self.status, 204 | 304) && !owed.is_some_and(|owed| owed.bodyless)
    }
}

fn parse(text: &[u8]) -> Parsed<Shape> {
    let mut fields = no_fields();
    let mut reply = httparse::Response::new(&mut []);
    let parsed = httparse::ParserConfig::default().parse_response_with_uninit_headers(&mut reply, text, &mut fields);
    let length = match parsed {
        Ok(httparse::Status::Complete(length)) => length,
        Ok(httparse::Status::Partial) => return Parsed::Partial,
        Err(_) => return Parsed::Broken,
    };
    let (Some(status), Some(coding)) = (reply.code, coding(reply.headers)) else { return Parsed::Broken };
    let body = match coding {
        Coding::Length(length) => Body::Length(length),
        Coding::Chunked => Body::Chunked(Chunked::start()),
        Coding::None | Coding::Other => Body::UntilClose,
    };
    Parsed::Whole(Shape { length, status, body })
}
