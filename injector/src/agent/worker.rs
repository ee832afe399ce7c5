//! `brunt agent --worker`: a process of its own that weighs on a target, so that the target's cgroup is charged for it and
//! not the agent's.
//!
//! The agent starts it, puts it into the target's cgroup and only then says what to do (one line of JSON); every further
//! line renews its lease. It ends when its standard input does (the agent is gone, however that came), or when the lease
//! runs out (the agent or the runner is stopped). All that it holds is its own: memory, processor time, files without a
//! name. So its end is the whole undo. It asks the kernel to be the first to go when memory runs out, and keeps no
//! capability beyond the moment in which it opens its file.

mod burn;
pub mod gate;
mod piece;
mod write;

use std::fs;
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use rustix::process::Signal;
use rustix::thread::{CapabilitySet, CapabilitySets, set_capabilities};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use gate::{Gate, Hold};

use super::lease::boottime;
use crate::fault::Undo;
use crate::fault::disk::Folder;
use crate::mark::{self, WORKS_FOR};
use crate::packets::{Beats, Leasing};
use crate::process::{self, Pidfd, ProcessId, Stat};
use crate::{sys, undo};

/// Asks a worker what it has come to; a line that renews its lease, as all do.
const QUESTION: &str = "?";
/// Says there how long a worker goes on, or waits for its order, without another line: milliseconds. It stands there from the
/// first instant, so a worker that never gets an order ends with its lease like any other. Its pieces inherit it.
const LEASE: &str = "BRUNT_WORKS_WITHIN";
/// An agent whose lease is over takes its faults off by itself, unless it is stopped; so long may that take.
const LAST_CHANCE: Duration = Duration::from_millis(300);

/// What a worker does.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Task {
    /// Keeps so many threads busy, each for this share of its time.
    Burn {
        /// Threads.
        threads: u64,
        /// From 0 to 1.
        load: f64,
    },
    /// Holds memory, in pieces of which each is a process, and ends when one of them does. The kernel gives the memory of a
    /// process that it kills back in that process's own time, and kills the next one meanwhile: a piece, not the target.
    Hold {
        /// How much.
        bytes: u64,
    },
    /// Holds one piece, and touches it so that it is not swapped out.
    HoldPiece {
        /// How much.
        bytes: u64,
    },
    /// Writes past the page cache, again and again, to files without a name.
    Write {
        /// Where.
        folder: Folder,
        /// Threads, each with a file.
        threads: u64,
    },
    /// Undoes this at the end: of its input or of its lease, not when it is killed.
    GiveBack {
        /// What.
        undo: Vec<Undo>,
    },
    /// Holds nothing, and kills the agent if that does not give its lease up in time. Sockets end with the process that has
    /// them, and one that is stopped has them for ever.
    OutliveAgent {
        /// Which.
        agent: ProcessId,
    },
    /// Takes room on a file system, by a file without a name.
    Fill {
        /// Where.
        folder: Folder,
        /// How much.
        bytes: u64,
    },
    /// Holds accesses to files, and says on request what that has come to.
    HoldAccesses(Box<Hold>),
}

/// The whole life of a worker.
pub fn main() -> u8 {
    sys::keep_from_children();
    let _ = rustix::process::setsid();
    match live() {
        Ok(()) => 0,
        Err(why) => {
            eprintln!("{why}");
            1
        }
    }
}

