//! One run from a plan to its results: what `brunt run` does once it has understood the scenario.
//!
//! ```text
//!  links and services up -> pre-flight -> victims resolved -> load starts -> warm-up -> steady state? -> timeline
//!                                                                                                          |
//!  report <- results <- services end <- drain <- faults come off <- timeline over, guardrail or signal <---+
//! ```
//!
//! Nothing is injected before everything that can be checked has been checked. From the moment at which something is
//! changed there is one way out, through [`drive`]'s end: also an error undoes what was done.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread::JoinHandle;
use std::time::Duration;

use brunt_injector::Injector;
use brunt_report::recorder::processor;
use brunt_report::results::{Event, Finding, Results, Severity};
use brunt_scenario::plan::{Item, NotBuilt, Plan, round_id};
use brunt_scenario::units::Offset;
use tokio::sync::mpsc::UnboundedReceiver;

use crate::clock::Clock;
use crate::files::{Files, FilesError};
use crate::load::destinations::Destinations;
use crate::load::{self, Load, Steering};
use crate::probe::{self, Question};
use crate::secrets::Secrets;
use crate::services::{self, Layout, ServiceError};
use crate::{environment, timeline, ui};

mod drive;
mod injecting;
mod orchestrator;
pub mod permission;
mod pods;
mod record;
mod watch;

use drive::Driven;
pub use drive::Signals;
use record::Record;

/// How a run is to be carried out; from the command line.
#[derive(Debug, Clone)]
pub struct Options {
    /// `--out`.
    pub out: Option<PathBuf>,
    /// `--workers`.
    pub workers: Option<usize>,
    /// `--on kubernetes`: the workers are pods.
    pub pods: Option<load::pods::How>,
    /// `--insecure`: certificates are not checked.
    pub insecure: bool,
    /// `--no-faults`: the timeline's faults are left out.
    pub no_faults: bool,
    /// `--allow-exec`: commands of the scenario's `exec` faults may be run.
    pub allow_exec: bool,
    /// `--image`: what brunt runs of its own in a cluster.
    pub image: String,
    /// `--ui`.
    pub ui: ui::Choice,
    /// The command line, secrets masked, for the report.
    pub command: String,
}

/// What came of a run.
#[derive(Debug)]
pub struct Outcome {
    /// As in results.json.
    pub results: Results,
    /// Where the files lie.
    pub out: PathBuf,
    /// Files that could not be written, in words; the others were.
    pub unwritten: Vec<String>,
    /// The third signal: faults may still be in place, and `brunt cleanup` is to be run. Exit 6.
    pub gave_up: bool,
}

/// The run did not begin, or could not be carried out. Nothing is injected any more when this is returned.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The scenario asks for what this version cannot do.
    #[error("{}", not_built_text(.0))]
    NotBuilt(Vec<NotBuilt>),
    /// No place for the files.
    #[error(transparent)]
    Files(#[from] FilesError),
    /// The agent, the journal or the proxy could not be had.
    #[error("cannot prepare the faults: {0}")]
    Injector(#[source] brunt_injector::Error),
    /// A service or a link did not come up.
    #[error(transparent)]
    Service(#[from] ServiceError),
    /// A load target does not answer, or the load cannot be started.
    #[error("{0}")]
    Load(#[from] load::LoadError),
    /// A fault's target resolves to nothing, to too much, or to what must not be hit.
    #[error("fault `{fault}` ({place}): {source}")]
    Target {
        /// The fault.
        fault: String,
        /// Where it stands.
        place: String,
        /// Why.
        source: Box<brunt_injector::ResolveError>,
    },
    /// A fault would act on another host, and nobody has allowed that.
    #[error(
        "fault `{fault}` ({place}) acts on link `{link}` to `{host}`, which is not this host; if it may, name it under \
         `safety: {{ allow: {{ hosts: [...] }} }}` or with --allow-host {host}"
    )]
    NotAllowed {
        /// The fault.
        fault: String,
        /// Where it stands.
        place: String,
        /// Its link.
        link: String,
        /// Where that leads.
        host: String,
    },
    /// A fault would act in a cluster, and nobody has allowed that.
    #[error(
        "fault `{fault}` ({place}) acts in the namespace `{namespace}` of a cluster, {context}; if it may, name it under \
         `safety: {{ allow: {{ namespaces: [{namespace}] }} }}`, and the cluster with `kube_contexts: [...]`"
    )]
    ClusterNotAllowed {
        /// The fault.
        fault: String,
        /// Where it stands.
        place: String,
        /// Where it would act.
        namespace: String,
        /// In which cluster.
        context: String,
    },
    /// The scenario wants to run commands, and nobody has allowed that.
    #[error("{}", commands_text(.0))]
    ExecNotAllowed(Vec<permission::Wanted>),
    /// A probe has no address, or lacks a right.
    #[error("{0}")]
    Probe(String),
    /// A signal came before the load had started. Nothing was injected; what had been started is ended.
    #[error("interrupted before the load started; nothing was injected")]
    Interrupted(i32),
    /// The machine refuses what every run needs.
    #[error("{what}: {source}")]
    System {
        /// What was tried.
        what: &'static str,
        /// Why not.
        source: std::io::Error,
    },
}

