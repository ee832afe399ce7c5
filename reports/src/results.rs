//! results.json: the whole of a run as plain, versioned data. Every rendering is a pure function of it.
//!
//! Units stand in the names: `_s` seconds, `_ms` milliseconds, rates a second, `error_rate` a fraction from 0 to 1. A window
//! with no samples has `null` percentiles, never 0.

pub(crate) mod faults;
pub(crate) mod guardrails;
mod layout;
pub(crate) mod plan_words;
pub(crate) mod windows;

use std::collections::BTreeMap;
use std::time::Duration;

use brunt_scenario::units::Offset;
use serde::{Deserialize, Serialize};

/// The schema's name, in the field `schema`.
pub const SCHEMA: &str = "brunt.results/1";

/// A results.json cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// Not JSON, or not the JSON of a run.
    #[error("not a results.json")]
    NotResults(#[source] serde_json::Error),
    /// Something is missing or of another type.
    #[error("not a whole {SCHEMA}")]
    NotWhole(#[source] serde_json::Error),
    /// Written by another version of brunt.
    #[error("this is `{0}`, and this version reads {SCHEMA}")]
    OtherVersion(String),
}

/// Reads results.json. The schema is looked at first, so that a file of another version is called that, and not broken.
pub fn read(text: &str) -> Result<Results, ReadError> {
    #[derive(Deserialize)]
    struct Marked {
        schema: String,
    }
    let marked: Marked = serde_json::from_str(text).map_err(ReadError::NotResults)?;
    if marked.schema != SCHEMA {
        return Err(ReadError::OtherVersion(marked.schema));
    }
    serde_json::from_str(text).map_err(ReadError::NotWhole)
}

/// Writes results.json, a line break at its end. The same results give the same bytes.
pub fn write(results: &Results) -> String {
    let mut bytes = Vec::new();
    let mut serializer = serde_json::Serializer::with_formatter(&mut bytes, layout::Layout::default());
    results
        .serialize(&mut serializer)
        .expect("plain data whose keys are strings has a JSON form, and a vector takes it");
    bytes.push(b'\n');
    String::from_utf8(bytes).expect("JSON is UTF-8")
}

/// An instant in seconds, to the microsecond: how every `_s` is written.
pub fn seconds(at: Offset) -> f64 {
    rounded_seconds(at.as_secs_f64())
}

/// A span in seconds, to the microsecond.
pub fn seconds_of(span: Duration) -> f64 {
    rounded_seconds(span.as_secs_f64())
}

/// Seconds, a rate or a fraction, to six places.
pub fn rounded_seconds(value: f64) -> f64 {
    (value * 1e6).round() / 1e6
}

/// Microseconds in milliseconds, to the microsecond: how every `_ms` is written.
pub fn millis_of_micros(micros: f64) -> f64 {
    micros.round() / 1e3
}

/// A run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Results {
    /// [`SCHEMA`].
    pub schema: String,
    /// Small, made for `jq`.
    pub summary: Summary,
    /// Histograms and slices: what the charts are drawn from.
    pub series: Vec<SeriesData>,
    /// Spans of all windows, `recovery:<id>` included, for fault bands.
    pub spans: Vec<SpanData>,
    /// The objectives and where they were broken.
    pub slos: Vec<SloData>,
    /// Load changes of the timeline, in order of time.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub load_changes: Vec<LoadChangeData>,
    /// What happened, in order of time.
    pub events: Vec<Event>,
    /// Probes.
    pub probes: Vec<ProbeData>,
    /// What was asked for.
    pub plan: PlanData,
    /// Where it ran.
    pub environment: Environment,
}