fn live() -> Result<(), String> {
    fs::write("/proc/self/oom_score_adj", "1000").map_err(|error| format!("cannot ask to be killed first: {error}"))?;
    let lease = lease().ok_or_else(|| format!("{LEASE} does not say how long it may go on"))?;
    let mut input = Input::new();
    let line = input.wait(lease).map_err(|error| error.to_string())?;
    let Some(line) = line else { return Ok(()) };
    let task: Task = serde_json::from_str(&line).map_err(|error| format!("this is no order: {error}"))?;
    // Held until the end; what is taken is given back by the kernel.
    let mut held = begin(&task, lease)?;
    while let Some(line) = input.wait(lease).map_err(|error| error.to_string())? {
        match &mut held {
            Held::Pieces(pieces) => pieces.iter_mut().for_each(piece::Piece::beat),
            Held::Accesses(gate) if line.trim_end() == QUESTION => tell(&gate.tally())?,
            _ => {}
        }
    }
    match held {
        Held::Promise(undo) => undo.iter().try_for_each(|undo| undo::apply(undo).map(drop)),
        Held::Watch(agent) => input.end_within(LAST_CHANCE).and_then(|ended| if ended { Ok(()) } else { kill(agent) }),
        Held::Nothing | Held::File { .. } | Held::Pieces(_) | Held::Accesses(_) => Ok(()),
    }
}

fn lease() -> Option<Duration> {
    std::env::var(LEASE).ok()?.parse().ok().map(Duration::from_millis)
}

/// What a task holds.
enum Held {
    Nothing,
    File { _file: OwnedFd },
    Promise(Vec<Undo>),
    Watch(ProcessId),
    Pieces(Vec<piece::Piece>),
    Accesses(Gate),
}

fn begin(task: &Task, lease: Duration) -> Result<Held, String> {
    let thread = |error: io::Error| format!("cannot start a thread: {error}");
    match task {
        Task::Burn { threads, load } => {
            give_up_capabilities()?;
            for _ in 0..*threads {
                let load = *load;
                std::thread::Builder::new().spawn(move || burn::processor(load)).map_err(thread)?;
            }
        }
        Task::Hold { bytes } => {
            let pieces = piece::all_of(*bytes).map_err(|error| format!("cannot start a piece: {error}"))?;
            give_up_capabilities()?;
            return Ok(Held::Pieces(pieces));
        }
        Task::HoldPiece { bytes } => {
            be_scheduled_first();
            give_up_capabilities()?;
            let bytes = *bytes;
            std::thread::Builder::new().spawn(move || burn::memory(bytes)).map_err(thread)?;
        }
        Task::Write { folder, threads } => {
            let files = (0..*threads).map(|_| write::file(folder)).collect::<Result<Vec<_>, _>>()?;
            give_up_capabilities()?;
            for file in files {
                std::thread::Builder::new().spawn(move || write::again_and_again(&file)).map_err(thread)?;
            }
        }
        Task::GiveBack { undo } => return Ok(Held::Promise(undo.clone())),
        Task::OutliveAgent { agent } => {
            give_up_capabilities()?;
            return Ok(Held::Watch(*agent));
        }
        Task::Fill { folder, bytes } => {
            let file = folder.file_without_name(OFlags::empty())?;
            give_up_capabilities()?;
            write::take(&file, *bytes).map_err(|error| format!("cannot take {bytes} bytes in {folder}: {error}"))?;
            return Ok(Held::File { _file: file });
        }
        Task::HoldAccesses(hold) => {
            be_scheduled_first();
            let gate = Gate::open(Hold::clone(hold), lease)?;
            give_up_capabilities()?;
            return Ok(Held::Accesses(gate));
        }
    }
    Ok(Held::Nothing)
}

/// An agent that has ended needs nothing.
fn kill(agent: ProcessId) -> Result<(), String> {
    match Pidfd::open(agent).and_then(|handle| handle.signal(Signal::KILL)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(format!("cannot kill the agent {agent}: {error}")),
        _ => Ok(()),
    }
}

/// What holds memory gives it back soon when it is killed, whoever else wants the processor; and others wait for what answers
/// them. Both hardly run otherwise, so going first costs nobody anything. Without the right to it everything works as well, a
/// little later.
fn be_scheduled_first() {
    let _ = rustix::process::setpriority_process(None, -20);
}

