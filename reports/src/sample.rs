//! Facts that the load workers and the timeline hand to the recorder. Plain data without behaviour; every derived value is
//! computed later, elsewhere.
//!
//! A worker appends to vectors of its own and hands a [`Batch`] over every 50 ms; nothing is shared in the hot path. The
//! recorder files a batch with the window edges that it knows by then. An edge is stamped while the lock of the window log
//! is held, and the recorder reads the log after it got the batch, so an edge that lies before the end of a request is always
//! known when the request is filed: windows are exact without any hand-shake with the workers.

use brunt_scenario::plan::{Plan, Step};
use brunt_scenario::units::Offset;
use serde::{Deserialize, Serialize};

/// One request step of one journey: the finest unit that is measured. Its index in [`series_of`] stands in the samples.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Series {
    /// The journey's name.
    pub journey: String,
    /// The step's id.
    pub step: String,
}

/// All series of a plan, journey by journey, in the order of the steps. Workers, recorder and report use the same indices.
pub fn series_of(plan: &Plan) -> Vec<Series> {
    let mut all = Vec::new();
    for journey in &plan.journeys {
        for step in &journey.steps {
            if let Step::Request(request) = step {
                all.push(Series { journey: journey.name.clone(), step: request.id.clone() });
            }
        }
    }
    all
}

/// Errors by what a person would act on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum ErrorClass {
    /// The name did not resolve.
    #[serde(rename = "dns")]
    Dns,
    /// Nothing listens there.
    #[serde(rename = "connect.refused")]
    ConnectRefused,
    /// The connection did not open in time.
    #[serde(rename = "connect.timeout")]
    ConnectTimeout,
    /// The TLS handshake failed.
    #[serde(rename = "tls")]
    Tls,
    /// An open connection broke.
    #[serde(rename = "reset")]
    Reset,
    /// The step's timeout.
    #[serde(rename = "timeout")]
    Timeout,
    /// Open when the drain ended.
    #[serde(rename = "unfinished")]
    Unfinished,
    /// Status 500 to 599.
    #[serde(rename = "status.5xx")]
    Status5xx,
    /// Status 400 to 499.
    #[serde(rename = "status.4xx")]
    Status4xx,
    /// A `check:` failed.
    #[serde(rename = "check")]
    Check,
    /// What came back is not HTTP.
    #[serde(rename = "protocol")]
    Protocol,
}

impl ErrorClass {
    /// All of them, in the order in which tables show them.
    pub const ALL: [Self; 11] = [
        Self::Dns,
        Self::ConnectRefused,
        Self::ConnectTimeout,
        Self::Tls,
        Self::Reset,
        Self::Timeout,
        Self::Unfinished,
        Self::Status5xx,
        Self::Status4xx,
        Self::Check,
        Self::Protocol,
    ];

    /// As it stands in results.json and in tables.
    pub fn word(self) -> &'static str {
        match self {
            Self::Dns => "dns",
            Self::ConnectRefused => "connect.refused",
            Self::ConnectTimeout => "connect.timeout",
            Self::Tls => "tls",
            Self::Reset => "reset",
            Self::Timeout => "timeout",
            Self::Unfinished => "unfinished",
            Self::Status5xx => "status.5xx",
            Self::Status4xx => "status.4xx",
            Self::Check => "check",
            Self::Protocol => "protocol",
        }
    }
}

/// One request that has ended, or that was still open when the drain ended (then `error` is `Unfinished` and `done` the end
/// of the drain).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Request {
    /// Index into [`series_of`].
    pub series: u16,
    /// Index of the instance or address that served it, in the order of the target's addresses; `u16::MAX` if none was reached.
    pub instance: u16,
    /// `None`: as expected.
    pub error: Option<ErrorClass>,
    /// Its intended start lies in a warm-up stage of its load.
    pub warmup: bool,
    /// When it should have started: the schedule's instant, or the end of the previous step and its think time.
    pub intended: Offset,
    /// When its first byte was handed to the connection; `None` if no connection was had.
    pub sent: Option<Offset>,
    /// When the head of the reply was there.
    pub first_byte: Option<Offset>,
    /// When its last byte was there, or when it failed.
    pub done: Offset,
    /// Waiting for a connection, nanoseconds.
    pub queued_ns: u64,
    /// Time to open the connection, TCP and TLS together, when one was opened for this request, nanoseconds; else 0.
    pub connect_ns: u64,
}

/// One iteration of a journey that has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Iteration {
    /// Index into the plan's journeys.
    pub journey: u16,
    /// No step failed.
    pub ok: bool,
    /// Started in a warm-up stage.
    pub warmup: bool,
    /// The schedule's instant.
    pub intended: Offset,
    /// When its last step ended.
    pub done: Offset,
    /// From the intended start to the end, without think time, nanoseconds.
    pub busy_ns: u64,
}

/// A further request of a step that asks until the reply is as wanted (`retry_until`). The step is one [`Request`], which
/// begins with its first request and ends with its last; every request between them went over the wire too, and counts in
/// the rates and nowhere else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Repeat {
    /// Index into [`series_of`].
    pub series: u16,
    /// The step's intended start lies in a warm-up stage.
    pub warmup: bool,
    /// When it was sent; the request before it had ended by then.
    pub at: Offset,
}

/// One arrival that a worker handled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Arrival {
    /// Index into the plan's load entries.
    pub load: u16,
    /// Index into the plan's journeys: the one that it takes, or would have taken.
    pub journey: u16,
    /// It was above `max_in_flight`: no iteration was started.
    pub dropped: bool,
    /// In a warm-up stage.
    pub warmup: bool,
    /// The schedule's instant.
    pub intended: Offset,
    /// When the worker handled it minus `intended`, nanoseconds. 0 for the closed model.
    pub lag_ns: u64,
}

/// A request that is open at the end of a batch: it counts with its age as latency, so that a blackhole is seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OpenRequest {
    /// Index into [`series_of`].
    pub series: u16,
    /// In a warm-up stage.
    pub warmup: bool,
    /// When it should have started.
    pub intended: Offset,
}

/// What an error looked like; at most three a class and series are kept, secrets masked by the worker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ErrorExample {
    /// Index into [`series_of`].
    pub series: u16,
    /// Its class.
    pub class: ErrorClass,
    /// When.
    pub at: Offset,
    /// What a person needs to know: "POST /orders answered 503", "connection refused by 127.0.0.1:8080".
    pub text: String,
}

/// What one worker saw since its last batch.
#[derive(Debug, Clone, Default)]
pub struct Batch {
    /// Which worker.
    pub worker: usize,
    /// Everything that ended before this instant is in this batch or an earlier one of this worker.
    pub upto: Offset,
    /// Requests that ended.
    pub requests: Vec<Request>,
    /// Further requests of steps that ask again.
    pub repeats: Vec<Repeat>,
    /// Iterations that ended.
    pub iterations: Vec<Iteration>,
    /// Arrivals that were handled.
    pub arrivals: Vec<Arrival>,
    /// Requests that are open now (all of them, not only new ones).
    pub open: Vec<OpenRequest>,
    /// New examples of errors.
    pub examples: Vec<ErrorExample>,
    /// Most iterations open at once since the last batch.
    pub in_flight_max: usize,
}
