//! `http.body` on a link: the body of matching replies is replaced, or cut short.
//!
//! *What the service feels*: a target whose replies are well-formed as messages and wrong inside. With `replace` the body is
//! that text; with `truncate` it is the first so many bytes of what the target sent. The framing always fits: a
//! `content-length` is written anew, a chunked body stays chunked, one that lasts until the close still does when it is cut
//! (a replaced one gets a length, and `connection: close`). Replies without a body (to HEAD, 204, 304, 1xx, upgrades) are
//! untouched, and so are those that are not longer than `truncate`.
//!
//! *Codings*: what is replaced is plain text, so `content-encoding` goes with the old body. What is cut is the bytes as they
//! travel: half of a gzip stream is a broken gzip stream, and `content-encoding` still names it. `content-type`, `etag`,
//! digests and ranges stay as they were; a client that checks them will notice. The trailers of a chunked body go with the
//! part that is cut off. `share` is a share of the matching replies with a body.
//! *Privileges*: none. *Verified*: at least one body was changed. *Undone*: a body that is being changed is changed to its
//! end, later ones are untouched.

mod cut;
#[cfg(test)]
mod tests;

use std::io;
use std::sync::Arc;

use brunt_scenario::plan::Params;
use bytes::Bytes;

use super::fields::rewrite;
use super::matching::Which;
use super::replies::{Change, ChangeReplies, Rest, Rewrite};
use crate::error::Error;
use crate::fault::Seen;
use crate::fault::link::{amount, nothing_hit, share, text};
use crate::proxy::{Arrival, Body, Counted, FaultCounters, Layer, Look, Outlet, ReplyHead, Shape, Stage, StreamFault};
use cut::Cut;

/// The kind, as in the catalogue.
pub const KIND: &str = "http.body";

/// The parameters.
#[derive(Debug, Clone, PartialEq)]
struct OtherBody {
    becomes: Becomes,
    which: Which,
    share: f64,
}

/// What a body becomes.
#[derive(Debug, Clone, PartialEq)]
enum Becomes {
    /// This text.
    Text(Arc<str>),
    /// Its first so many bytes.
    First(u64),
}

/// Reads `replace` or `truncate`, `path`, `method` (any) and `share` (all).
pub fn from_params(with: &Params) -> Result<StreamFault, Error> {
    let unfit = |why: &str| Error::Unfit { kind: KIND.into(), why: why.into() };
    let becomes = match (text(KIND, with, "replace")?, with.number("truncate")) {
        (Some(text), None) => Becomes::Text(text.into()),
        (None, Some(size)) => Becomes::First(size),
        (None, None) => {
            return Err(unfit("it needs `replace`, as in `replace: oops`, or `truncate`, as in `truncate: 10B`"));
        }
        (Some(_), Some(_)) => return Err(unfit("`replace` and `truncate` exclude each other")),
    };
    Ok(StreamFault::new(OtherBody { becomes, which: Which::from_params(KIND, with)?, share: share(with) }))
}

impl Shape for OtherBody {
    fn layer(&self) -> Layer {
        Layer::Http
    }

    fn share(&self) -> f64 {
        self.share
    }

    fn stage(&self, arrival: Arrival<'_>, counters: &Arc<FaultCounters>) -> Box<dyn Stage> {
        ChangeReplies::stage(self.becomes.clone(), self.which.clone(), arrival, counters)
    }

    fn verify(&self, counted: &Counted, _: &mut dyn FnMut() -> io::Result<Look>) -> Seen {
        let what = match self.becomes {
            Becomes::Text(_) => "matching body",
            Becomes::First(_) => "matching and longer body",
        };
        nothing_hit(counted, self.share, what)
            .unwrap_or_else(|| Seen::Yes(format!("changed {}", amount(counted.affected, "body"))))
    }
}

impl Change for Becomes {
    fn fits(&self, head: &ReplyHead<'_>) -> bool {
        head.may_have_body
            && match (self, head.body) {
                (Self::First(size), Body::Length(length)) => length > *size,
                _ => true,
            }
    }

    fn change(&self, head: &ReplyHead<'_>) -> (Vec<u8>, Rest) {
        match self {
            Self::Text(text) => (replaced(head, text), Rest::Through(Box::new(Nothing))),
            Self::First(size) => {
                let raw = match head.body {
                    Body::Length(_) => {
                        let length = size.to_string();
                        rewrite(head.raw, |name| is("content-length", name), [("content-length", length.as_str())])
                    }
                    Body::Chunked(_) | Body::UntilClose => head.raw.to_vec(),
                };
                (raw, Rest::Through(Box::new(Cut::new(*size, head.body))))
            }
        }
    }
}

fn is(one: &str, other: &str) -> bool {
    one.eq_ignore_ascii_case(other)
}

/// The head with the length of the new body, and the new body.
fn replaced(head: &ReplyHead<'_>, text: &str) -> Vec<u8> {
    let closes = head.body == Body::UntilClose;
    let gone = |name: &str| {
        ["content-length", "transfer-encoding", "content-encoding", "trailer"].iter().any(|field| is(field, name))
            || closes && is("connection", name)
    };
    let length = text.len().to_string();
    let added = [("content-length", length.as_str()), ("connection", "close")];
    let mut bytes = rewrite(head.raw, gone, added.into_iter().take(if closes { 2 } else { 1 }));
    bytes.extend_from_slice(text.as_bytes());
    bytes
}

/// The new body went out with the head; of the old one nothing does.
struct Nothing;

impl Rewrite for Nothing {
    fn write(&mut self, _: &Bytes, _: &mut Outlet<'_>) {}

    fn end(&mut self) -> bool {
        true
    }
}