/// The part for machines that want one number.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// pass, fail, invalid, inconclusive or aborted.
    pub verdict: Verdict,
    /// The verdict in words.
    pub sentence: String,
    /// As the process exits.
    pub exit_code: u8,
    /// The scenario's name.
    pub scenario: String,
    /// Copied from the scenario.
    pub labels: BTreeMap<String, String>,
    /// Digest of the scenario.
    pub scenario_sha256: String,
    /// Digest of arrivals and fault decisions.
    pub schedule_digest: String,
    /// The seed of the run.
    pub seed: u64,
    /// RFC 3339, UTC.
    pub started_at: String,
    /// From run zero to the last arrival.
    pub duration_s: f64,
    /// Version of brunt.
    pub brunt_version: String,
    /// By name: all requests pooled.
    pub windows: BTreeMap<String, WindowData>,
    /// Journey, then step, then `windows`.
    pub steps: BTreeMap<String, BTreeMap<String, StepData>>,
    /// Judged, in the order of the scenario.
    pub gates: Vec<GateData>,
    /// What would have stopped the run, in the order of the scenario.
    #[serde(default)]
    pub guardrails: Vec<GuardrailData>,
    /// In the order of the timeline.
    pub faults: Vec<FaultData>,
    /// The worst first.
    pub findings: Vec<Finding>,
    /// By class and step, most frequent first.
    pub errors: Vec<ErrorData>,
    /// Whether the measurement can be trusted.
    pub health: Health,
}

/// The five verdicts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Every gate held.
    Pass,
    /// A gate failed.
    Fail,
    /// The measurement cannot be trusted, or the steady state was not met to begin with.
    Invalid,
    /// Too little data.
    Inconclusive,
    /// A guardrail or a person.
    Aborted,
}

/// Requests of one window.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WindowData {
    /// First instant of its first span.
    pub from_s: f64,
    /// Last instant of its last span.
    pub to_s: f64,
    /// Sum of its spans.
    pub length_s: f64,
    /// Requests that belong to it.
    pub requests: u64,
    /// Of these, failed.
    pub errors: u64,
    /// errors / requests; null without requests.
    pub error_rate: Option<f64>,
    /// Requests whose intended start lies in it, a second (dropped arrivals and `repeats` included).
    pub offered_per_s: f64,
    /// Requests that ended in it, a second (`repeats` included).
    pub completed_per_s: f64,
    /// Arrivals above `max_in_flight` whose intended start lies in it.
    pub dropped: u64,
    /// Further requests of `retry_until` steps that were sent in it; a step that asks five times is one of `requests`.
    #[serde(default)]
    pub repeats: u64,
    /// Requests that were open when the drain ended.
    pub unfinished: u64,
    /// Requests that failed a check.
    pub check_failures: u64,
    /// From the intended start to the last byte.
    pub latency_ms: LatencyData,
    /// From the first write to the last byte.
    pub service_ms: LatencyData,
}

/// A latency distribution in milliseconds; null without samples.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct LatencyData {
    /// 50th percentile.
    pub p50: Option<f64>,
    /// 90th percentile.
    pub p90: Option<f64>,
    /// 95th percentile.
    pub p95: Option<f64>,
    /// 99th percentile.
    pub p99: Option<f64>,
    /// 99.9th percentile.
    pub p99_9: Option<f64>,
    /// Largest.
    pub max: Option<f64>,
    /// Arithmetic mean.
    pub mean: Option<f64>,
}

/// One step's windows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StepData {
    /// By name.
    pub windows: BTreeMap<String, WindowData>,
}

/// What a gate came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GateVerdict {
    /// It held.
    Pass,
    /// It did not.
    Fail,
    /// Too few samples, or the window cannot be trusted.
    Inconclusive,
    /// Its window was prevented by an abort or a signal.
    NotReached,
}

/// One gate.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GateData {
    /// Its id.
    pub id: String,
    /// What it came to.
    pub verdict: GateVerdict,
    /// `latency.p99`.
    pub metric: String,
    /// Only this journey's requests.
    pub journey: Option<String>,
    /// Only this step's requests.
    pub step: Option<String>,
    /// `fault:slow-payment`.
    pub window: String,
    /// `max` or `min`.
    pub bound: String,
    /// Measured; null without data.
    pub actual: Option<f64>,
    /// The limit in force; null when it hangs on a baseline that has no value.
    pub limit: Option<f64>,
    /// ms, s, fraction, count or per_s.
    pub unit: String,
    /// How many samples stand behind `actual`.
    pub samples: u64,
    /// 95 % interval of `actual`, if one can be given. Against a baseline: of the ratio of both windows, times the baseline.
    pub interval: Option<[f64; 2]>,
    /// How the limit came about ("3 x baseline 48.2 ms, at least 150 ms") or why there is no verdict.
    pub note: String,
    /// Line in the scenario file.
    pub source_line: Option<usize>,
    /// What the author wants of an inconclusive gate: fail, warn or pass.
    pub if_inconclusive: String,
}

