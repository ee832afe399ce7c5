//! What a client sends: heads and bodies of requests, in pieces as they come.

use super::Owed;
use super::body::{Body, Chunked};
use super::head::{Coding, HEAD_LIMIT, Kept, Parsed, State, coding, no_fields, says};

/// The parser of what a client sends.
#[derive(Debug, Clone)]
pub(crate) struct Requests {
    state: State,
    kept: Kept,
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
        Self { state: State::Head, kept: Kept::default() }
    }

    /// From now on what the parser keeps is withheld from the upstream; so far it only followed what passed.
    pub(super) fn take_over(&mut self) {
        self.kept.take_over();
    }

    /// Parses no more. Returns the beginning of a head that is withheld.
    pub fn let_go(&mut self) -> Vec<u8> {
        self.stop();
        self.kept.let_go()
    }

    /// Whether nothing is parsed any more.
    pub(super) fn is_opaque(&self) -> bool {
        self.state == State::Opaque
    }

    /// Parses no more; a kept beginning is handed out with the next bytes, or by [`Requests::let_go`].
    pub(super) fn stop(&mut self) {
        self.state = State::Opaque;
        self.kept.forget_given();
    }

    /// Looks at the start of `input`, which is not empty. Returns how many bytes of it the step covers.
    pub fn step<'a>(&'a mut self, input: &'a [u8]) -> (usize, RequestStep<'a>) {
        self.kept.forget_given();
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
        self.kept.with(input);
        let (text, passed) = self.kept.give(input);
        (input.len(), RequestStep::Opaque(&text[passed..]))
    }

    fn head<'a>(&'a mut self, input: &'a [u8]) -> (usize, RequestStep<'a>) {
        let before = self.kept.len();
        match parse(self.kept.with(input)) {
            Parsed::Whole(shape) if shape.length <= HEAD_LIMIT => {
                self.state = if shape.body.is_empty() { State::Head } else { State::Body(shape.body) };
                let (text, passed) = self.kept.give(input);
                (shape.length - before, RequestStep::Head(shape.of(text, passed)))
            }
            Parsed::Partial if before + input.len() <= HEAD_LIMIT => {
                self.kept.keep(input);
                (input.len(), RequestStep::More)
            }
            Parsed::Whole(_) | Parsed::Partial | Parsed::Broken => {
                self.state = State::Opaque;
                let (text, passed) = self.kept.give(input);
                (input.len(), RequestStep::Opaque(&text[passed..]))
            }
        }
    }
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

fn parse(text: &[u8]) -> Parsed<RequestShape> {
    let mut fields = no_fields();
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
