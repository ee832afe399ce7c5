//! The runner's end of the agent: starts it, keeps its lease alive, asks and waits for answers.
//!
//! Two threads. One writes: requests as they come, and a heartbeat at least every fifth of the lease, so neither a
//! blocked runtime nor a full processor ends a healthy run. The other reads. An agent that leaves heartbeats unanswered for
//! longer than the lease is killed; its end, however it came, is reported exactly once, by the reading thread.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use crate::agent::lease::{SHORTEST, boottime};
use crate::agent::protocol::{Answer, Ask, FromAgent, Happening, Hello, ToAgent};
use crate::agent::rights;
use crate::error::Error;
use crate::process::ProcessId;

/// How to start an agent.
pub struct Launch {
    /// The brunt binary.
    pub exe: PathBuf,
    /// The run, for the mark of its services.
    pub run_id: String,
    /// Where it notes what it has undone.
    pub journal: PathBuf,
    /// After so much silence it undoes everything.
    pub lease: Duration,
}

/// An agent that has greeted.
struct Attended {
    child: Child,
    log: PathBuf,
    id: ProcessId,
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
    lease: Duration,
}

/// What the agent says by itself.
pub enum Notice {
    /// Something happened to a service, at this instant on CLOCK_MONOTONIC, in nanoseconds.
    Happened(u64, Happening),
    /// The agent has ended, and nobody had asked it to.
    Lost(String),
}

/// A running agent.
pub struct Handle {
    /// Its process.
    pub id: ProcessId,
    lines: mpsc::Sender<String>,
    shared: Arc<Shared>,
}

/// Who waits for the answer to which request.
type Waiting = BTreeMap<u64, mpsc::Sender<Result<Answer, String>>>;

/// What the handle and its threads share.
struct Shared {
    child: Mutex<Child>,
    /// Requests that wait for their answer. `None` once the agent is gone.
    waiting: Mutex<Option<Waiting>>,
    next: AtomicU64,
    /// When the agent last said anything (boot time, nanoseconds).
    heard: AtomicU64,
    /// Why it is gone, in the order in which reasons came up; the first is the cause.
    reason: Mutex<Option<String>>,
    /// The end was asked for.
    closing: AtomicBool,
    /// What the agent writes when it cannot go on.
    log: PathBuf,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

impl Handle {
    /// Starts the agent and its two threads; returns when it has greeted. `notice` is called on the reading thread.
    pub fn start(launch: Launch, notice: impl Fn(Notice) + Send + 'static) -> Result<Self, Error> {
        let failed = |action| move |source| Error::AgentIo { action, source };
        let log = launch.journal.with_extension("agent.log");
        let stderr = own_file(&log).map_err(failed("open its log"))?;
        let mut command = Command::new(&launch.exe);
        command.arg("agent").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(stderr);
        let mut child = rights::start_with(&mut command).map_err(failed("start it"))?;
        let closed = || io::Error::other("its pipes are missing");
        let stdin = child.stdin.take().ok_or_else(closed).map_err(failed("talk to it"))?;
        let stdout = BufReader::new(child.stdout.take().ok_or_else(closed).map_err(failed("talk to it"))?);
        let lease = launch.lease.max(SHORTEST);
        match greet(stdin, stdout, launch, lease) {
            Ok((id, stdin, stdout)) => Self::attend(Attended { child, log, id, stdin, stdout, lease }, notice),
            Err(error) => {
                let _ = child.kill();
                let _ = child.wait();
                let said = std::fs::read_to_string(&log).unwrap_or_default();
                let _ = std::fs::remove_file(&log);
                Err(if said.trim().is_empty() { error } else { Error::AgentGone(said.trim().to_owned()) })
            }
        }
    }