/// Answers the question.
fn tell(what: &impl Serialize) -> Result<(), String> {
    let mut line = serde_json::to_vec(what).map_err(|error| error.to_string())?;
    line.push(b'\n');
    io::stdout().write_all(&line).map_err(|error| error.to_string())
}

fn give_up_capabilities() -> Result<(), String> {
    let none = CapabilitySet::empty();
    set_capabilities(None, CapabilitySets { effective: none, permitted: none, inheritable: none })
        .map_err(|error| format!("cannot give up capabilities: {error}"))
}

/// Standard input, line by line, each within its time.
struct Input {
    stdin: io::Stdin,
    read: Vec<u8>,
    /// Nothing more can come: the agent is gone, or has let go of this worker.
    ended: bool,
}

impl Input {
    fn new() -> Self {
        Self { stdin: io::stdin(), read: Vec::new(), ended: false }
    }

    /// The next line; `None` at the end of the input, or when the time is over.
    fn wait(&mut self, within: Duration) -> io::Result<Option<String>> {
        let until = boottime() + within;
        loop {
            if let Some(end) = self.read.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.read.drain(..=end).collect();
                return Ok(Some(String::from_utf8_lossy(&line).into_owned()));
            }
            let left = until.saturating_sub(boottime());
            let left = Timespec { tv_sec: left.as_secs() as i64, tv_nsec: i64::from(left.subsec_nanos()) };
            match poll(&mut [PollFd::new(&self.stdin, PollFlags::IN)], Some(&left)) {
                Ok(0) => return Ok(None),
                Ok(_) => {}
                Err(rustix::io::Errno::INTR) => continue,
                Err(error) => return Err(error.into()),
            }
            let mut some = [0; 4096];
            match rustix::io::read(&self.stdin, &mut some)? {
                0 => {
                    self.ended = true;
                    return Ok(None);
                }
                count => self.read.extend_from_slice(&some[..count]),
            }
        }
    }
}

impl Input {
    /// Whether it has ended, or does before the time is over.
    fn end_within(&mut self, within: Duration) -> Result<bool, String> {
        let until = boottime() + within;
        while !self.ended && boottime() < until {
            self.wait(until.saturating_sub(boottime())).map_err(|error| error.to_string())?;
        }
        Ok(self.ended)
    }
}

/// A worker as the agent sees it. It ends when this is dropped.
#[derive(Debug)]
pub struct Worker {
    child: Child,
    line: Arc<Line>,
    answers: BufReader<ChildStdout>,
    /// Its process.
    pub id: ProcessId,
}

/// Its standard input, which the beats of the agent's lease go down.
#[derive(Debug)]
struct Line(Mutex<Option<ChildStdin>>);

impl Leasing for Line {
    fn beat(&self) {
        // A pipe that is full has beats enough; one that is broken has no worker any more, which `verify` tells.
        if let Some(pipe) = self.0.lock().unwrap_or_else(PoisonError::into_inner).as_mut() {
            let _ = pipe.write_all(b"\n");
        }
    }
}

/// What a fault's workers carry.
pub fn mark_of(run_id: &str, fault: &str) -> String {
    format!("{run_id}/{fault}")
}

impl Worker {
    /// Starts one that begins at once, where it is.
    ///
    /// # Errors
    /// Those of starting a program; it has ended then.
    pub fn start_with(task: Task, run_id: &str, mark: &str, beats: &Arc<Beats>) -> io::Result<Self> {
        let worker = Self::start(run_id, mark, beats)?;
        worker.begin(task, beats)?;
        Ok(worker)
    }

