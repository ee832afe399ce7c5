//! Heads of requests and replies, in pieces as they come.

use std::mem::MaybeUninit;

use super::Owed;
use super::body::{Body, Chunked};

/// A head longer than this is not HTTP that brunt follows.
const HEAD_LIMIT: usize = 64 << 10;

/// More header fields than this, likewise.
const FIELD_LIMIT: usize = 128;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Head,
    Body(Body),
    Opaque,
}

/// What a client sends.
#[derive(Debug, Clone)]
pub(crate) struct Requests {
    state: State,
    /// The beginning of a head whose end has not come yet.
    partial: Vec<u8>,
    /// `partial` was handed out by the step before.
    given: bool,
    /// How much of `partial` had passed before this parser took over: see [`Requests::take_over`].
    passed: usize,
}

/// What the next bytes of a client are.
#[derive(Debug)]
pub(crate) enum RequestStep<'a> {
    /// The beginning of a head: the parser keeps it, the head comes later as a whole.
    More,
    /// A whole head.
    Head(RequestHead<'a>),
    /// Bytes of a body, `last` if the request ends with them.
    Body {
        /// The request ends here.
        last: bool,
    },
    /// Bytes, with those that the parser had kept, that are not HTTP/1.x.
    Opaque(&'a [u8]),
}

/// The head of a request.
#[derive(Debug)]
pub(crate) struct RequestHead<'a> {
    /// As it was sent, with the empty line, but without what had passed before the parser took over.
    pub raw: &'a [u8],
    /// All of it is in `raw`: nothing had passed.
    pub whole: bool,
    /// As it was sent: `GET`.
    pub method: &'a str,
    /// The request target: usually path and query.
    pub target: &'a str,
    /// The client waits for `100 Continue` before it sends the body.
    pub waits: bool,
    /// The connection is to be closed after the reply.
    pub closes: bool,
    /// No body follows.
    pub complete: bool,
}

impl RequestHead<'_> {
    /// What the reply to it will be like.
    pub fn owed(&self) -> Owed {
        Owed { bodyless: self.method == "HEAD", tunnel: self.method == "CONNECT" }
    }
}

impl Requests {
    pub(super) fn new() -> Self {
        Self { state: State::Head, partial: Vec::new(), given: false, passed: 0 }
    }

    /// From now on what the parser keeps is withheld from the upstream; so far it only followed what passed.
    pub(super) fn take_over(&mut self) {
        self.forget_given();
        self.passed = self.partial.len();
    }

    /// Parses no more. Returns the beginning of a head that is withheld.
    pub fn let_go(&mut self) -> Vec<u8> {
        self.stop();
        let passed = std::mem::take(&mut self.passed);
        std::mem::take(&mut self.partial).split_off(passed)
    }

    /// Whether nothing is parsed any more.
    pub(super) fn is_opaque(&self) -> bool {
        self.state == State::Opaque
    }

    /// Parses no more; a kept beginning is handed out with the next bytes, or by [`Requests::let_go`].
    pub(super) fn stop(&mut self) {
        self.state = State::Opaque;
        self.forget_given();
    }

    fn forget_given(&mut self) {
        if std::mem::take(&mut self.given) {
            self.partial.clear();
            self.passed = 0;
        }
    }

