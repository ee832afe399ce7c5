//! A reply, and how much of its body is kept.

use hyper::StatusCode;
use hyper::header::HeaderMap;

/// Most of a body that is kept for checks and extracts.
pub const MAX_KEPT: usize = 1024 * 1024;
/// How much of an error's body is kept for its example.
const EXAMPLE: usize = 160;

/// A reply that was read to its end.
#[derive(Debug)]
pub struct Reply {
    /// Its status.
    pub status: StatusCode,
    /// Its header fields, if they were wanted.
    pub headers: HeaderMap,
    /// The body as far as it was wanted: all of it (at most [`MAX_KEPT`]), or the beginning of an error's.
    pub body: Vec<u8>,
    /// Bytes of the whole body.
    pub size: u64,
}

/// A reply whose body is being read.
pub struct Reading {
    reply: Reply,
    most: usize,
}

impl Reading {
    /// A reply whose head is there; `keep_body`: the body is wanted.
    pub fn new(status: StatusCode, headers: HeaderMap, keep_body: bool) -> Self {
        let most = match keep_body {
            true => MAX_KEPT,
            false if status.as_u16() >= 400 => EXAMPLE,
            false => 0,
        };
        Self { reply: Reply { status, headers, body: Vec::new(), size: 0 }, most }
    }

    /// The next piece of the body.
    pub fn take(&mut self, piece: &[u8]) {
        self.reply.size += piece.len() as u64;
        let room = self.most - self.reply.body.len();
        if room > 0 {
            self.reply.body.extend_from_slice(&piece[..piece.len().min(room)]);
        }
    }

    /// The body has ended.
    pub fn finish(self) -> Reply {
        self.reply
    }
}