/// What a guardrail came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GuardrailOutcome {
    /// It was looked at, and never broken for long enough.
    Held,
    /// It stopped the run.
    Tripped,
    /// No look found enough requests to know anything.
    Unknown,
}

/// One guardrail.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GuardrailData {
    /// Its id.
    pub id: String,
    /// What it came to.
    pub outcome: GuardrailOutcome,
    /// `error_rate`.
    pub metric: String,
    /// Only this journey's requests.
    pub journey: Option<String>,
    /// Only this step's requests.
    pub step: Option<String>,
    /// `max` (written `above`) or `min` (written `below`).
    pub bound: String,
    /// Beyond it the guardrail is broken.
    pub limit: f64,
    /// ms, fraction, count or per_s.
    pub unit: String,
    /// The sliding span.
    pub over_s: f64,
    /// Broken for so long it stops the run.
    pub for_s: f64,
    /// The value that stopped the run; else the one that came nearest to the limit; null if none was known.
    pub actual: Option<f64>,
    /// When that was.
    pub at_s: Option<f64>,
    /// Broken at every look from here until it stopped the run; null if it did not.
    pub broken_since_s: Option<f64>,
    /// Line in the scenario file.
    pub source_line: Option<usize>,
}

/// One fault.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FaultData {
    /// Its id.
    pub id: String,
    /// `network.latency`.
    pub kind: String,
    /// The target's name.
    pub target: String,
    /// Who was hit.
    pub instances: Vec<String>,
    /// How it was done.
    pub mechanism: String,
    /// Its effect was seen.
    pub verified: bool,
    /// How it was seen, or why not.
    pub reason: String,
    /// true, false (undo failed), null (nothing to undo).
    pub rollback_verified: Option<bool>,
    /// Just before the first change; null if never injected.
    pub injecting_at_s: Option<f64>,
    /// The change was in place.
    pub active_at_s: Option<f64>,
    /// Just before the first undo.
    pub removing_at_s: Option<f64>,
    /// Just after the last undo.
    pub removed_at_s: Option<f64>,
    /// Injection to the first error or the first request above an SLO's bound; null if none was seen.
    pub time_to_detect_s: Option<f64>,
    /// First to last broken span start; 0 if none broke.
    pub degraded_for_s: Option<f64>,
    /// Removal (instant faults: the act) until the steady state held again; null if it did not within `within`, or if no
    /// `recover` followed.
    pub recovery_time_s: Option<f64>,
    /// Null without a `recover` after it.
    pub recovered: Option<bool>,
    /// What has no inverse.
    pub residue: Vec<String>,
    /// How many rounds `repeat` asked for; left out for a fault that is not repeated. Times above are then from the first
    /// round's beginning to the last one's end, and measures the worst of all rounds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rounds_planned: Option<u32>,
    /// Every round that was reached, in order; none for a fault that is not repeated.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rounds: Vec<RoundData>,
}

/// One round of a repeated fault; the fields mean what they mean at a fault.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RoundData {
    /// From 1.
    pub round: u32,
    /// Who was hit in it.
    pub instances: Vec<String>,
    /// Its effect was seen.
    pub verified: bool,
    /// How it was seen, or why not.
    pub reason: String,
    /// true, false (undo failed), null (nothing to undo).
    pub rollback_verified: Option<bool>,
    /// Just before the first change.
    pub injecting_at_s: Option<f64>,
    /// The change was in place.
    pub active_at_s: Option<f64>,
    /// Just before the first undo.
    pub removing_at_s: Option<f64>,
    /// Just after the last undo.
    pub removed_at_s: Option<f64>,
    /// Injection to the first sign, up to the next round.
    pub time_to_detect_s: Option<f64>,
    /// First to last broken span start; beyond the next round's beginning only if the steady state was not back by then.
    pub degraded_for_s: Option<f64>,
    /// Removal (instant faults: the act) until the steady state held again.
    pub recovery_time_s: Option<f64>,
    /// Null without a `recover` after the fault.
    pub recovered: Option<bool>,
}

