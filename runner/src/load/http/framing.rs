//! Where a reply of HTTP/1.1 begins and ends: its head, and the framing of its body (RFC 9112, sections 6 and 7).
//!
//! A load generator needs little of a reply: status, the end, and sometimes the headers. So the head is parsed in place and
//! the body is only counted.

use std::mem::MaybeUninit;

use hyper::StatusCode;
use hyper::header::{HeaderMap, HeaderName, HeaderValue};

/// Largest head of a reply.
pub const MAX_HEAD: usize = 64 * 1024;
/// Most header fields of a reply.
const MAX_FIELDS: usize = 128;

/// What came back is not a reply of HTTP/1.1.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotHttp {
    /// The status line or a header field is malformed.
    #[error("what came back is not HTTP: {0}")]
    Malformed(httparse::Error),
    /// The head does not end.
    #[error("the reply's head is larger than {MAX_HEAD} bytes")]
    TooLarge,
    /// No length, or two that differ.
    #[error("the reply's content-length makes no sense")]
    Length,
    /// A chunk's size is not hexadecimal, or its data do not end where they should.
    #[error("the reply's chunked body is malformed")]
    Chunk,
    /// The connection was switched to another protocol, which nobody asked for.
    #[error("the server switched protocols without being asked")]
    Switched,
}

/// The head of a reply.
#[derive(Debug)]
pub struct Head {
    /// Its status.
    pub status: StatusCode,
    /// Its fields, if they were wanted.
    pub headers: HeaderMap,
    /// How the body ends.
    pub body: Body,
    /// Another request may follow on this connection.
    pub keep_alive: bool,
    /// Bytes of the head.
    pub length: usize,
}

/// How much of a body is still to come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Body {
    /// So many bytes.
    Bytes(u64),
    /// Chunks until an empty one.
    Chunked(Chunk),
    /// Until the connection is closed.
    UntilClosed,
}

/// Parses a head; `None` if it is not complete yet. Interim replies (1xx) are heads of their own, which the caller skips.
pub fn head(bytes: &[u8], is_head_request: bool, wants_headers: bool) -> Result<Option<Head>, NotHttp> {
    let mut fields = [const { MaybeUninit::uninit() }; MAX_FIELDS];
    let mut reply = httparse::Response::new(&mut []);
    let parsed = httparse::ParserConfig::default().parse_response_with_uninit_headers(&mut reply, bytes, &mut fields);
    let length = match parsed.map_err(NotHttp::Malformed)? {
        httparse::Status::Complete(length) if length <= MAX_HEAD => length,
        httparse::Status::Partial if bytes.len() < MAX_HEAD => return Ok(None),
        _ => return Err(NotHttp::TooLarge),
    };
    let malformed = || NotHttp::Malformed(httparse::Error::Status);
    let status = reply.code.and_then(|code| StatusCode::from_u16(code).ok()).ok_or_else(malformed)?;
    let mut framing = Framing { keep_alive: reply.version == Some(1), ..Framing::default() };
    for field in reply.headers.iter() {
        framing.look_at(field)?;
    }
    let bodiless = is_head_request || status.is_informational() || matches!(status.as_u16(), 204 | 304);
    let body = match framing {
        _ if bodiless => Body::Bytes(0),
        Framing { chunked: Some(true), .. } => Body::Chunked(Chunk::default()),
        Framing { chunked: Some(false), .. } => Body::UntilClosed,
        Framing { length: Some(length), .. } => Body::Bytes(length),
        _ => Body::UntilClosed,
    };
    // Both lengths at once: an old trick to hide a second message. The body ends where the chunks do, the connection too.
    let ambiguous = framing.chunked.is_some() && framing.length.is_some();
    let keep_alive = framing.keep_alive && !ambiguous && body != Body::UntilClosed;
    let headers = if wants_headers { collect(reply.headers) } else { HeaderMap::new() };
    Ok(Some(Head { status, headers, body, keep_alive, length }))
}

/// What the header fields say about the length of the message.
#[derive(Default)]
struct Framing {
    keep_alive: bool,
    length: Option<u64>,
    /// There is a transfer coding, and whether the last one is `chunked`.
    chunked: Option<bool>,
}

