//! A reply, and how much of its body is kept.

use bytes::Bytes;
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
    /// Its head.
    pub headers: HeaderMap,
    /// The body as far as it was asked for: all of it (at most [`MAX_KEPT`]), or the beginning of an error's.
    pub body: Bytes,
    /// Bytes of the whole body.
    pub size: u64,
}

/// A reply whose body is being read.
pub struct Reading {
    status: StatusCode,
    headers: HeaderMap,
    kept: Kept,
    size: u64,
}

/// Most bodies are one piece, which need not be copied.
enum Kept {
    Nothing,
    One(Bytes),
    Many(Vec<u8>),
}

impl Reading {
    /// A reply whose head is there.
    pub fn new(status: StatusCode, headers: HeaderMap) -> Self {
        Self { status, headers, kept: Kept::Nothing, size: 0 }
    }

    /// The next piece of the body; `keep`: the body is wanted.
    pub fn take(&mut self, piece: Bytes, keep: bool) {
        self.size += piece.len() as u64;
        let most = match keep {
            true => MAX_KEPT,
            false if self.status.as_u16() >= 400 => EXAMPLE,
            false => return,
        };
        self.kept = match std::mem::replace(&mut self.kept, Kept::Nothing) {
            Kept::Nothing => Kept::One(piece.slice(..piece.len().min(most))),
            Kept::One(first) => {
                let mut all = first.to_vec();
                all.extend_from_slice(&piece[..piece.len().min(most - first.len().min(most))]);
                Kept::Many(all)
            }
            Kept::Many(mut all) => {
                all.extend_from_slice(&piece[..piece.len().min(most - all.len().min(most))]);
                Kept::Many(all)
            }
        };
    }

    /// The body has ended.
    pub fn finish(self) -> Reply {
        let body = match self.kept {
            Kept::Nothing => Bytes::new(),
            Kept::One(piece) => piece,
            Kept::Many(all) => all.into(),
        };
        Reply { status: self.status, headers: self.headers, body, size: self.size }
    }
}
