//! `brunt agent`: the process beside the runner that holds services and faults on processes and packets, and undoes them when the runner
//! cannot.
//!
//! It ends (resumes what is paused, reverts every fault, kills every service, closes the journal) as soon as the runner's
//! process is gone, its own stdin ends, or the lease runs out: a runner that is stopped is as bad as one that is dead.
//! It runs in a session of its own, so that Ctrl-C in a terminal reaches the runner only; it asks for no PR_SET_PDEATHSIG,
//! which would fire when the *thread* that started it ends.
//!
//! Its threads, and what each of them owns:
//!
//! - The *ear* (`ear.rs`) owns standard input and the lease. It carries no verb, so heartbeats are taken and answered whatever the
//!   others are at; until when the agent may go on is one atomic instant ([`Beats`]), by which all that lives on the lease goes.
//!   If the main thread is stuck, the ear leaves heartbeats unanswered, so that the runner ends this agent and undoes in its place.
//! - The *main thread* owns the services, the faults on processes and packets, and the end. What it does is quick, and in the order
//!   in which it was asked for; it waits for nobody outside of this host but for the commands of the user's that mend something.
//! - *A thread for each fault that waits for others* (`elsewhere.rs`: an engine of containers, a cluster, agents in pods) owns that
//!   fault. When the run is over each of them is told to take it off, at the same time and each for itself.
//! - *Beats* ([`Beats`]) renews the leases of rules and workers while the agent's own lease lives; each agent in a pod has a thread
//!   that talks with it ([`pods`]); and one thread starts programs of the user's ([`rights`]).
//!
//! No lock is held while a verb runs. The output is the only thing that the threads share besides queues, and writing to it never
//! waits: a runner that does not read its answers cannot block anybody.

mod alarm;
mod ear;
mod elsewhere;
mod faults;
pub mod guard;
pub mod handle;
pub mod in_pod;
mod inbox;
pub mod lease;
mod making;
pub mod network;
pub mod pipes;
pub mod pods;
pub mod protocol;
pub mod rights;
pub mod services;
pub mod worker;

use std::collections::BTreeMap;
use std::io;
use std::os::fd::AsFd as _;
use std::path::{Path, PathBuf};
use std::process::Child;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::time::{ClockId, clock_gettime};

use crate::fault::Undo;
use crate::journal;
use crate::mark;
use crate::packets::Beats;
use crate::process::{Pidfd, ProcessId};
use crate::{sys, undo};
use alarm::Alarm;
use ear::{Ear, Heard, MainEnd};
use elsewhere::{ComingOff, Elsewhere, mend};
use faults::Faults;
use lease::boottime;
use network::Network;
use pipes::{Input, Output, Voice};
use pods::Pods;
use protocol::{Answer, Ask, FromAgent, Happening, Hello, ToAgent};
use services::{Key, Services};

/// The whole life of the agent; returns its exit code. What a process does when it is called as
/// `brunt agent`; standard input and output are its own from here on.
pub fn main() -> u8 {
    sys::keep_from_children();
    if let Err(error) = rights::keep_from_children().and_then(|()| rights::drop_others()) {
        eprintln!("brunt agent: cannot give up the rights that it does not need: {error}");
        return 1;
    }
    // EPERM when it leads a group already, as a shell's job would: then it has no terminal to lose in a pipe either.
    let _ = rustix::process::setsid();
    match Agent::greet() {
        Ok(mut agent) => agent.run(),
        Err(error) => {
            eprintln!(
                "brunt agent: {error}. It is started by `brunt run` and speaks JSON lines on its standard input."
            );
            1
        }
    }
}

/// What the main thread owns.
struct Agent {
    ear: MainEnd,
    voice: Voice,
    /// Rings when a service has something to do by the clock.
    alarm: Alarm,
    runner: Pidfd,
    run_id: String,
    journal: PathBuf,
    services: Services,
    faults: Faults,
    elsewhere: Elsewhere,
    pods: Arc<Pods>,
    /// What undoes the faults that the runner makes and mends itself.
    held: BTreeMap<String, Vec<Undo>>,
    /// Ends what an agent that was killed leaves; only runs with isolated services have one.
    guard: Option<Child>,
    /// The request that is answered when the last service is gone.
    stopping: Option<u64>,
}