impl Framing {
    fn look_at(&mut self, field: &httparse::Header<'_>) -> Result<(), NotHttp> {
        let last_word = || field.value.rsplit(|byte| *byte == b',').next().unwrap_or_default().trim_ascii();
        // By length first: most fields are none of these.
        match field.name.len() {
            10 if field.name.eq_ignore_ascii_case("connection") => {
                for word in field.value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii) {
                    if word.eq_ignore_ascii_case(b"close") {
                        self.keep_alive = false;
                    } else if word.eq_ignore_ascii_case(b"keep-alive") {
                        self.keep_alive = true;
                    }
                }
            }
            14 if field.name.eq_ignore_ascii_case("content-length") => {
                let digits = field.value.trim_ascii();
                let is_number = !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
                let text = std::str::from_utf8(digits).ok().filter(|_| is_number);
                let length = text.and_then(|text| text.parse().ok()).ok_or(NotHttp::Length)?;
                if self.length.replace(length).is_some_and(|before| before != length) {
                    return Err(NotHttp::Length);
                }
            }
            17 if field.name.eq_ignore_ascii_case("transfer-encoding") => {
                self.chunked = Some(last_word().eq_ignore_ascii_case(b"chunked"));
            }
            _ => {}
        }
        Ok(())
    }
}

fn collect(fields: &[httparse::Header<'_>]) -> HeaderMap {
    let mut headers = HeaderMap::with_capacity(fields.len());
    for field in fields {
        // httparse has checked both.
        if let (Ok(name), Ok(value)) =
            (HeaderName::from_bytes(field.name.as_bytes()), HeaderValue::from_bytes(field.value))
        {
            headers.append(name, value);
        }
    }
    headers
}

impl Body {
    /// The body has ended.
    pub fn is_over(&self) -> bool {
        matches!(self, Self::Bytes(0) | Self::Chunked(Chunk::Over))
    }

    /// Takes what belongs to the body from the front of `bytes` and gives it to `data`; returns how many bytes were used.
    pub fn take(&mut self, bytes: &[u8], data: &mut impl FnMut(&[u8])) -> Result<usize, NotHttp> {
        match self {
            Self::UntilClosed => {
                data(bytes);
                Ok(bytes.len())
            }
            Self::Bytes(left) => {
                let used = usize::try_from(*left).unwrap_or(usize::MAX).min(bytes.len());
                data(&bytes[..used]);
                *left -= used as u64;
                Ok(used)
            }
            Self::Chunked(chunk) => {
                let mut used = 0;
                while used < bytes.len() && *chunk != Chunk::Over {
                    used += chunk.step(&bytes[used..], data)?;
                }
                Ok(used)
            }
        }
    }
}

/// Where in a chunked body the reader stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Chunk {
    /// In the digits of a size.
    Size {
        /// As far as it was read.
        size: u64,
        /// How many digits that were.
        digits: u8,
    },
    /// After the size, before its line ends: an extension, or nothing.
    Extension(u64),
    /// In the data.
    Data(u64),
    /// After the data, before the line ends.
    DataEnd,
    /// In the trailer, in a line with so many bytes (without the line end).
    Trailer(usize),
    /// The message has ended.
    Over,
}

impl Default for Chunk {
    fn default() -> Self {
        Self::Size { size: 0, digits: 0 }
    }
}

