//! The reply that stands in for the target's.

use bytes::{BufMut, Bytes, BytesMut};

/// A complete HTTP/1.1 reply, written once and sent many times.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Answer {
    /// Status line and fields, without the empty line.
    head: String,
    body: String,
}

impl Answer {
    /// A reply with this status; without a body of its own it says who made it.
    pub fn new(status: u16, body: Option<&str>) -> Self {
        let empty = matches!(status, 204 | 304);
        let body = if empty { "" } else { body.unwrap_or("injected by brunt: http.error\n") };
        let media = if body.starts_with(['{', '[']) { "application/json" } else { "text/plain; charset=utf-8" };
        let mut head = format!("HTTP/1.1 {status} {}\r\n", reason(status));
        if !empty {
            head += &format!("content-type: {media}\r\ncontent-length: {}\r\n", body.len());
        }
        Self { head, body: body.to_owned() }
    }

    /// The bytes for one request: without the body for HEAD, and with the word that the connection closes.
    pub fn to(&self, bodyless: bool, closes: bool) -> Bytes {
        let body = if bodyless { "" } else { self.body.as_str() };
        let close = if closes { "connection: close\r\n" } else { "" };
        let mut bytes = BytesMut::with_capacity(self.head.len() + close.len() + 2 + body.len());
        for part in [self.head.as_str(), close, "\r\n", body] {
            bytes.put_slice(part.as_bytes());
        }
        bytes.freeze()
    }
}

/// The phrase of RFC 9110 section 15; statuses that few use go without.
fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        204 => "No Content",
        304 => "Not Modified",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        408 => "Request Timeout",
        409 => "Conflict",
        429 => "Too Many Requests",
        500 => "Internal Server Error",
        501 => "Not Implemented",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        _ => "",
    }
}