impl FaultData {
    /// A fault of which only its id is known: nothing of it has happened.
    pub fn unreached(id: &str) -> Self {
        Self {
            id: id.to_owned(),
            kind: String::new(),
            target: String::new(),
            instances: Vec::new(),
            mechanism: String::new(),
            verified: false,
            reason: String::new(),
            rollback_verified: None,
            injecting_at_s: None,
            active_at_s: None,
            removing_at_s: None,
            removed_at_s: None,
            time_to_detect_s: None,
            degraded_for_s: None,
            recovery_time_s: None,
            recovered: None,
            residue: Vec::new(),
            rounds_planned: None,
            rounds: Vec::new(),
        }
    }

    /// Its rounds; a fault that is not repeated has one, which is itself.
    pub fn each_round(&self) -> Vec<RoundData> {
        if !self.rounds.is_empty() {
            return self.rounds.clone();
        }
        vec![RoundData {
            round: 1,
            instances: self.instances.clone(),
            verified: self.verified,
            reason: self.reason.clone(),
            rollback_verified: self.rollback_verified,
            injecting_at_s: self.injecting_at_s,
            active_at_s: self.active_at_s,
            removing_at_s: self.removing_at_s,
            removed_at_s: self.removed_at_s,
            time_to_detect_s: self.time_to_detect_s,
            degraded_for_s: self.degraded_for_s,
            recovery_time_s: self.recovery_time_s,
            recovered: self.recovered,
        }]
    }
}

/// Something to know.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Finding {
    /// error, warning or info.
    pub severity: Severity,
    /// A sentence.
    pub text: String,
    /// When, if at an instant.
    pub at_s: Option<f64>,
    /// The instance of a service that it is about, if it is about one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instance: Option<InstanceData>,
}

/// An instance that did not behave, and what it said last.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct InstanceData {
    /// The service.
    pub service: String,
    /// Which instance, from 0.
    pub index: usize,
    /// How it ended: `exit status 7`, `killed by SIGSEGV`; null if it had not.
    pub status: Option<String>,
    /// Its log, relative to the folder of the run.
    pub log: String,
    /// At most 20 lines from the end of it, of this life only; secrets masked.
    pub last_lines: Vec<String>,
}

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// The system or the run did something that it should not.
    Error,
    /// Worth a look.
    Warning,
    /// Good to know.
    Info,
}

/// Errors of one class at one step.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ErrorData {
    /// `connect.refused`.
    pub class: String,
    /// The journey.
    pub journey: String,
    /// The step.
    pub step: String,
    /// How many, warm-up left out.
    pub count: u64,
    /// The first one.
    pub first_s: f64,
    /// The last one.
    pub last_s: f64,
    /// Up to three.
    pub examples: Vec<String>,
}

/// Whether the generator was honest.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Health {
    /// Worker handled the arrival minus the intended start; null without arrivals.
    pub send_lag_ms: LagData,
    /// Waiting for a connection.
    pub queued_ms: LagData,
    /// CPU of brunt, of one core a worker; 0 to 1.
    pub generator_cpu: f64,
    /// Most iterations open at once.
    pub in_flight_max: u64,
    /// Arrivals that the schedule asked for.
    pub scheduled: u64,
    /// Arrivals that were started.
    pub started: u64,
    /// Arrivals above `max_in_flight`.
    pub dropped: u64,
    /// Nothing below makes it untrustworthy.
    pub valid: bool,
    /// Why not, each with the cure.
    pub reasons: Vec<String>,
    /// Not enough to make it invalid.
    pub warnings: Vec<String>,
}