    fn attend(agent: Attended, notice: impl Fn(Notice) + Send + 'static) -> Result<Self, Error> {
        let Attended { child, log, id, stdin, stdout, lease } = agent;
        let shared = Arc::new(Shared {
            child: Mutex::new(child),
            waiting: Mutex::new(Some(BTreeMap::new())),
            next: AtomicU64::new(1),
            heard: AtomicU64::new(nanos(boottime())),
            reason: Mutex::new(None),
            closing: AtomicBool::new(false),
            log,
        });
        let (lines, queue) = mpsc::channel();
        let writer = shared.clone();
        let thread = |name: &str| thread::Builder::new().name(name.into());
        thread("brunt-heartbeat")
            .spawn(move || writer.write(stdin, &queue, lease))
            .map_err(|source| Error::Thread { what: "the heartbeat", source })?;
        let reader = shared.clone();
        thread("brunt-agent")
            .spawn(move || reader.read(stdout, notice))
            .map_err(|source| Error::Thread { what: "the agent's reader", source })?;
        Ok(Self { id, lines, shared })
    }

    /// Asks and waits for the answer. Blocks; an agent that is gone is an error at once.
    pub fn ask(&self, ask: Ask, within: Duration) -> Result<Answer, Error> {
        let name = ask.name();
        let seq = self.shared.next.fetch_add(1, Ordering::Relaxed);
        let (sender, answer) = mpsc::channel();
        match &mut *locked(&self.shared.waiting) {
            Some(waiting) => drop(waiting.insert(seq, sender)),
            None => return Err(self.gone()),
        }
        let line = serde_json::to_string(&ToAgent::Ask { seq, ask })
            .map_err(|error| Error::Protocol(format!("`{name}` cannot be written: {error}")))?;
        if self.lines.send(line).is_err() {
            return Err(self.gone());
        }
        match answer.recv_timeout(within) {
            Ok(answer) => answer.map_err(Error::Agent),
            Err(RecvTimeoutError::Disconnected) => Err(self.gone()),
            Err(RecvTimeoutError::Timeout) => {
                if let Some(waiting) = &mut *locked(&self.shared.waiting) {
                    waiting.remove(&seq);
                }
                Err(Error::AgentSilent { ask: name, after: within })
            }
        }
    }

    /// Asks it to end, then makes sure that it has. Returns what it could not undo.
    pub fn close(&self) -> Result<Vec<String>, Error> {
        self.shared.closing.store(true, Ordering::SeqCst);
        let answer = self.ask(Ask::End, Duration::from_secs(5));
        self.shared.collect(Duration::from_secs(1));
        match answer? {
            Answer::Ended(left) => Ok(left),
            other => Err(Error::Protocol(format!("`end` was answered with {other:?}"))),
        }
    }

