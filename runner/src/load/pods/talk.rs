//! What the runner and a worker in a pod say to each other.
//!
//! ```text
//! runner ── standard input (attach): orders, pings ──> worker
//!        <─ standard error (attach): answers ─────────
//!        <─ standard output (the pod's log): results ─      line.rs
//! ```
//!
//! Orders are numbered, each answer says which was heard last, and what was not heard is said again after a connection has
//! broken. All lines have the form of [`super::line`]; those of orders and answers are whole messages of their own.

use brunt_scenario::plan::Sending;
use brunt_scenario::units::Offset;
use serde::{Deserialize, Serialize};

use crate::load::destinations::Place;
use crate::load::worker::WorkerEnd;

/// From the runner.
#[derive(Serialize, Deserialize)]
pub enum ToWorker {
    /// Are you there, and what time is it?
    Ping {
        /// Counted up.
        number: u64,
        /// Lines of results before this one have arrived: nobody asks for them again.
        due: u64,
    },
    /// To be carried out, in the order of the numbers, once each.
    Order {
        /// Counted up from 1.
        number: u64,
        /// What.
        order: Order,
    },
    /// Lines of results are missing: all from this one on, again.
    Again {
        /// Its number.
        due: u64,
    },
}

/// What a worker has to do.
#[derive(Clone, Serialize, Deserialize)]
pub enum Order {
    /// The first one: what to send, and which part of it.
    Plan(Box<Part>),
    /// Begin.
    Begin {
        /// Run zero, in nanoseconds on the worker's CLOCK_MONOTONIC.
        zero_ns: u64,
        /// When the schedule starts.
        at: Offset,
    },
    /// A load gets another level.
    Change {
        /// Index of its entry.
        load: usize,
        /// So many times its written curve.
        factor: f64,
        /// From then on.
        at: Offset,
    },
    /// Open-ended load ends then.
    EndTimeline(Offset),
    /// All load ends then.
    Stop(Offset),
    /// All load ends now.
    Abort,
    /// Everything has arrived: the worker may end.
    Bye,
}

/// A worker's part of a load.
#[derive(Clone, Serialize, Deserialize)]
pub struct Part {
    /// Both ends are one version of brunt, or nothing of this can be relied on.
    pub version: String,
    /// What is sent.
    pub sending: Sending,
    /// Which worker this is.
    pub index: usize,
    /// Of how many.
    pub of: usize,
    /// Any certificate will do.
    pub insecure: bool,
}

/// From the worker, at once.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum FromWorker {
    /// To a ping.
    Pong {
        /// Its number.
        number: u64,
        /// What the worker's clocks say.
        time: Reading,
        /// The last order that was heard.
        heard: u64,
        /// Lines of results that were written so far.
        written: u64,
        /// Processor time so far, nanoseconds.
        used_ns: u64,
    },
    /// The plan is understood, and what load goes to can be reached from here.
    Ready {
        /// Of the schedule that was made of it.
        digest: String,
        /// What a person should know.
        notes: Vec<String>,
    },
    /// It cannot be carried out, in words.
    Refused {
        /// Why.
        why: String,
    },
}

/// What a worker's clocks say at one instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reading {
    /// CLOCK_MONOTONIC, nanoseconds: what everything is measured with.
    pub monotonic_ns: u64,
    /// Wall time since 1970, nanoseconds: what people see.
    pub wall_ns: u64,
}

/// What results consist of; each is a message of its own.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Result {
    /// The addresses behind each destination, and who they say answers, in the order of the indices in the samples; before the first batch, and again
    /// when there are more.
    Addresses(Vec<Vec<Place>>),
    /// What came of it all; the last message.
    Over(Box<Over>),
}

/// A worker's last word.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Over {
    /// What the schedule asked for.
    pub end: WorkerEnd,
    /// Requests outside warm-up that were measured here: as many must have arrived.
    pub requests: u64,
    /// Their latencies as they were counted here: an HDR histogram of microseconds, V2 deflate, base64.
    pub latency: String,
    /// How late arrivals were handled, milliseconds: median, 99th percentile, largest.
    pub lag_ms: Option<[f64; 3]>,
    /// From the agreed start to the first arrival that was handled, less when that was due, nanoseconds.
    pub first_lag_ns: u64,
    /// Processor time, nanoseconds.
    pub used_ns: u64,
}

/// How the bytes of a message of results begin.
pub const BATCH: u8 = b'b';
/// The same for a [`Result`].
pub const RESULT: u8 = b'r';
