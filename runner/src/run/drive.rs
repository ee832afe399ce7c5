//! The loop: waits for whatever comes next, lets the orchestrator decide, carries out what it says.

use std::sync::Arc;
use std::time::Duration;

use brunt_injector::Event as InjectorEvent;
use brunt_injector::target::{docker, process};
use brunt_kubernetes::finding;
use brunt_report::recorder::live::Live;
use brunt_scenario::plan::{Plan, Probe, Target};
use brunt_scenario::units::Offset;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::JoinHandle;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval, interval_at};

use super::injecting::{Edges, inject, turn};
use super::orchestrator::{Input, Orchestrator, Todo};
use super::watch::{self, Watcher};
use super::{Sources, Stage, pods};
use crate::files::Files;
use crate::load::{Load, LoadEnd, Lost};
use crate::probe::{self, Question};
use crate::secrets::Secrets;
use crate::services::log::{self, Log};
use crate::services::{Layout, ServiceError};
use crate::ui::snapshot::State;
use crate::ui::tui::Asked;
use crate::{services, ui};

/// How often objectives and the effects of faults are looked at.
const LOOK: Duration = Duration::from_millis(250);

/// What ends a wait.
enum Wake {
    /// Something to decide on.
    Input(Input),
    /// Time to show how things stand.
    Live,
    /// Time to draw how things stand.
    Frame,
    /// A person at the screen wants something.
    Asked(Asked),
}

/// How the loop ended.
pub struct Driven {
    /// Everything that was decided.
    pub orchestrator: Orchestrator,
    /// How the load ended.
    pub load_end: LoadEnd,
    /// The third signal: faults may still be in place.
    pub gave_up: bool,
}

/// Runs until everything is over. Never fails: what goes wrong on the way becomes part of the facts.
pub async fn drive(
    stage: &Stage,
    sources: Sources,
    signals: Signals,
    files: &mut Files,
    screen: &mut ui::Ui,
    insecure: bool,
) -> Driven {
    let (inputs, received) = unbounded_channel();
    let mut asking = ask_probes(stage, &inputs, insecure);
    asking.extend(pods::watch(stage, &inputs));
    let load = wait_for_load(sources.load, &inputs);
    let (asked, asks) = unbounded_channel();
    screen.begin(asked);
    let mut listening = Listening::new(received, sources.injector, signals, asks);
    let mut watcher = Watcher::new(stage);
    let mut orchestrator = Orchestrator::new(Arc::clone(&stage.plan), Arc::clone(&stage.record), stage.load_started);
    orchestrator.begin();
    let mut gave_up = false;
    while !orchestrator.is_over() && !gave_up {
        listening.frames = screen.draws();
        let input = match listening.next(stage, orchestrator.next_deadline()).await {
            Wake::Input(input) => input,
            Wake::Live => {
                let live = stage.record.lock().recorder.live(stage.clock.now());
                screen.live(&status(&live));
                continue;
            }
            Wake::Frame => {
                screen.show(watcher.look(stage, &orchestrator));
                continue;
            }
            Wake::Asked(Asked::Operator(operator)) => Input::Operator(operator),
            Wake::Asked(Asked::Interrupt) => Input::Signal(libc_number(SignalKind::interrupt())),
        };
        let now = stage.clock.now();
        if matches!(input, Input::Look) {
            stage.record.lock().recorder.note_processor(now, stage.used(), stage.workers);
        }
        let todos = orchestrator.handle(input, now);
        for event in orchestrator.take_said() {
            files.event(&event);
            screen.event(&event);
            watcher.event(&event);
        }
        for todo in todos {
            gave_up |= todo == Todo::GiveUp;
            carry_out(todo, stage, files, &inputs);
        }
    }
    if screen.draws() {
        screen.show(ui::snapshot::Snapshot { state: State::Ending, ..watcher.look(stage, &orchestrator) });
    }
    for task in asking {
        task.abort();
        // Cancelled: what it had started is killed by then.
        let _ = task.await;
    }
    if gave_up {
        stage.steering.abort();
    }
    // The load is over, or stops within 50 ms.
    let load_end = load.await.unwrap_or_else(|panic| Err(panic.to_string())).unwrap_or_else(|why| {
        let ended = stage.clock.now();
        LoadEnd { load_ended: ended, invalid: vec![format!("the load broke: {why}")], ..LoadEnd::default() }
    });
    Driven { orchestrator, load_end, gave_up }
}