impl RunError {
    /// 2 for a scenario that asks for what is not built, 1 for a broken machine, 3 for everything that pre-flight found.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::NotBuilt(what) => what.iter().map(|what| what.exit_code).min().unwrap_or(2),
            Self::System { .. } => 1,
            Self::Interrupted(number) => 128 + u8::try_from(*number).unwrap_or(2),
            _ => 3,
        }
    }
}

fn not_built_text(all: &[NotBuilt]) -> String {
    let lines: Vec<String> = all.iter().map(|one| format!("  {}: {}", one.place, one.what)).collect();
    format!("this version cannot do what the scenario asks for:\n{}", lines.join("\n"))
}

fn commands_text(wanted: &[permission::Wanted]) -> String {
    let lines: Vec<String> = wanted
        .iter()
        .map(|one| format!("  fault `{}` ({}) runs `{}`, undone by `{}`", one.fault, one.place, one.run, one.undo))
        .collect();
    format!("the scenario runs commands; look at them, then allow them with --allow-exec:\n{}", lines.join("\n"))
}

/// Carries out a plan.
///
/// # Errors
/// When it could not begin; a run that has begun always ends with an [`Outcome`].
pub async fn execute(mut plan: Plan, options: Options) -> Result<Outcome, RunError> {
    if !plan.not_built.is_empty() {
        return Err(RunError::NotBuilt(plan.not_built));
    }
    if options.no_faults {
        leave_faults_out(&mut plan.timeline);
    }
    let plan = Arc::new(plan);
    let exe =
        std::env::current_exe().map_err(|source| RunError::System { what: "finding the brunt binary", source })?;
    let mut signals = Signals::listen().map_err(|source| RunError::System { what: "listening for signals", source })?;
    let mut files = Files::prepare(&plan, options.out.as_deref(), Clock::start())?;
    let mut screen = ui::Ui::new(options.ui);
    // Run zero is when the load starts; whatever the injector stamps before then is stamped zero.
    let zero = Arc::new(OnceLock::<Clock>::new());
    let (injector, says) =
        match Injector::start(injector_options(&plan, &options.image, &exe, files.out(), &zero)).await {
            Ok((injector, says)) => (Arc::new(injector), says),
            Err(error) => {
                files.discard();
                return Err(RunError::Injector(error));
            }
        };
    let staged = tokio::select! {
        staged = stage(&plan, &options, &files, &exe, &injector, &zero, &mut screen) => staged,
        number = signals.next() => Err(RunError::Interrupted(number)),
    };
    let (stage, sources) = match staged {
        Ok((stage, load)) => (stage, Sources { load, injector: says }),
        Err(error) => {
            // Nothing was injected, but services may run: this process ends only after them and after the agent. A second
            // signal does not wait for services that take their time: an agent that is let go kills them at once.
            tokio::select! {
                _ = end_services(injector) => {}
                _ = signals.next() => {}
            }
            files.discard();
            return Err(error);
        }
    };
    drop(injector);
    let cpu = environment::cpu_time();
    let driven = drive::drive(&stage, sources, signals, &mut files, &mut screen, options.insecure).await;
    Ok(finish(stage, driven, files, screen, cpu, &options).await)
}

