//! Faults by request, on a link that carries HTTP/1.x in plain text.
//!
//! They begin at a request boundary: a request whose head had begun to pass when the fault came is left alone, and so is one
//! whose body is half-way. Replies that were owed then are passed first. A connection that has become something else (by an
//! upgrade, or because it never was HTTP/1.x) is left alone for good.

pub mod abort;
pub mod body;
pub mod error;
mod fields;
pub mod header;
pub mod latency;
pub mod matching;
mod replies;