fn wait_for_load(mut load: Load, inputs: &UnboundedSender<Input>) -> JoinHandle<Result<LoadEnd, String>> {
    let inputs = inputs.clone();
    if let Some(mut lost) = load.lost() {
        let inputs = inputs.clone();
        tokio::spawn(async move {
            while let Some(Lost { worker, why }) = lost.recv().await {
                // As below.
                let _ = inputs.send(Input::WorkerLost { worker, why });
            }
        });
    }
    tokio::spawn(async move {
        let end = load.join().await.map_err(|error| error.to_string());
        // The loop is gone only when the run is over; then nobody needs to know.
        let _ = inputs.send(Input::LoadOver { broke: end.as_ref().err().cloned() });
        end
    })
}

/// What a status line shows of a snapshot.
fn status(live: &Live) -> ui::Live {
    ui::Live {
        at: live.at,
        requests: live.total.completed,
        errors: live.total.errors,
        dropped: live.dropped,
        in_flight: live.open,
        per_second: live.recent.completed_per_s(),
        error_rate: live.recent.error_rate(),
        p50_ms: live.recent.p50_ms,
        p99_ms: live.recent.p99_ms,
    }
}

/// SIGINT and SIGTERM. Listening begins before anything is started, so that no signal kills a run that has to roll back.
pub struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    /// Listens from now on.
    ///
    /// # Errors
    /// When the handlers cannot be installed.
    pub fn listen() -> std::io::Result<Self> {
        Ok(Self { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())? })
    }

    /// The next one, by number.
    pub async fn next(&mut self) -> i32 {
        tokio::select! {
            _ = self.interrupt.recv() => libc_number(SignalKind::interrupt()),
            _ = self.terminate.recv() => libc_number(SignalKind::terminate()),
        }
    }
}

impl Signals {
    /// One that has come since the last look, by number; does not wait.
    pub async fn pending(&mut self) -> Option<i32> {
        tokio::select! {
            biased;
            number = self.next() => Some(number),
            () = std::future::ready(()) => None,
        }
    }
}

fn libc_number(kind: SignalKind) -> i32 {
    kind.as_raw_value()
}

/// Everything that the loop listens to.
struct Listening {
    inputs: UnboundedReceiver<Input>,
    injector: UnboundedReceiver<InjectorEvent>,
    signals: Signals,
    asks: UnboundedReceiver<Asked>,
    look: Interval,
    live: Interval,
    /// Somebody draws.
    frames: bool,
    frame: Interval,
}

impl Listening {
    fn new(
        inputs: UnboundedReceiver<Input>,
        injector: UnboundedReceiver<InjectorEvent>,
        signals: Signals,
        asks: UnboundedReceiver<Asked>,
    ) -> Self {
        let mut look = interval(LOOK);
        look.set_missed_tick_behavior(MissedTickBehavior::Skip);
        let mut live = interval_at(Instant::now() + ui::LIVE_EVERY, ui::LIVE_EVERY);
        live.set_missed_tick_behavior(MissedTickBehavior::Skip);
        let mut frame = interval(watch::EVERY);
        frame.set_missed_tick_behavior(MissedTickBehavior::Skip);
        Self { inputs, injector, signals, asks, look, live, frames: false, frame }
    }