/// How long an agent without a runner goes on trying what it could not undo at once: the API server of a cluster may be away
/// for a while. After that `cleanup` remains.
const PATIENCE: Duration = Duration::from_secs(60);

/// Why the agent ends.
enum Ending {
    /// The runner asked for it: the request's number.
    Asked(u64),
    /// It has to, for this reason.
    Alone(String),
}

impl Agent {
    /// Waits for the first line, at most ten seconds.
    fn greet() -> io::Result<Self> {
        let mut input = Input::new()?;
        let hello = input.first_line(Duration::from_secs(10))?;
        let ToAgent::Hello(hello) = serde_json::from_str(&hello)? else {
            return Err(io::Error::other("the first line is no greeting"));
        };
        if hello.version != env!("CARGO_PKG_VERSION") {
            let text = format!("the runner has version {}, the agent {}", hello.version, env!("CARGO_PKG_VERSION"));
            return Err(io::Error::other(text));
        }
        let own = ProcessId::own()?;
        let voice = Voice::new(Output::new()?);
        voice.say(&FromAgent::Ready { agent: own });
        let beats = Beats::new(hello.lease.max(lease::SHORTEST));
        let (listens, ear) = Ear::new(&hello, input, voice.clone(), Arc::clone(&beats))?;
        thread::Builder::new().name("brunt-ear".into()).spawn(move || listens.listen())?;
        let Hello { run_id, runner, journal, .. } = hello;
        Ok(Self {
            ear,
            alarm: Alarm::new()?,
            runner: Pidfd::open(runner)?,
            services: Services::new(mark::variables(&run_id, own)),
            faults: Faults::new(&run_id, &beats),
            elsewhere: Elsewhere::new(voice.clone()),
            pods: Pods::new(&run_id, &beats),
            voice,
            run_id,
            journal,
            held: BTreeMap::new(),
            guard: None,
            stopping: None,
        })
    }

    fn run(&mut self) -> u8 {
        let ending = loop {
            match self.turn() {
                Ok(None) => {}
                Ok(Some(ending)) => break ending,
                Err(error) => break Ending::Alone(format!("the agent cannot go on: {error}")),
            }
        };
        self.end(ending)
    }

    /// Waits for something to happen and deals with all that has.
    fn turn(&mut self) -> io::Result<Option<Ending>> {
        self.wait()?;
        self.ear.heard.hush();
        loop {
            match self.ear.heard.take() {
                Ok(None) => break,
                Ok(Some(Heard::Asked(seq, Ask::End))) => return Ok(Some(Ending::Asked(seq))),
                Ok(Some(Heard::Asked(seq, ask))) => {
                    // Before there is anything else, and as long as there are many instances.
                    if !matches!(ask, Ask::Network { .. }) {
                        self.ear.at_work.begins();
                    }
                    self.hear(seq, ask);
                    self.ear.at_work.is_done();
                }
                Ok(Some(Heard::Over(reason))) => return Ok(Some(Ending::Alone(reason))),
                Err(_) => return Ok(Some(Ending::Alone("nobody hears the runner any more".into()))),
            }
        }
        for what in self.services.tick() {
            self.tell(what);
        }
        if let Some((seq, reports)) = self.stopping.and_then(|seq| Some((seq, self.services.stopped()?))) {
            self.stopping = None;
            self.voice.say(&FromAgent::Answer { seq, answer: Ok(Answer::Stopped(reports)) });
        }
        Ok(None)
    }