/// Everything that stands before the first request.
struct Stage {
    plan: Arc<Plan>,
    clock: Clock,
    layout: Arc<Layout>,
    injector: Arc<Injector>,
    record: Arc<Record>,
    recorder: JoinHandle<()>,
    destinations: Arc<Destinations>,
    steering: Steering,
    load_started: Offset,
    workers: usize,
    /// Processor time of workers in pods.
    pods_used: Option<load::pods::Used>,
    notes: Vec<String>,
    questions: Vec<Question>,
    secrets: Arc<Secrets>,
}

impl Stage {
    /// Processor time so far of whoever sends the load.
    fn used(&self) -> Duration {
        self.pods_used.as_ref().map_or_else(environment::cpu_time, load::pods::Used::so_far)
    }
}

/// What speaks by itself while the run goes on.
struct Sources {
    load: Load,
    injector: UnboundedReceiver<brunt_injector::Event>,
}

/// Brings links and services up, checks every target, resolves every victim, and starts the load last. When it fails, or
/// is dropped half-way because of a signal, the caller ends what had been started.
async fn stage(
    plan: &Arc<Plan>,
    options: &Options,
    files: &Files,
    exe: &Path,
    injector: &Arc<Injector>,
    zero: &OnceLock<Clock>,
    screen: &mut ui::Ui,
) -> Result<(Stage, Load), RunError> {
    permission::check(plan, options.allow_exec).await?;
    let secrets = Arc::new(Secrets::of(plan));
    let network = services::isolate(plan, injector).await?;
    let mut layout = services::lay_out(plan, exe, network.as_ref())?;
    services::open_links(plan, &mut layout, injector).await?;
    for service in &plan.services {
        services::start(service, &layout, &files.logs(), &secrets, injector).await?;
    }
    resolve_all(plan, injector, &layout).await?;
    may_ask(plan).await?;
    let steady = plan.steady_state.iter().flat_map(|steady| &steady.probes);
    let questions = steady
        .map(|probe| probe::question(probe, plan, &layout.addresses).map_err(RunError::Probe))
        .collect::<Result<_, _>>()?;
    let (destinations, crew) = match &options.pods {
        None => (Destinations::resolve(plan, &layout.addresses).await?, None),
        Some(how) => {
            let ready = |ready| screen.event(&workers_ready(ready, how.workers));
            let crew = load::pods::raise(plan, how, options.insecure, injector, ready).await?;
            (Destinations::elsewhere(plan)?, Some(crew))
        }
    };
    let destinations = Arc::new(destinations);
    load::preflight::check(&destinations, &plan.links).await?;
    let clock = *zero.get_or_init(Clock::start);
    let record = Record::new(plan, clock);
    let (batches, filed) = tokio::sync::mpsc::unbounded_channel();
    let recorder =
        record.file_from(filed).map_err(|source| RunError::System { what: "starting the recorder", source })?;
    let pods_used = crew.as_ref().map(load::pods::Crew::used);
    let load = match crew {
        Some(crew) => crew.begin(clock, &destinations, batches),
        None => {
            let wanted = load::Options { workers: options.workers, insecure: options.insecure, part: None };
            load::start(Arc::clone(plan), &layout.addresses, Arc::clone(&destinations), clock, &wanted, batches)?
        }
    };
    let stage = Stage {
        plan: Arc::clone(plan),
        clock,
        layout: Arc::new(layout),
        injector: Arc::clone(injector),
        record,
        recorder,
        destinations,
        steering: load.steering(),
        load_started: load.started,
        workers: load.workers,
        pods_used,
        notes: load.notes.clone(),
        questions,
        secrets,
    };
    Ok((stage, load))
}