    /// Looks at the start of `input`, which is not empty. Returns how many bytes of it the step covers.
    pub fn step<'a>(&'a mut self, input: &'a [u8]) -> (usize, RequestStep<'a>) {
        self.forget_given();
        match &mut self.state {
            State::Body(body) => match body.take(input) {
                Ok((used, last)) => {
                    if last {
                        self.state = State::Head;
                    }
                    (used, RequestStep::Body { last })
                }
                Err(_) => self.lost(input),
            },
            State::Opaque => self.lost(input),
            State::Head => self.head(input),
        }
    }

    fn lost<'a>(&'a mut self, input: &'a [u8]) -> (usize, RequestStep<'a>) {
        self.state = State::Opaque;
        if self.partial.is_empty() {
            return (input.len(), RequestStep::Opaque(input));
        }
        self.partial.extend_from_slice(input);
        self.given = true;
        (input.len(), RequestStep::Opaque(&self.partial[self.passed..]))
    }

    fn head<'a>(&'a mut self, input: &'a [u8]) -> (usize, RequestStep<'a>) {
        let before = self.partial.len();
        if before > 0 {
            self.partial.extend_from_slice(input);
        }
        let parsed = parse_request(if before > 0 { &self.partial } else { input });
        let kept_long = before + input.len() > HEAD_LIMIT;
        self.given = before > 0;
        match parsed {
            Parsed::Whole(shape) => {
                self.state = if shape.body.is_empty() { State::Head } else { State::Body(shape.body) };
                let text = if before > 0 { self.partial.as_slice() } else { input };
                (shape.length - before, RequestStep::Head(shape.of(text, self.passed)))
            }
            Parsed::Partial if !kept_long => {
                self.given = false;
                if before == 0 {
                    self.partial.extend_from_slice(input);
                }
                (input.len(), RequestStep::More)
            }
            Parsed::Partial | Parsed::Broken => {
                self.state = State::Opaque;
                (input.len(), RequestStep::Opaque(if before > 0 { &self.partial[self.passed..] } else { input }))
            }
        }
    }
}

/// What a target sends.
#[derive(Debug, Clone)]
pub(super) struct Replies {
    state: State,
    partial: Vec<u8>,
}

/// What the next bytes of a target are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ReplyStep {
    /// Some of a reply.
    Part,
    /// A head after which this reply is not yet framed.
    Head(ReplyHead),
    /// The end of a final reply.
    Complete,
    /// Not HTTP/1.x.
    Opaque,
}

/// Heads that are not those of a final reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ReplyHead {
    /// 1xx: the final reply is still to come.
    Interim,
    /// 101, or 2xx to CONNECT: what follows is another protocol.
    Switching,
}

impl Replies {
    pub(super) fn new() -> Self {
        Self { state: State::Head, partial: Vec::new() }
    }

    /// Parses no more.
    pub(super) fn give_up(&mut self) {
        self.state = State::Opaque;
        self.partial = Vec::new();
    }

    /// Looks at the start of `input`, which is not empty; `owed` is the request that waits longest. Returns how many bytes
    /// the step covers. The bytes pass in any case: nothing is withheld.
    pub(super) fn step(&mut self, input: &[u8], owed: Option<Owed>) -> (usize, ReplyStep) {
        match &mut self.state {
            State::Opaque => (input.len(), ReplyStep::Opaque),
            State::Head => self.head(input, owed),
            State::Body(body) => match body.take(input) {
                Ok((used, true)) => {
                    self.state = State::Head;
                    (used, ReplyStep::Complete)
                }
                Ok((used, false)) => (used, ReplyStep::Part),
                Err(_) => (input.len(), ReplyStep::Opaque),
            },
        }
    }

    fn head(&mut self, input: &[u8], owed: Option<Owed>) -> (usize, ReplyStep) {
        let before = self.partial.len();
        if before > 0 {
            self.partial.extend_from_slice(input);
        }
        let shape = match parse_reply(if before > 0 { &self.partial } else { input }) {
            Parsed::Whole(shape) => shape,
            Parsed::Partial if before + input.len() <= HEAD_LIMIT => {
                if before == 0 {
                    self.partial.extend_from_slice(input);
                }
                return (input.len(), ReplyStep::Part);
            }
            Parsed::Partial | Parsed::Broken => return (input.len(), ReplyStep::Opaque),
        };
        self.partial.clear();
        (shape.length - before, self.after_head(&shape, owed))
    }

    fn after_head(&mut self, shape: &ReplyShape, owed: Option<Owed>) -> ReplyStep {
        let (bodyless, tunnel) = owed.map_or((false, false), |owed| (owed.bodyless, owed.tunnel));
        let body = match shape.status {
            101 => return ReplyStep::Head(ReplyHead::Switching),
            100..200 => return ReplyStep::Head(ReplyHead::Interim),
            200..300 if tunnel => return ReplyStep::Head(ReplyHead::Switching),
            204 | 304 => Body::Length(0),
            _ if bodyless => Body::Length(0),
            _ => shape.body,
        };
        if body.is_empty() {
            return ReplyStep::Complete;
        }
        self.state = State::Body(body);
        ReplyStep::Part
    }
}