    fn gone(&self) -> Error {
        Error::AgentGone(locked(&self.shared.reason).clone().unwrap_or_else(|| "it has ended".into()))
    }
}

/// A file for this user only, and new: a name that somebody else has put there is not followed.
fn own_file(path: &std::path::Path) -> io::Result<File> {
    let nofollow = rustix::fs::OFlags::NOFOLLOW.bits() as i32;
    OpenOptions::new().append(true).create(true).mode(0o600).custom_flags(nofollow).open(path)
}

/// Says who the runner is and waits for the agent's own name.
fn greet(
    mut stdin: ChildStdin,
    mut stdout: BufReader<ChildStdout>,
    launch: Launch,
    lease: Duration,
) -> Result<(ProcessId, ChildStdin, BufReader<ChildStdout>), Error> {
    let failed = |source| Error::AgentIo { action: "greet it", source };
    let Launch { run_id, journal, .. } = launch;
    let runner = ProcessId::own().map_err(failed)?;
    let hello = Hello { version: env!("CARGO_PKG_VERSION").into(), run_id, runner, journal, lease };
    let hello = serde_json::to_string(&ToAgent::Hello(hello)).map_err(|error| Error::Protocol(error.to_string()))?;
    stdin.write_all(format!("{hello}\n").as_bytes()).map_err(failed)?;
    let (sender, line) = mpsc::channel();
    thread::spawn(move || {
        let mut line = String::new();
        let read = stdout.read_line(&mut line);
        // The receiver has given up if this fails; the child is killed then, and its pipe with it.
        let _ = sender.send(read.map(|_| (line, stdout)));
    });
    let within = Duration::from_secs(10);
    let (line, stdout) =
        line.recv_timeout(within).map_err(|_| Error::AgentSilent { ask: "hello", after: within })?.map_err(failed)?;
    match serde_json::from_str(&line) {
        Ok(FromAgent::Ready { agent }) => Ok((agent, stdin, stdout)),
        _ => Err(Error::Protocol(format!("it greeted with {line:?}"))),
    }
}

impl Shared {
    /// The writing thread. Ends when the handle is dropped (which closes the pipe, so the agent ends too) or the pipe breaks.
    fn write(&self, mut stdin: ChildStdin, queue: &mpsc::Receiver<String>, lease: Duration) {
        let every = (lease / 5).min(Duration::from_secs(1));
        let mut next = boottime();
        loop {
            let now = boottime();
            if now >= next {
                let silent = now.saturating_sub(Duration::from_nanos(self.heard.load(Ordering::Relaxed)));
                if silent > lease + every {
                    self.blame(format!("it left heartbeats unanswered for {:.1} s", silent.as_secs_f64()));
                    let _ = locked(&self.child).kill();
                    return;
                }
                next = now + every;
                if writeln!(stdin, r#"{{"beat":{}}}"#, nanos(boottime())).is_err() {
                    return;
                }
            }
            match queue.recv_timeout(next.saturating_sub(boottime())) {
                Ok(line) if writeln!(stdin, "{line}").is_err() => return,
                Ok(_) | Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    /// The reading thread. Ends with the agent.
    fn read(&self, stdout: BufReader<ChildStdout>, notice: impl Fn(Notice)) {
        for line in stdout.lines() {
            let Ok(line) = line else { break };
            self.heard.store(nanos(boottime()), Ordering::Relaxed);
            match serde_json::from_str(&line) {
                Ok(FromAgent::Beat(_)) => {}
                Ok(FromAgent::Answer { seq, answer }) => {
                    let waiting = locked(&self.waiting).as_mut().and_then(|waiting| waiting.remove(&seq));
                    if let Some(sender) = waiting {
                        // Nobody waits any more: the request has timed out.
                        let _ = sender.send(answer);
                    }
                }
                Ok(FromAgent::Happened { at, what }) => notice(Notice::Happened(at, what)),
                Ok(FromAgent::Ended { reason }) => self.blame(reason),
                Ok(FromAgent::Ready { .. }) => {}
                Err(error) => self.blame(format!("it said something that is no answer: {error}")),
            }
        }
        self.collect(Duration::from_secs(1));
        let asked_for = self.closing.load(Ordering::SeqCst);
        let reason = locked(&self.reason).get_or_insert_with(|| self.last_words()).clone();
        if !asked_for {
            notice(Notice::Lost(reason));
        }
        *locked(&self.waiting) = None;
    }

    fn last_words(&self) -> String {
        match std::fs::read_to_string(&self.log).as_deref().map(str::trim) {
            Ok("") | Err(_) => "it ended without a word".into(),
            Ok(text) => format!("it ended: {text}"),
        }
    }

    fn blame(&self, reason: String) {
        locked(&self.reason).get_or_insert(reason);
    }

    /// Waits for the agent's process to end, kills it if it does not, and collects it.
    fn collect(&self, within: Duration) {
        let until = boottime() + within;
        loop {
            let mut child = locked(&self.child);
            if !matches!(child.try_wait(), Ok(None)) {
                return;
            }
            if boottime() > until {
                let _ = child.kill();
                let _ = child.wait();
                return;
            }
            drop(child);
            thread::sleep(Duration::from_millis(2));
        }
    }
}
