//! The load engine against real servers on loopback.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod connections;
mod data;
mod failures;
mod names;
mod replies;
mod rig;
mod schedule;
mod server;
mod shapes;
mod until;
