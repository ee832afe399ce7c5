//! The first so many bytes of a body, in the framing of the whole.

use bytes::{Buf, Bytes, BytesMut};

use crate::fault::http::replies::Rewrite;
use crate::proxy::{Body, Chunked, Direction, Outlet};

/// A body that is being cut short.
pub(super) struct Cut {
    /// How much may still go on.
    left: u64,
    /// Where in the body as the target sends it.
    body: Body,
    /// More than that has come.
    cut: bool,
}

impl Cut {
    /// The first `size` bytes of `body`.
    pub fn new(size: u64, body: Body) -> Self {
        Self { left: size, body, cut: false }
    }

    /// Takes what may go on from the front of `content`.
    fn part(&mut self, content: &Bytes) -> Bytes {
        let used = self.left.min(content.len() as u64);
        self.left -= used;
        self.cut |= used < content.len() as u64;
        content.slice(..used as usize)
    }

    /// A chunk for each run of content, so that nothing waits for the end of a long chunk. Extensions go, as a proxy may do
    /// (RFC 9112 section 7.1.1); trailers stay if the body was not cut.
    fn chunks(&mut self, mut bytes: Bytes, outlet: &mut Outlet<'_>) {
        let mut out = BytesMut::new();
        while let (Body::Chunked(chunked), false) = (self.body, bytes.is_empty() || self.cut) {
            match chunked {
                Chunked::Data(left) => {
                    let run = bytes.split_to(left.min(bytes.len() as u64) as usize);
                    self.follow(&run);
                    let part = self.part(&run);
                    if !part.is_empty() {
                        out.extend_from_slice(format!("{:x}\r\n", part.len()).as_bytes());
                        out.extend_from_slice(&part);
                        out.extend_from_slice(b"\r\n");
                    }
                    if self.cut {
                        out.extend_from_slice(b"0\r\n\r\n");
                    }
                }
                Chunked::Trailer(_) => {
                    let byte = bytes.get_u8();
                    self.follow(&[byte]);
                    out.extend_from_slice(&[byte]);
                }
                Chunked::Size(_) | Chunked::Extension(_) | Chunked::DataEnd => {
                    self.follow(&[bytes.get_u8()]);
                    if matches!(self.body, Body::Chunked(Chunked::Trailer(_))) {
                        out.extend_from_slice(b"0\r\n");
                    }
                }
            }
        }
        outlet.pass(Direction::From, out.freeze());
    }

    fn follow(&mut self, bytes: &[u8]) {
        // The connection's own parser has taken these bytes for a part of the body before they came here.
        let _ = self.body.take(bytes);
    }
}

impl Rewrite for Cut {
    fn write(&mut self, bytes: &Bytes, outlet: &mut Outlet<'_>) {
        if self.cut {
            return;
        }
        match self.body {
            Body::Chunked(_) => self.chunks(bytes.clone(), outlet),
            Body::Length(_) | Body::UntilClose => {
                let part = self.part(bytes);
                outlet.pass(Direction::From, part);
            }
        }
    }

    fn end(&mut self) -> bool {
        self.cut
    }
}