fn workers_ready(ready: usize, of: usize) -> Event {
    event(Offset::default(), "worker.ready", "worker", &format!("workers ready {ready}/{of}"))
}

fn injector_options(
    plan: &Plan,
    image: &str,
    exe: &Path,
    results: &Path,
    zero: &Arc<OnceLock<Clock>>,
) -> brunt_injector::Options {
    let zero = Arc::clone(zero);
    brunt_injector::Options {
        exe: exe.to_owned(),
        state_dir: None,
        run_id: run_id(plan.seed),
        lease: plan.safety.lease,
        seed: plan.seed,
        force_no_effect: std::env::var_os("BRUNT_TEST_NO_EFFECT").is_some(),
        decisions: std::env::var_os("BRUNT_DECISIONS").map(PathBuf::from),
        results: Some(results.to_owned()),
        image: image.to_owned(),
        clock: Arc::new(move || zero.get().map_or(Offset::default(), Clock::now)),
    }
}

/// Unique on this host: cells of a matrix have one seed and one process, so they are counted.
fn run_id(seed: u64) -> String {
    static RUNS: AtomicU32 = AtomicU32::new(0);
    let (process, run) = (std::process::id(), RUNS.fetch_add(1, Ordering::Relaxed));
    if run == 0 { format!("{seed:x}-{process}") } else { format!("{seed:x}-{process}-{run}") }
}

/// Finds the victims of every fault once before anything is touched, so that a wrong selector is found now and not in
/// minute four. They are resolved again when their turn comes: a restarted process has another id.
async fn resolve_all(plan: &Plan, injector: &Injector, layout: &Layout) -> Result<(), RunError> {
    for fault in timeline::faults_of(&plan.timeline) {
        let target = &plan.targets[&fault.target];
        let told =
            |source| RunError::Target { fault: fault.id.clone(), place: fault.place.clone(), source: Box::new(source) };
        let fault = services::filled(fault, layout).map_err(told)?;
        injector.resolve(&fault, target).await.map_err(told)?;
    }
    Ok(())
}

/// Probes of a cluster may see what they ask about.
async fn may_ask(plan: &Arc<Plan>) -> Result<(), RunError> {
    let plan = Arc::clone(plan);
    let checked = tokio::task::spawn_blocking(move || probe::cluster::check(&plan)).await;
    checked.unwrap_or_else(|error| Err(format!("asking a cluster: {error}"))).map_err(RunError::Probe)
}

/// Items that are left have nothing to do with faults, at any depth of groups.
fn leave_faults_out(items: &mut Vec<Item>) {
    items.retain_mut(stays_without_faults);
}

fn stays_without_faults(item: &mut Item) -> bool {
    match item {
        Item::Fault(_) => false,
        Item::Parallel(members) => {
            members.retain_mut(|member| stays_without_faults(&mut member.item));
            !members.is_empty()
        }
        Item::Baseline(_) | Item::Pause(_) | Item::Load(_) | Item::Recover { .. } => true,
    }
}