    /// Starts one that waits for its order, for no longer than the lease.
    ///
    /// # Errors
    /// Those of starting a program.
    pub fn start(run_id: &str, mark: &str, beats: &Beats) -> io::Result<Self> {
        let mut child = Command::new(std::env::current_exe()?)
            .args(["agent", "--worker"])
            .envs(mark::variables(run_id, ProcessId::own()?))
            .env(WORKS_FOR, mark)
            .env(LEASE, beats.lease().as_millis().to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        let id = ProcessId::of(child.id())?;
        let pipe = child.stdin.take().ok_or_else(|| io::Error::other("it has no standard input"))?;
        fcntl_setfl(&pipe, fcntl_getfl(&pipe)? | OFlags::NONBLOCK)?;
        let answers = child.stdout.take().ok_or_else(|| io::Error::other("it has no standard output"))?;
        Ok(Self { child, line: Arc::new(Line(Mutex::new(Some(pipe)))), answers: BufReader::new(answers), id })
    }

    /// Says what to do, and keeps the lease alive from now on.
    ///
    /// # Errors
    /// When it is gone.
    pub fn begin(&self, task: Task, beats: &Arc<Beats>) -> io::Result<()> {
        let mut order = serde_json::to_vec(&task)?;
        order.push(b'\n');
        let mut pipe = self.line.0.lock().unwrap_or_else(PoisonError::into_inner);
        pipe.as_mut().ok_or(io::ErrorKind::BrokenPipe)?.write_all(&order)?;
        drop(pipe);
        let leasing: Arc<dyn Leasing> = Arc::<Line>::clone(&self.line);
        beats.keep(&leasing)
    }

    /// Asks what it has come to, and waits for the answer.
    ///
    /// # Errors
    /// It does not answer within that time, or has ended.
    pub fn ask<A: DeserializeOwned>(&mut self, within: Duration) -> io::Result<A> {
        let mut pipe = self.line.0.lock().unwrap_or_else(PoisonError::into_inner);
        pipe.as_mut().ok_or(io::ErrorKind::BrokenPipe)?.write_all(format!("{QUESTION}\n").as_bytes())?;
        drop(pipe);
        let patience = Timespec { tv_sec: within.as_secs() as i64, tv_nsec: i64::from(within.subsec_nanos()) };
        if poll(&mut [PollFd::new(self.answers.get_ref(), PollFlags::IN)], Some(&patience))? == 0 {
            return Err(io::Error::new(io::ErrorKind::TimedOut, "it does not answer"));
        }
        let mut line = String::new();
        self.answers.read_line(&mut line)?;
        serde_json::from_str(&line).map_err(io::Error::from)
    }

    /// Why it has ended, if it has.
    pub fn ended(&mut self) -> Option<String> {
        let status = self.child.try_wait().ok()??;
        let mut said = String::new();
        if let Some(stderr) = self.child.stderr.take() {
            // It has ended, and started nothing: there is an end to read to.
            let _ = BufReader::new(stderr).take(4096).read_line(&mut said);
        }
        Some(match (said.trim(), status.signal()) {
            ("", Some(9)) => "it was killed: by the kernel, if memory ran out, or by somebody".into(),
            ("", _) => process::in_words(status),
            (said, _) => said.to_owned(),
        })
    }

    /// Ends it and waits until it has; it may be called again.
    ///
    /// # Errors
    /// It is still there after two seconds: whoever is killed ends when what it waits for in the kernel has, a disk for instance.
    pub fn end(&mut self) -> io::Result<()> {
        drop(self.line.0.lock().unwrap_or_else(PoisonError::into_inner).take());
        undo::end(self.id)?;
        self.child.wait().map(drop)
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let _ = self.end();
    }
}

/// The workers with this mark that are alive.
pub fn find(mark: &str) -> Vec<ProcessId> {
    let wanted = format!("{WORKS_FOR}={mark}");
    let carries = |stat: &Stat| {
        let environment = fs::read(format!("/proc/{}/environ", stat.id.pid)).unwrap_or_default();
        environment.split(|byte| *byte == 0).any(|pair| pair == wanted.as_bytes())
    };
    let all = process::all().unwrap_or_default();
    all.into_iter().filter(|stat| !stat.is_zombie() && carries(stat)).map(|stat| stat.id).collect()
}
