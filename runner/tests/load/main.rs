//! The load engine against real servers on loopback.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod failures;
mod replies;
mod rig;
mod schedule;
mod server;