/// Ends services and agent, then turns what was measured into results and files.
async fn finish(
    stage: Stage,
    driven: Driven,
    mut files: Files,
    mut screen: ui::Ui,
    cpu: Duration,
    options: &Options,
) -> Outcome {
    let Driven { orchestrator, load_end, gave_up } = driven;
    let worked = environment::cpu_time().saturating_sub(cpu);
    let ended = stage.clock.now();
    let mut facts = orchestrator.into_facts();
    facts.load_ended = load_end.load_ended;
    facts.scheduled = load_end.scheduled;
    facts.invalid.extend(load_end.invalid);
    facts.warnings.extend(load_end.warnings);
    facts.invalid.extend(starved_links(&stage.injector));
    facts.warnings.extend(stage.notes);
    facts.ended = ended;
    facts.started_at = crate::files::rfc3339(stage.clock.wall_at(Offset::default()));
    facts.brunt_version = env!("CARGO_PKG_VERSION").to_owned();
    facts.schedule_digest = load::arrivals::schedule_digest(&stage.plan);
    facts.destinations = stage.destinations.facts();
    facts.environment = environment::describe(stage.workers, &options.command);
    // All threads of this process together: load workers, proxy, recorder.
    facts.generator_cpu = processor::share(worked, ended.since(Offset::default()), stage.workers);
    if let Some(crew) = load_end.crew {
        // The one that was busiest is where the load may have been late.
        facts.generator_cpu = crew.workers.iter().map(|worker| worker.cpu).fold(0.0, f64::max);
        facts.crew = Some(crew);
    }
    if !gave_up {
        let end = end_services(stage.injector).await;
        facts.warnings.extend(end.killed);
        facts.left_behind = end.left_behind;
        for (id, reverted) in end.reverted {
            let told = facts
                .faults
                .iter()
                .any(|fault| round_id(&fault.id, fault.round) == id && fault.rollback_verified == Some(false));
            if let (Some(error), false) = (reverted.error, told) {
                facts.findings.push(stuck(&id, &error, ended));
            }
        }
    }
    let over = event(ended, "run.ended", "run", "over");
    files.event(&over);
    screen.close();
    screen.event(&over);
    facts.events.push(over);
    // The recorder's thread ends when the last worker has hung up, which it has.
    let filed = tokio::task::spawn_blocking(move || stage.recorder.join()).await;
    if !matches!(filed, Ok(Ok(()))) {
        facts.invalid.push("the recorder broke, so a part of what was measured is missing".to_owned());
    }
    let (recorder, windows) = Record::into_parts(stage.record)
        .expect("the loop and the recorder's thread, the only other holders, have ended");
    let results = recorder.finish(&stage.plan, &windows, facts);
    let out = files.out().to_owned();
    let unwritten = files.write(&results);
    Outcome { results, out, unwritten, gave_up }
}

/// How everything that a run had started came to its end.
struct Over {
    /// Faults that were still in place, each with what came of its undo.
    reverted: Vec<(String, brunt_injector::Reverted)>,
    /// Services that did not end when they were asked to, in words.
    killed: Vec<String>,
    /// What may still be there, and why.
    left_behind: Option<String>,
}

/// Undoes what is left, ends the services and the agent.
async fn end_services(injector: Arc<Injector>) -> Over {
    let reverted = injector.revert_all().await;
    let workers = injector.end_workers().await;
    let stopped = injector.stop_services().await;
    let killed = stopped.into_iter().filter(|stopped| stopped.killed).map(|stopped| {
        let (service, index, took) = (stopped.service, stopped.index, stopped.took.as_secs_f64());
        format!(
            "service `{service}`, instance {index}, had not ended {took:.1} s after it was asked to, and was killed"
        )
    });
    // Tasks that still hold the injector have nothing left to wait for; the agent ends with its input if they do.
    let closed = match Arc::into_inner(injector) {
        Some(injector) => injector.close().await,
        None => Ok(()),
    };
    // The agent has tried again what could not be ended here, and says what is left.
    let left_behind = closed.err().map(|error| error.to_string()).or(workers.err());
    Over { reverted, killed: killed.collect(), left_behind }
}

/// brunt's own proxy could not open a connection: what the services felt was brunt, not the fault.
fn starved_links(injector: &Injector) -> Vec<String> {
    let starved = injector.link_stats().into_iter().filter(|stats| stats.starved > 0);
    starved
        .map(|stats| {
            let (link, count) = (&stats.link, stats.starved);
            format!("link `{link}`: {count} connections failed because brunt ran out of descriptors or ports; raise `ulimit -Hn`")
        })
        .collect()
}

fn stuck(id: &str, error: &str, at: Offset) -> Finding {
    let text = format!("fault `{id}` could not be undone: {error}. Run `brunt cleanup`.");
    Finding { severity: Severity::Error, text, at_s: Some(at.as_secs_f64()), instance: None }
}

fn event(at: Offset, kind: &str, subject: &str, text: &str) -> Event {
    Event { at_s: at.as_secs_f64(), kind: kind.to_owned(), subject: subject.to_owned(), text: text.to_owned() }
}