    async fn next(&mut self, stage: &Stage, deadline: Option<Offset>) -> Wake {
        let wait = deadline.map(|deadline| deadline.since(stage.clock.now()));
        let due = async {
            match wait {
                Some(wait) => tokio::time::sleep(wait).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            number = self.signals.next() => Wake::Input(Input::Signal(number)),
            Some(asked) = self.asks.recv() => Wake::Asked(asked),
            Some(input) = self.inputs.recv() => Wake::Input(input),
            Some(event) = self.injector.recv() => Wake::Input(Input::Injector(event)),
            () = due => Wake::Input(Input::Due),
            _ = self.look.tick() => Wake::Input(Input::Look),
            _ = self.live.tick() => Wake::Live,
            _ = self.frame.tick(), if self.frames => Wake::Frame,
        }
    }
}

fn ask_probes(stage: &Stage, inputs: &UnboundedSender<Input>, insecure: bool) -> Vec<JoinHandle<()>> {
    let probes = stage.plan.steady_state.iter().flat_map(|steady| &steady.probes).zip(&stage.questions).enumerate();
    let ask = |(index, (probe, question)): (usize, (&Probe, &Question))| {
        let secrets = Arc::clone(&stage.secrets);
        let (question, timeout, inputs) = (question.clone(), probe.timeout, inputs.clone());
        let mut every = interval(probe.every);
        every.set_missed_tick_behavior(MissedTickBehavior::Skip);
        tokio::spawn(async move {
            loop {
                every.tick().await;
                let outcome = probe::ask(&question, timeout, insecure).await.map_err(|why| secrets.said(&why));
                if inputs.send(Input::Probed { probe: index, outcome }).is_err() {
                    return;
                }
            }
        })
    };
    probes.map(ask).collect()
}

/// Starts what the orchestrator wants; what comes of it arrives as an input.
fn carry_out(todo: Todo, stage: &Stage, files: &Files, inputs: &UnboundedSender<Input>) {
    let injector = Arc::clone(&stage.injector);
    let plan = Arc::clone(&stage.plan);
    let answer = inputs.clone();
    // A send fails only after the loop has ended; then nobody needs the answer.
    let reply = move |input| drop(answer.send(input));
    match todo {
        Todo::Inject(fault) => {
            let (layout, record, clock) = (Arc::clone(&stage.layout), Arc::clone(&stage.record), stage.clock);
            let edges = Edges { fault, record, clock, inputs: inputs.clone() };
            tokio::spawn(async move {
                let outcome = inject(&plan, edges, &layout, &injector).await;
                reply(Input::Injected { fault, outcome });
            });
        }
        Todo::Verify(fault) => {
            tokio::spawn(async move {
                let outcome = injector.verify(&turn(&plan, fault).id).await.map_err(|error| error.to_string());
                reply(Input::Verified { fault, outcome });
            });
        }
        Todo::Revert(fault) => {
            tokio::spawn(async move {
                let outcome = injector.revert(&turn(&plan, fault).id).await;
                reply(Input::Reverted { fault, outcome });
            });
        }
        Todo::CountMembers(fault) => {
            let target = turn(&plan, fault).target;
            match plan.targets.get(&target).cloned() {
                Some(Target::Process(matching)) => {
                    // A process that went away while it was looked at is no member; the next look is 250 ms away.
                    let count = process::find(&target, &matching, true).map_or(0, |found| found.len());
                    reply(Input::Members { fault, count });
                }
                Some(Target::Docker(matching)) => {
                    // The engine may take its time.
                    tokio::task::spawn_blocking(move || {
                        let count = docker::count(&target, &matching);
                        reply(Input::Members { fault, count });
                    });
                }
                Some(Target::Kubernetes(matching)) => {
                    let planned = turn(&plan, fault);
                    tokio::task::spawn_blocking(move || {
                        let count = finding::count(&planned, &matching);
                        reply(Input::Members { fault, count });
                    });
                }
                _ => {}
            }
        }
        Todo::AwaitReady { service, index, log_from } => {
            let (layout, secrets, logs) = (Arc::clone(&stage.layout), Arc::clone(&stage.secrets), files.logs());
            tokio::spawn(async move {
                let log = Log { path: log::path(&logs, &service, index), from: log_from };
                let outcome = await_ready(&plan, &layout, &service, index, &log, &secrets).await;
                reply(Input::InstanceReady { service, index, log_from, outcome });
            });
        }
        Todo::ReadLog { finding, service, index, log_from } => {
            let log = Log { path: log::path(&files.logs(), &service, index), from: log_from };
            let secrets = Arc::clone(&stage.secrets);
            tokio::task::spawn_blocking(move || {
                reply(Input::LogRead { finding, lines: log.last_lines(&secrets) });
            });
        }
        Todo::SetReady { service, index, ready } => stage.destinations.set_ready(&service, index, ready),
        Todo::ChangeLoad { change, at } => {
            for (load, _) in plan.load.iter().enumerate().filter(|(_, load)| load.name == change.load) {
                stage.steering.change(load, change.factor, at);
            }
        }
        Todo::EndOpenEndedLoad => stage.steering.end_timeline(stage.clock.now()),
        Todo::StopLoad => stage.steering.stop(stage.clock.now()),
        Todo::AbortLoad => stage.steering.abort(),
        Todo::GiveUp => {}
    }
}

async fn await_ready(
    plan: &Plan,
    layout: &Layout,
    service: &str,
    index: usize,
    log: &Log,
    secrets: &Secrets,
) -> Result<(), String> {
    let found = plan.services.iter().find(|candidate| candidate.name == service);
    let (Some(service), Some(place)) = (found, layout.places.get(service).and_then(|places| places.get(index))) else {
        return Err(format!("no service `{service}` with an instance {index} in this run"));
    };
    let ready = services::wait_ready(service, index, *place, log, secrets).await;
    ready.map_err(|error| match error {
        // Its last lines become a part of the finding.
        ServiceError::NotReady { why, .. } => why,
        other => other.to_string(),
    })
}