impl Chunk {
    /// Reads one byte, or one run of data. `bytes` is not empty.
    fn step(&mut self, bytes: &[u8], data: &mut impl FnMut(&[u8])) -> Result<usize, NotHttp> {
        let byte = bytes[0];
        let (next, used) = match *self {
            Self::Size { size, digits } => match (char::from(byte).to_digit(16), byte) {
                (Some(digit), _) if digits < 15 => {
                    (Self::Size { size: size * 16 + u64::from(digit), digits: digits + 1 }, 1)
                }
                (None, b'\n') if digits > 0 => (Self::after_size(size), 1),
                (None, b'\r' | b';' | b' ' | b'\t') if digits > 0 => (Self::Extension(size), 1),
                _ => return Err(NotHttp::Chunk),
            },
            Self::Extension(size) if byte == b'\n' => (Self::after_size(size), 1),
            Self::Extension(size) => (Self::Extension(size), 1),
            Self::Data(left) => {
                let used = usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len());
                data(&bytes[..used]);
                let left = left - used as u64;
                (if left == 0 { Self::DataEnd } else { Self::Data(left) }, used)
            }
            Self::DataEnd => match byte {
                b'\r' => (Self::DataEnd, 1),
                b'\n' => (Self::default(), 1),
                _ => return Err(NotHttp::Chunk),
            },
            Self::Trailer(0) if byte == b'\n' => (Self::Over, 1),
            Self::Trailer(length) => match byte {
                b'\n' => (Self::Trailer(0), 1),
                b'\r' => (Self::Trailer(length), 1),
                _ if length > MAX_HEAD => return Err(NotHttp::TooLarge),
                _ => (Self::Trailer(length + 1), 1),
            },
            Self::Over => (Self::Over, 0),
        };
        *self = next;
        Ok(used)
    }

    fn after_size(size: u64) -> Self {
        if size == 0 { Self::Trailer(0) } else { Self::Data(size) }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parse(text: &str) -> Head {
        head(text.as_bytes(), false, false).unwrap().unwrap()
    }

    /// The body, how many bytes were used and whether it is over, when the bytes come in pieces of this size.
    fn read(mut body: Body, bytes: &[u8], piece: usize) -> Result<(Vec<u8>, usize, bool), NotHttp> {
        let (mut data, mut used) = (Vec::new(), 0);
        while used < bytes.len() && !body.is_over() {
            let end = bytes.len().min(used + piece);
            used += body.take(&bytes[used..end], &mut |bytes| data.extend_from_slice(bytes))?;
        }
        Ok((data, used, body.is_over()))
    }

    #[test]
    fn the_length_of_a_body_follows_rfc_9112() {
        let ok = "HTTP/1.1 200 OK\r\n";
        let bytes = |n| Body::Bytes(n);
        let chunked = Body::Chunked(Chunk::default());
        for (fields, body, keep_alive) in [
            ("content-length: 5\r\n", bytes(5), true),
            ("content-length: 5\r\nContent-Length: 5\r\n", bytes(5), true),
            ("Transfer-Encoding: gzip, chunked\r\n", chunked.clone(), true),
            ("transfer-encoding: chunked\r\ncontent-length: 3\r\n", chunked, false),
            ("transfer-encoding: gzip\r\n", Body::UntilClosed, false),
            ("", Body::UntilClosed, false),
            ("content-length: 0\r\nconnection: keep-alive, Close\r\n", bytes(0), false),
        ] {
            let head = parse(&format!("{ok}{fields}\r\n"));
            assert_eq!((head.body, head.keep_alive), (body, keep_alive), "{fields}");
        }
        assert!(!parse("HTTP/1.0 200 OK\r\ncontent-length: 0\r\n\r\n").keep_alive);
        assert!(parse("HTTP/1.0 200 OK\r\ncontent-length: 0\r\nconnection: keep-alive\r\n\r\n").keep_alive);
        for status in ["204 No Content", "304 Not Modified", "100 Continue"] {
            assert_eq!(parse(&format!("HTTP/1.1 {status}\r\n\r\n")).body, Body::Bytes(0));
        }
        let reply = b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n";
        assert_eq!(head(reply, true, false).unwrap().unwrap().body, Body::Bytes(0), "a HEAD request");
    }

    #[test]
    fn nonsense_is_refused() {
        for (fields, error) in [
            ("content-length: 5\r\ncontent-length: 6\r\n", NotHttp::Length),
            ("content-length: -5\r\n", NotHttp::Length),
            ("content-length: 99999999999999999999\r\n", NotHttp::Length),
            ("no colon\r\n", NotHttp::Malformed(httparse::Error::HeaderName)),
        ] {
            let text = format!("HTTP/1.1 200 OK\r\n{fields}\r\n");
            assert_eq!(head(text.as_bytes(), false, false).unwrap_err(), error, "{fields}");
        }
        let endless = format!("HTTP/1.1 200 OK\r\nx: {}", "y".repeat(MAX_HEAD));
        assert_eq!(head(endless.as_bytes(), false, false).unwrap_err(), NotHttp::TooLarge);
        for chunks in ["x\r\n", "\r\n", "1\r\nab", "fffffffffffffffff\r\n"] {
            let end = read(Body::Chunked(Chunk::default()), chunks.as_bytes(), 100);
            assert_eq!(end.unwrap_err(), NotHttp::Chunk, "{chunks:?}");
        }
    }

    #[test]
    fn an_incomplete_head_is_waited_for() {
        let text = b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n";
        for end in 0..text.len() {
            assert!(head(&text[..end], false, false).unwrap().is_none(), "{end} bytes");
        }
    }

    proptest! {
        #[test]
        fn chunks_mean_the_same_however_they_are_cut(
            parts in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..300), 0..5),
            piece in 1usize..400,
            trailer in any::<bool>(),
        ) {
            let mut bytes = Vec::new();
            for part in &parts {
                bytes.extend_from_slice(format!("{:x};ext=1\r\n", part.len()).as_bytes());
                bytes.extend_from_slice(part);
                bytes.extend_from_slice(b"\r\n");
            }
            bytes.extend_from_slice(if trailer { b"0\r\nx: y\r\n\r\n" } else { b"0\r\n\r\n" });
            let whole = bytes.len();
            bytes.extend_from_slice(b"HTTP/1.1 next");
            let (data, used, over) = read(Body::Chunked(Chunk::default()), &bytes, piece).unwrap();
            prop_assert_eq!((data, used, over), (parts.concat(), whole, true));
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            drop(head(&bytes, false, true));
            drop(read(Body::Chunked(Chunk::default()), &bytes, 7));
        }
    }
}
