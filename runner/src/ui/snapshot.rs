//! Everything that the terminal screen draws, as plain data: one snapshot of the run.
//!
//! The run's loop makes it from what was measured and decided (`run::watch`), at most ten times a second, and leaves the newest one
//! where the drawing thread finds it. Nothing in here is a handle on the run, so no view can touch it.

use brunt_report::gates::so_far::GateSoFar;
pub use brunt_report::recorder::live::axis::Point;
use brunt_report::recorder::live::{LiveSpan, tables::StepStatus};
use brunt_report::results::{ErrorData, Event, ServedData};

/// The run at an instant. Instants are seconds since run zero.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Snapshot {
    /// Scenario and cell.
    pub title: String,
    /// Of this run.
    pub seed: u64,
    /// When it was taken.
    pub at_s: f64,
    /// How long the run will take if every `recover` takes all of its time; `None` without an end in sight.
    pub expected_s: Option<f64>,
    /// Where the run stands.
    pub state: State,
    /// The timeline, past and planned, in order.
    pub spans: Vec<Span>,
    /// Every turn of every fault, in the order of the timeline.
    pub faults: Vec<Fault>,
    /// Objectives, then probes.
    pub objectives: Vec<Objective>,
    /// Width of a slice of the time axis.
    pub slice_s: f64,
    /// The slices from run zero on.
    pub points: Vec<Point>,
    /// The last five seconds.
    pub recent: LiveSpan,
    /// The baseline as far as it got.
    pub base: Option<LiveSpan>,
    /// Since warm-up.
    pub total: LiveSpan,
    /// Every step.
    pub steps: Vec<StepStatus>,
    /// Who served what.
    pub instances: Vec<ServedData>,
    /// Failed requests by class and step.
    pub errors: Vec<ErrorData>,
    /// Gates by what is measured so far.
    pub gates: Vec<GateSoFar>,
    /// How the generator does.
    pub health: Health,
    /// What happened so far, oldest first.
    pub events: Vec<Event>,
}

/// Where the run stands.
#[derive(Debug, Clone, Default, PartialEq)]
pub enum State {
    /// Warm-up stages run.
    #[default]
    WarmUp,
    /// Waits for the steady state before the timeline.
    Waiting,
    /// The timeline runs.
    Running,
    /// A person holds the timeline since this instant.
    Held(f64),
    /// The timeline is over, load or open requests are not.
    Draining,
    /// The run was stopped; what is in place comes off. Says why it was stopped.
    RollingBack(String),
    /// Load and faults are over; services end and the report is written.
    Ending,
}

/// What a span of the timeline is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SpanKind {
    /// Warm-up stages.
    WarmUp,
    /// The wait for the steady state.
    Waiting,
    /// The reference window.
    Baseline,
    /// Nothing happens.
    Pause,
    /// One fault or several at once.
    Fault,
    /// The wait for the steady state after faults.
    Recover,
}

/// A span of the timeline: as it was, or as it is planned.
#[derive(Debug, Clone, PartialEq)]
pub struct Span {
    /// What it is.
    pub kind: SpanKind,
    /// What stands on it.
    pub label: String,
    /// Its beginning.
    pub from_s: f64,
    /// Its end; planned while it is still to come.
    pub to_s: f64,
    /// It has begun.
    pub begun: bool,
    /// It is over.
    pub over: bool,
}

/// Where a turn of a fault stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum FaultStep {
    /// Not asked for yet.
    #[default]
    Planned,
    /// Asked for.
    Injecting,
    /// In place.
    Active,
    /// The undo was asked for.
    Removing,
    /// Undone; of an instant fault: its target is whole again.
    Removed,
    /// It could not be injected, or not be undone.
    Failed,
}

/// What was seen of a fault's effect.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum Seen {
    /// Not looked at yet, or never injected.
    #[default]
    Unknown,
    /// Seen; says how.
    Verified(String),
    /// No traffic has exercised it.
    NotExercised(String),
    /// Looked for and not there.
    Absent(String),
}

/// One turn of a fault.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Fault {
    /// Its id.
    pub id: String,
    /// Which round, from 1.
    pub round: u32,
    /// Of how many.
    pub rounds: u32,
    /// `network.latency`.
    pub kind: String,
    /// Its parameters in words.
    pub with: String,
    /// Its target.
    pub target: String,
    /// Who was hit.
    pub instances: Vec<String>,
    /// Where it stands.
    pub step: FaultStep,
    /// Since when it has stood there, or from when to when it was in place.
    pub from_s: Option<f64>,
    /// Its end.
    pub to_s: Option<f64>,
    /// How long it is to last; `None` for instant ones.
    pub lasts_s: Option<f64>,
    /// What was seen.
    pub seen: Seen,
    /// How it is done: "proxy", "signal".
    pub mechanism: String,
    /// Whether the state equals the one before; `None` while that is not known, or where there is nothing to undo.
    pub undone: Option<bool>,
}

/// An objective or a probe.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Objective {
    /// Its id.
    pub id: String,
    /// It belongs to the steady state.
    pub steady: bool,
    /// `None`: not known.
    pub holds: Option<bool>,
    /// Since when.
    pub since_s: Option<f64>,
    /// `p99 1.28 s > 400 ms`, or what a probe last complained of.
    pub text: String,
    /// An upper limit on a latency, for the plot: milliseconds.
    pub latency_limit_ms: Option<f64>,
}

/// How the generator does.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Health {
    /// Of one core a worker, over the last second; 0 to 1.
    pub cpu: f64,
    /// 99th percentile of the send lag since warm-up, milliseconds.
    pub lag_p99_ms: Option<f64>,
    /// Requests that are open.
    pub open: u64,
    /// Arrivals above `max_in_flight`.
    pub dropped: u64,
    /// Neither late nor busy: what is measured is the system and not brunt. Judged finally at the end.
    pub ok: bool,
}