    fn wait(&self) -> io::Result<()> {
        self.alarm.set(self.services.next_deadline())?;
        let mut sources = vec![
            PollFd::new(self.alarm.fd(), PollFlags::IN),
            PollFd::from_borrowed_fd(self.ear.heard.as_fd(), PollFlags::IN),
        ];
        sources.extend(self.services.handles().map(|handle| PollFd::new(handle, PollFlags::IN)));
        match poll(&mut sources, None) {
            Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Answers, or has somebody else answer later.
    fn hear(&mut self, seq: u64, ask: Ask) {
        let answer = match ask {
            Ask::StopServices => {
                self.services.begin_stop();
                self.stopping = Some(seq);
                return;
            }
            Ask::Prepare(ref order) => match making::elsewhere(order, &self.run_id, &self.pods) {
                Some(Ok(fault)) => {
                    let id = order.fault.clone();
                    return self.elsewhere.begin(seq, ask, &id, fault);
                }
                Some(Err(error)) => Err(error.to_string()),
                None => self.obey(ask),
            },
            ask => match ask.fault().filter(|fault| self.elsewhere.has(fault)).map(str::to_owned) {
                Some(fault) => return self.elsewhere.ask(&fault, seq, ask),
                None => self.obey(ask),
            },
        };
        self.voice.say(&FromAgent::Answer { seq, answer });
    }

    fn obey(&mut self, ask: Ask) -> Result<Answer, String> {
        let answer = match ask {
            Ask::Network { alias, instances } => return self.isolate(&alias, instances),
            Ask::Start(spec) => self.services.start(spec).map(Answer::Started),
            verb @ (Ask::Prepare(_)
            | Ask::Follow { .. }
            | Ask::Approach { .. }
            | Ask::Inject { .. }
            | Ask::Verify { .. }
            | Ask::Meet { .. }
            | Ask::Cease
            | Ask::Revert { .. }) => {
                return self.faults.obey(verb, &mut self.services);
            }
            Ask::Hold { fault, undo } => {
                self.held.insert(fault, undo);
                Ok(Answer::Noted)
            }
            Ask::LetGo { fault } => {
                self.held.remove(&fault);
                Ok(Answer::Noted)
            }
            Ask::StopServices | Ask::Undo { .. } | Ask::End => return Err("not here".into()),
        };
        answer.map_err(|error| error.to_string())
    }

    /// The guard first: from the first namespace on somebody is there who ends what would hold it.
    fn isolate(&mut self, alias: &str, instances: Vec<Key>) -> Result<Answer, String> {
        let guard = guard::start(&self.run_id);
        self.guard = Some(guard.map_err(|error| format!("cannot start the guard of isolated services: {error}"))?);
        let network = Network::build(&self.run_id, alias, instances).map_err(|error| error.to_string())?;
        Ok(Answer::Network(self.services.isolate(network)))
    }

    fn tell(&self, what: Happening) {
        let now = clock_gettime(ClockId::Monotonic);
        let at = now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64;
        self.voice.say(&FromAgent::Happened { at, what });
    }

    /// Undoes everything. If the runner is dead, its journal is closed for it: what `cleanup` would do is done here.
    fn end(&mut self, ending: Ending) -> u8 {
        let mut left = Vec::new();
        self.forget_undone();
        let coming_off = self.come_off();
        let mut stuck = self.revert_here();
        left.extend(self.run_undo_commands());
        left.extend(self.services.end_all(Duration::from_secs(2)));
        match undo::end_marked(&self.run_id) {
            Ok(_) => note(&self.journal, journal::SERVICES),
            Err(error) => left.push(error),
        }
        if let Some(guard) = self.guard.take() {
            self.services.end_isolation();
            note(&self.journal, journal::NETWORK);
            left.extend(dismiss(guard));
        }
        stuck.extend(self.wait_for(coming_off));
        let until = boottime() + PATIENCE;
        while matches!(ending, Ending::Alone(_)) && !stuck.is_empty() && boottime() < until && !self.is_asked() {
            thread::sleep(Duration::from_secs(1));
            let coming_off = self.come_off();
            stuck = self.revert_here();
            stuck.extend(self.wait_for(coming_off));
        }
        left.extend(stuck);
        left.extend(self.pods.end_all());
        let failed = !left.is_empty();
        match ending {
            Ending::Asked(seq) => self.voice.say(&FromAgent::Answer { seq, answer: Ok(Answer::Ended(left)) }),
            Ending::Alone(reason) => {
                close_journal_of_the_dead(&self.journal, &self.runner);
                let left = left.iter().map(|one| format!("; left behind: {one}")).collect::<String>();
                self.voice.say(&FromAgent::Ended { reason: reason + &left });
            }
        }
        self.voice.output().flush_within(Duration::from_millis(500));
        u8::from(failed)
    }

    /// Whether a runner that was silent for too long is there after all, and wants something. Once this agent has ended it does by
    /// itself what can be done, and says what cannot.
    fn is_asked(&self) -> bool {
        std::iter::from_fn(|| self.ear.heard.take().ok().flatten()).any(|heard| matches!(heard, Heard::Asked(..)))
    }

    /// Reverts the faults on processes and packets; notes what is undone, and says why those that are left could not be.
    fn revert_here(&mut self) -> Vec<String> {
        let journal = &self.journal;
        self.faults.revert_all(&mut self.services, |fault| note(journal, fault))
    }

    /// Begins to undo what is elsewhere: the faults there, and what the runner has changed itself.
    fn come_off(&self) -> ComingOff {
        let mut coming_off = self.elsewhere.come_off();
        for (id, undo) in self.held.iter().filter(|(_, undo)| is_elsewhere(undo)) {
            coming_off.add(id, undo.clone());
        }
        coming_off
    }

    /// Waits for that; notes what is undone, and says why those that are left could not be.
    fn wait_for(&mut self, coming_off: ComingOff) -> Vec<String> {
        coming_off.wait(|id| {
            self.held.remove(id);
            note(&self.journal, id);
        })
    }

    /// Forgets what a runner that is gone had undone itself.
    fn forget_undone(&mut self) {
        if let Ok(found) = journal::read(&self.journal) {
            self.held.retain(|id, _| found.open.iter().any(|entry| entry.fault == *id));
        }
    }

    /// Runs the commands that undo the faults of a runner that cannot any more; services still run meanwhile, for a command may
    /// have to talk to them.
    fn run_undo_commands(&mut self) -> Vec<String> {
        let mut left = Vec::new();
        for (id, undo) in self.held.extract_if(.., |_, undo| !is_elsewhere(undo)) {
            let failed = mend(undo);
            if failed.is_empty() {
                note(&self.journal, &id);
            }
            left.extend(failed.into_iter().map(|error| format!("{id}: {error}")));
        }
        left
    }
}

/// The journal of a run whose runner is dead goes, if nothing is left of it.
fn close_journal_of_the_dead(journal: &Path, runner: &Pidfd) {
    // The lock, too, ends only with the process itself: wait for what is on its way.
    if !runner.wait_end(Duration::from_millis(100)).unwrap_or(false) {
        return;
    }
    let Ok(found) = journal::read(journal) else { return };
    let only_with_runner = |entry: &journal::Entry| entry.undo.iter().all(|undo| *undo == Undo::EndsWithRunner);
    if found.open.iter().all(only_with_runner) {
        // What cannot be removed, `cleanup` reports.
        let _ = std::fs::remove_file(journal);
        let _ = std::fs::remove_file(journal.with_extension("agent.log"));
    }
}

/// A note that cannot be written leaves the entry open: `cleanup` then finds nothing to do and says so.
fn note(journal: &Path, fault: &str) {
    if let Err(error) = journal::note_undone(journal, fault, "agent") {
        eprintln!("brunt agent: {error}");
    }
}

/// Whether this is undone in a cluster, and nothing on this host has to be there for it.
fn is_elsewhere(undo: &[Undo]) -> bool {
    undo.iter().all(|undo| matches!(undo, Undo::Cluster { .. }))
}

/// A guard ends when nobody holds its input any more, and has nothing to do then.
fn dismiss(mut guard: Child) -> Option<String> {
    drop(guard.stdin.take());
    guard.wait().err().map(|error| format!("cannot wait for the guard of isolated services: {error}"))
}
