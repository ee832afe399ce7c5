//! A valid scenario to a [`Plan`]: defaults filled in, units applied, stages made linear. What this version cannot carry out
//! becomes a [`NotBuilt`] with its place: nothing is read and then ignored.

pub(crate) mod bound;
mod feeders;
mod gates;
mod guardrails;
mod journeys;
pub(crate) mod load;
mod services;
mod steady_state;
mod targets;
mod timeline;

use std::path::PathBuf;
use std::time::Duration;

use crate::diagnostic::Problems;
use crate::matrix::Cell;
use crate::plan::{NotBuilt, Outputs, Plan, Safety};
use crate::scenario::Root;
use crate::scenario::outputs::Auto;
use crate::source::{Sources, Span};
use crate::tables::Tables;
use crate::units::{CountOrShare, Share};

/// A service gets ready within this.
pub const READY_WITHIN: Duration = Duration::from_secs(10);
/// A service ends within this when it is asked to.
pub const STOP_WITHIN: Duration = Duration::from_secs(5);
/// The step of a load entry in its short form.
pub const SHORT_STEP: &str = "main";
/// A request takes at most this.
pub const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);
/// Open iterations of the open model.
pub const MAX_IN_FLIGHT: usize = 10_000;
/// Open requests get this after the last arrival.
pub const DRAIN: Duration = Duration::from_secs(5);
/// The span of objectives.
pub const SLO_OVER: Duration = Duration::from_secs(5);
/// From one probe to the next.
pub const PROBE_EVERY: Duration = Duration::from_secs(1);
/// A probe takes at most this.
pub const PROBE_TIMEOUT: Duration = Duration::from_secs(1);
/// `before` gives up after so many times `hold_for`.
pub const BEFORE_WITHIN_FACTOR: u32 = 5;
/// The agent removes a fault when the runner is silent for this long.
pub const LEASE: Duration = Duration::from_secs(15);
/// All active faults together may hit this much of a target.
pub const MAX_AFFECTED: CountOrShare = CountOrShare::Share(Share(1.0));
/// The default gate: at most this share of errors over the run.
pub const DEFAULT_ERROR_RATE: f64 = 0.01;

/// What the plan needs besides the tree.
pub(crate) struct Given<'a> {
    pub sources: &'a Sources,
    pub tables: &'a Tables,
    pub name: String,
    pub source: String,
    pub folder: PathBuf,
    pub seed: u64,
    pub scenario_sha256: String,
    pub resolved_yaml: String,
    pub cell: Cell,
    /// Whether places in the scenario mean something to its author.
    pub from_file: bool,
}

/// Collects while the plan is made.
pub(crate) struct Resolver<'a> {
    root: &'a Root,
    sources: &'a Sources,
    tables: &'a Tables,
    /// Where the scenario lies: commands work there.
    folder: PathBuf,
    from_file: bool,
    problems: &'a mut Problems,
    not_built: Vec<NotBuilt>,
}

/// A feature of the language that a later version builds.
const FEATURE: u8 = 2;
/// What has to be there before a run can begin, and is not: a rung of the ladder, a link without TLS.
const PREFLIGHT: u8 = 3;

impl Resolver<'_> {
    fn not_built(&mut self, span: Span, what: impl Into<String>) {
        self.cannot(span, what, FEATURE);
    }

    fn cannot(&mut self, span: Span, what: impl Into<String>, exit_code: u8) {
        let what = NotBuilt { what: what.into(), place: self.sources.place(span), span, exit_code };
        self.not_built.push(what);
    }
}

/// Makes the plan. Bounds that do not fit their metric and addresses that are none are told here; the plan then is not used.
pub(crate) fn resolve(root: &Root, given: Given<'_>, problems: &mut Problems) -> Plan {
    let sources = given.sources;
    let (tables, from_file) = (given.tables, given.from_file);
    let (folder, not_built) = (given.folder.clone(), Vec::new());
    let mut resolver = Resolver { root, sources, tables, folder, from_file, problems, not_built };
    let feeders = resolver.feeders();
    let mut labels: std::collections::BTreeMap<String, String> =
        root.labels.iter().flat_map(|labels| &labels.0).map(|(k, v)| (k.value.clone(), v.clone())).collect();
    // What a program asks of a result is which cell it is of; a label reaches every output.
    labels.extend(given.cell.0.iter().map(|(axis, value)| (format!("matrix.{axis}"), value.clone())));
    let mut plan = Plan {
        name: given.name,
        cell: given.cell,
        description: root.description.clone().unwrap_or_default(),
        labels,
        seed: given.seed,
        source: given.source,
        services: resolver.services(&given.folder),
        scenario_sha256: given.scenario_sha256,
        resolved_yaml: given.resolved_yaml,
        links: resolver.links(),
        targets: resolver.targets(),
        journeys: resolver.journeys(&feeders),
        feeders,
        load: Vec::new(),
        slos: resolver.slos(),
        steady_state: None,
        timeline: resolver.timeline(),
        safety: resolver.safety(),
        guardrails: resolver.guardrails(),
        gates: resolver.gates(),
        outputs: resolver.outputs(),
        not_built: Vec::new(),
    };
    plan.load = resolver.loads(&plan.journeys);
    plan.steady_state = resolver.steady_state(&plan.slos, &given.folder);
    resolver.rest();
    resolver.not_built.sort_by_key(|missing| missing.span);
    plan.not_built = resolver.not_built;
    plan
}

impl Resolver<'_> {
    /// Parts of the language that no version so far carries out.
    fn rest(&mut self) {
        let root = self.root;
        for (name, _) in root.auth.iter().flat_map(|auth| auth.iter()) {
            self.not_built(name.span, format!("auth `{}` is not built yet", name.value));
        }
    }

    fn safety(&mut self) -> Safety {
        let safety = self.root.safety.as_ref();
        let allow = safety.and_then(|safety| safety.allow.as_ref());
        Safety {
            allow_hosts: allow.and_then(|allow| allow.hosts.clone()).unwrap_or_default(),
            allow_contexts: allow.and_then(|allow| allow.kube_contexts.clone()),
            allow_namespaces: allow.and_then(|allow| allow.namespaces.clone()),
            lease: safety.and_then(|safety| safety.lease.as_ref()).map_or(LEASE, |lease| lease.value),
        }
    }

    fn outputs(&mut self) -> Outputs {
        let Some(outputs) = &self.root.outputs else {
            return Outputs { dir: None, html: true, json: true, junit: true };
        };
        for (name, word) in [("github", &outputs.github), ("gitlab", &outputs.gitlab)] {
            if let Some(word) = word.as_ref().filter(|word| word.value != Auto::Off) {
                self.not_built(word.span, format!("`outputs.{name}` is not built yet; `{name}: false` leaves it out"));
            }
        }
        if let Some(otlp) = outputs.otlp.as_ref().filter(|otlp| otlp.value.endpoint.0.is_some()) {
            self.not_built(otlp.span, "telemetry by OTLP is not built yet");
        }
        if let Some(metrics) = outputs.prometheus.as_ref().filter(|metrics| metrics.value.remote_write.0.is_some()) {
            self.not_built(metrics.span, "Prometheus remote write is not built yet");
        }
        // A file that is not named is written: `outputs` with only `dir` must not switch the report off.
        Outputs {
            dir: outputs.dir.as_ref().map(PathBuf::from),
            html: outputs.html.unwrap_or(true),
            json: outputs.json.unwrap_or(true),
            junit: outputs.junit.unwrap_or(true),
        }
    }
}