enum Parsed<Shape> {
    Whole(Shape),
    Partial,
    Broken,
}

/// Where the parts of a request head lie in its text.
struct RequestShape {
    length: usize,
    method: (usize, usize),
    target: (usize, usize),
    waits: bool,
    closes: bool,
    body: Body,
}

impl RequestShape {
    /// The head in `text`, of which `passed` bytes are gone.
    fn of<'a>(&self, text: &'a [u8], passed: usize) -> RequestHead<'a> {
        let part = |(start, end): (usize, usize)| str::from_utf8(&text[start..end]).unwrap_or_default();
        RequestHead {
            raw: &text[passed..self.length],
            whole: passed == 0,
            method: part(self.method),
            target: part(self.target),
            waits: self.waits,
            closes: self.closes,
            complete: self.body.is_empty(),
        }
    }
}

struct ReplyShape {
    length: usize,
    status: u16,
    body: Body,
}

fn parse_request(text: &[u8]) -> Parsed<RequestShape> {
    let mut fields = [const { MaybeUninit::uninit() }; FIELD_LIMIT];
    let mut request = httparse::Request::new(&mut []);
    let length = match request.parse_with_uninit_headers(text, &mut fields) {
        Ok(httparse::Status::Complete(length)) => length,
        Ok(httparse::Status::Partial) => return Parsed::Partial,
        Err(_) => return Parsed::Broken,
    };
    let (Some(method), Some(target)) = (request.method, request.path) else { return Parsed::Broken };
    let Some(coding) = coding(request.headers) else { return Parsed::Broken };
    let body = match coding {
        _ if method == "CONNECT" => Body::Length(0),
        Coding::None => Body::Length(0),
        Coding::Length(length) => Body::Length(length),
        Coding::Chunked => Body::Chunked(Chunked::start()),
        // A request whose end cannot be known: RFC 9112 section 6.3 has the server refuse it.
        Coding::Other => return Parsed::Broken,
    };
    let waits = says(request.headers, "expect", "100-continue");
    let keeps = request.version == Some(1) || says(request.headers, "connection", "keep-alive");
    let closes = !keeps || says(request.headers, "connection", "close");
    let place = |part: &str| {
        let start = part.as_ptr() as usize - text.as_ptr() as usize;
        (start, start + part.len())
    };
    Parsed::Whole(RequestShape { length, method: place(method), target: place(target), waits, closes, body })
}

fn parse_reply(text: &[u8]) -> Parsed<ReplyShape> {
    let mut fields = [const { MaybeUninit::uninit() }; FIELD_LIMIT];
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
    Parsed::Whole(ReplyShape { length, status, body })
}

/// Whether `word` is among the comma-separated values of the field `name`.
fn says(fields: &[httparse::Header<'_>], name: &str, word: &str) -> bool {
    fields.iter().filter(|field| field.name.eq_ignore_ascii_case(name)).any(|field| {
        field.value.split(|byte| *byte == b',').any(|value| value.trim_ascii().eq_ignore_ascii_case(word.as_bytes()))
    })
}

/// What the fields say about the length of the body.
#[derive(Clone, Copy)]
enum Coding {
    None,
    Length(u64),
    Chunked,
    /// A transfer coding that does not end in `chunked`.
    Other,
}

/// `None` when the length is not a number, or there are two that differ.
fn coding(fields: &[httparse::Header<'_>]) -> Option<Coding> {
    let mut length = None;
    let mut transfer = None;
    for field in fields {
        if field.name.eq_ignore_ascii_case("content-length") {
            let value: u64 = str::from_utf8(field.value).ok()?.trim().parse().ok()?;
            if length.replace(value).is_some_and(|other| other != value) {
                return None;
            }
        } else if field.name.eq_ignore_ascii_case("transfer-encoding") {
            let last = field.value.rsplit(|byte| *byte == b',').next().unwrap_or_default();
            transfer = Some(last.trim_ascii().eq_ignore_ascii_case(b"chunked"));
        }
    }
    Some(match (transfer, length) {
        (Some(true), _) => Coding::Chunked,
        (Some(false), _) => Coding::Other,
        (None, Some(length)) => Coding::Length(length),
        (None, None) => Coding::None,
    })
}