/// Three numbers of a distribution, milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct LagData {
    /// Median.
    pub p50: Option<f64>,
    /// 99th percentile.
    pub p99: Option<f64>,
    /// Largest.
    pub max: Option<f64>,
}

/// One step's measurements: histograms a window, slices for the time axis.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SeriesData {
    /// The journey.
    pub journey: String,
    /// The step.
    pub step: String,
    /// Window name to the latency histogram in microseconds, HdrHistogram V2 deflate, base64.
    pub histograms: BTreeMap<String, String>,
    /// Width of all slices, seconds.
    pub slice_s: f64,
    /// Sparse: only slices with requests or arrivals, in order.
    pub slices: Vec<SliceData>,
}

/// One span of the time axis, by intended start.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SliceData {
    /// Its beginning.
    pub at_s: f64,
    /// Requests whose intended start lies in it.
    pub offered: u64,
    /// Requests that ended in it.
    pub completed: u64,
    /// Failed requests by class, by intended start.
    pub errors: BTreeMap<String, u64>,
    /// Latencies of the requests whose intended start lies in it: pairs of (microseconds, count), ascending, at two digits
    /// (the histograms of the windows have three).
    pub latency_us: Vec<(u64, u64)>,
}

/// One span of a window.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SpanData {
    /// The window.
    pub window: String,
    /// Its beginning.
    pub from_s: f64,
    /// Its end.
    pub to_s: f64,
}

/// A load entry that got another level.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LoadChangeData {
    /// From then on.
    pub at_s: f64,
    /// The load entry.
    pub load: String,
    /// So many times what its stages say.
    pub factor: f64,
}

/// An objective.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SloData {
    /// Its id.
    pub id: String,
    /// `latency.p95`.
    pub metric: String,
    /// Only this journey.
    pub journey: Option<String>,
    /// Only this step.
    pub step: Option<String>,
    /// `max` or `min`.
    pub bound: String,
    /// The bound.
    pub limit: f64,
    /// ms, fraction, ...
    pub unit: String,
    /// The sliding span.
    pub over_s: f64,
    /// Spans during which it did not hold: starts of broken spans, [first, last].
    pub broken: Vec<[f64; 2]>,
}

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// When.
    pub at_s: f64,
    /// `run.started`, `service.ready`, `fault.injecting`, `fault.active`, `fault.verified`, `fault.removing`,
    /// `fault.removed`, `load.changed`, `baseline.started`, `recover.started`, `recover.ended`, `slo.broken`, `slo.holds`,
    /// `service.exited` (by itself), `service.killed` (by a fault), `service.started`, `probe.failed`, `guardrail.broken`, `guardrail.holds`,
    /// `guardrail.tripped`, `signal`, `run.ended`.
    pub kind: String,
    /// The fault, service, SLO or probe.
    pub subject: String,
    /// A sentence.
    pub text: String,
}

/// A probe.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ProbeData {
    /// Its id.
    pub id: String,
    /// How often it was asked.
    pub asked: u64,
    /// How often it failed.
    pub failed: u64,
    /// The last failure.
    pub last_failure: Option<String>,
}

/// What was asked for, in words: for the report's reader and for comparing runs.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct PlanData {
    /// The file or URL as it was given.
    pub source: String,
    /// The scenario's description.
    pub description: String,
    /// `shoppers: open, poisson, ramp to 200/s over 3 s (warm-up), then 200/s`.
    pub load: Vec<String>,
    /// The title of the steady state.
    pub steady_state: Option<String>,
    /// The scenario after includes, variables and masking.
    pub resolved_yaml: String,
}

/// Where it ran.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Environment {
    /// Host name.
    pub host: String,
    /// `Linux 6.18.44 x86_64`.
    pub kernel: String,
    /// Model name.
    pub cpu: String,
    /// Logical processors.
    pub cores: usize,
    /// Memory in MiB.
    pub memory_mib: u64,
    /// TCP congestion control.
    pub congestion_control: String,
    /// Load workers.
    pub workers: usize,
    /// The command line, secrets masked.
    pub command: String,
    /// The commit, when a CI system names it.
    pub commit: Option<String>,
}
