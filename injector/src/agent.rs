//! `brunt agent`: the process beside the runner that holds services and faults on processes and packets, and undoes them when the runner
//! cannot.
//!
//! It ends (resumes what is paused, reverts every fault, kills every service, closes the journal) as soon as the runner's
//! process is gone, its own stdin ends, or the lease runs out: a runner that is stopped is as bad as one that is dead.
//! It runs in a session of its own, so that Ctrl-C in a terminal reaches the runner only; it asks for no PR_SET_PDEATHSIG,
//! which would fire when the *thread* that started it ends. One thread, one loop, nothing in it waits for long, and a
//! runner that does not read its answers cannot block it.

mod faults;
pub mod guard;
pub mod handle;
pub mod in_pod;
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
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::process::Child;
use std::sync::Arc;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::time::{
    ClockId, Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, clock_gettime, timerfd_create,
    timerfd_settime,
};

use crate::fault::Undo;
use crate::journal;
use crate::mark;
use crate::packets::Beats;
use crate::process::{Pidfd, ProcessId};
use crate::{sys, undo};
use faults::Faults;
use lease::{Lease, boottime};
use network::Network;
use pipes::{Input, Output};
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

struct Agent {
    input: Input,
    output: Output,
    timer: OwnedFd,
    runner: Pidfd,
    lease: Lease,
    run_id: String,
    journal: PathBuf,
    services: Services,
    /// The leases of rules in the kernel.
    beats: Arc<Beats>,
    faults: Faults,
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
        let Hello { version, run_id, runner, journal, lease } = hello;
        if version != env!("CARGO_PKG_VERSION") {
            let text = format!("the runner has version {version}, the agent {}", env!("CARGO_PKG_VERSION"));
            return Err(io::Error::other(text));
        }
        let own = ProcessId::own()?;
        let mut output = Output::new()?;
        output.say(&FromAgent::Ready { agent: own });
        let beats = Beats::new(lease.max(lease::SHORTEST));
        let pods = Pods::new(&run_id, &beats);
        let faults = Faults::new(&run_id, &beats, Some(Arc::clone(&pods)));
        Ok(Self {
            input,
            output,
            timer: timerfd_create(TimerfdClockId::Boottime, TimerfdFlags::CLOEXEC | TimerfdFlags::NONBLOCK)?,
            runner: Pidfd::open(runner)?,
            lease: Lease::new(lease, boottime()),
            services: Services::new(mark::variables(&run_id, own)),
            beats,
            run_id,
            journal,
            faults,
            pods,
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
        self.output.flush();
        self.wait()?;
        let open = self.input.read()?;
        let listened = boottime();
        // What has arrived counts before the lease is judged, and before the end of the pipe is.
        while let Some(line) = self.input.line() {
            if let Some(ending) = self.hear(&line) {
                return Ok(Some(ending));
            }
        }
        if self.runner.has_ended()? {
            return Ok(Some(Ending::Alone("the runner is gone".into())));
        }
        if !open {
            return Ok(Some(Ending::Alone("the runner has closed the agent's input".into())));
        }
        // A verb may have taken longer than the lease: what the runner has said meanwhile is not read yet.
        if let Err(expired) = self.lease.check(listened) {
            return Ok(Some(Ending::Alone(silence(expired))));
        }
        for what in self.services.tick() {
            self.tell(what);
        }
        if let Some((seq, reports)) = self.stopping.and_then(|seq| Some((seq, self.services.stopped()?))) {
            self.stopping = None;
            self.output.say(&FromAgent::Answer { seq, answer: Ok(Answer::Stopped(reports)) });
        }
        Ok(None)
    }

    fn wait(&mut self) -> io::Result<()> {
        let until = self.services.next_deadline().map_or(self.lease.until(), |at| at.min(self.lease.until()));
        // Zero would switch the timer off; just past the deadline, for the lease has run out only *after* its end.
        let until = until.max(Duration::from_nanos(1)) + Duration::from_millis(1);
        let value = Timespec { tv_sec: until.as_secs() as i64, tv_nsec: i64::from(until.subsec_nanos()) };
        let once = Itimerspec { it_interval: Timespec { tv_sec: 0, tv_nsec: 0 }, it_value: value };
        timerfd_settime(&self.timer, TimerfdTimerFlags::ABSTIME, &once)?;
        let mut sources = vec![
            PollFd::new(&self.timer, PollFlags::IN),
            PollFd::new(self.runner.fd(), PollFlags::IN),
            PollFd::from_borrowed_fd(self.input.as_fd(), PollFlags::IN),
        ];
        if self.output.is_waiting() {
            sources.push(PollFd::from_borrowed_fd(self.output.as_fd(), PollFlags::OUT));
        }
        sources.extend(self.services.handles().map(|handle| PollFd::new(handle, PollFlags::IN)));
        match poll(&mut sources, None) {
            Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    fn hear(&mut self, line: &str) -> Option<Ending> {
        match serde_json::from_str(line) {
            Ok(ToAgent::Beat(sent)) => match self.lease.renew(Duration::from_nanos(sent)) {
                Ok(()) => {
                    self.beats.extend(self.lease.until());
                    self.output.say_if_free(&FromAgent::Beat(sent));
                }
                Err(expired) => return Some(Ending::Alone(silence(expired))),
            },
            Ok(ToAgent::Ask { seq, ask: Ask::End }) => return Some(Ending::Asked(seq)),
            Ok(ToAgent::Ask { seq, ask: Ask::StopServices }) => {
                self.services.begin_stop();
                self.stopping = Some(seq);
            }
            Ok(ToAgent::Ask { seq, ask }) => {
                let answer = self.obey(ask);
                self.output.say(&FromAgent::Answer { seq, answer });
            }
            Ok(ToAgent::Hello(_) | ToAgent::Join(_)) => return Some(Ending::Alone("the runner greeted twice".into())),
            Err(error) => return Some(Ending::Alone(format!("the runner said something that is no request: {error}"))),
        }
        None
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

    fn tell(&mut self, what: Happening) {
        let now = clock_gettime(ClockId::Monotonic);
        let at = now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64;
        self.output.say(&FromAgent::Happened { at, what });
    }

    /// Undoes everything. If the runner is dead, its journal is closed for it: what `cleanup` would do is done here.
    fn end(&mut self, ending: Ending) -> u8 {
        let mut left = Vec::new();
        let mut stuck = self.revert_all();
        left.extend(self.undo_held());
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
        let until = boottime() + PATIENCE;
        while matches!(ending, Ending::Alone(_)) && !stuck.is_empty() && boottime() < until && !self.is_asked() {
            std::thread::sleep(Duration::from_secs(1));
            stuck = self.revert_all();
        }
        left.extend(stuck);
        left.extend(self.pods.end_all());
        let failed = !left.is_empty();
        match ending {
            Ending::Asked(seq) => self.output.say(&FromAgent::Answer { seq, answer: Ok(Answer::Ended(left)) }),
            Ending::Alone(reason) => {
                self.close_journal_of_the_dead();
                let left = left.iter().map(|one| format!("; left behind: {one}")).collect::<String>();
                self.output.say(&FromAgent::Ended { reason: reason + &left });
            }
        }
        self.output.flush_within(Duration::from_millis(500));
        u8::from(failed)
    }

    /// Whether a runner that was silent for too long is there after all, and wants something. Once this agent has ended it does by
    /// itself what can be done, and says what cannot.
    fn is_asked(&mut self) -> bool {
        // A pipe that cannot be read has nobody behind it.
        let _ = self.input.read();
        std::iter::from_fn(|| self.input.line())
            .any(|line| matches!(serde_json::from_str(&line), Ok(ToAgent::Ask { .. })))
    }

    /// Notes what is undone, and says why those that are left could not be.
    fn revert_all(&mut self) -> Vec<String> {
        let journal = &self.journal;
        self.faults.revert_all(&mut self.services, |fault| note(journal, fault))
    }

    /// Carries out what undoes the faults of a runner that cannot any more; services still run meanwhile, for a command may
    /// have to talk to them. What the journal says is undone, is.
    fn undo_held(&mut self) -> Vec<String> {
        let open = journal::read(&self.journal).ok().map(|found| found.open);
        let is_open = |fault: &str| open.as_ref().is_none_or(|open| open.iter().any(|entry| entry.fault == fault));
        let mut left = Vec::new();
        for (id, undo) in std::mem::take(&mut self.held).into_iter().filter(|(id, _)| is_open(id)) {
            let failed: Vec<String> = undo.into_iter().filter_map(|undo| carry_out(undo).err()).collect();
            if failed.is_empty() {
                note(&self.journal, &id);
            }
            left.extend(failed.into_iter().map(|error| format!("{id}: {error}")));
        }
        left
    }

    fn close_journal_of_the_dead(&self) {
        // The lock, too, ends only with the process itself: wait for what is on its way.
        if !self.runner.wait_end(Duration::from_millis(100)).unwrap_or(false) {
            return;
        }
        let Ok(found) = journal::read(&self.journal) else { return };
        let only_with_runner =
            |entry: &journal::Entry| entry.undo.iter().all(|undo| *undo == crate::Undo::EndsWithRunner);
        if found.open.iter().all(only_with_runner) {
            // What cannot be removed, `cleanup` reports.
            let _ = std::fs::remove_file(&self.journal);
            let _ = std::fs::remove_file(self.journal.with_extension("agent.log"));
        }
    }
}

/// A note that cannot be written leaves the entry open: `cleanup` then finds nothing to do and says so.
fn note(journal: &Path, fault: &str) {
    if let Err(error) = journal::note_undone(journal, fault, "agent") {
        eprintln!("brunt agent: {error}");
    }
}

/// What undoes the fault of a runner that cannot may be a command of the user's.
fn carry_out(undo: Undo) -> Result<Vec<String>, String> {
    let carried_out = rights::as_started_by_the_user(move || undo::apply(&undo));
    carried_out.map_err(|error| error.to_string())?
}

/// A guard ends when nobody holds its input any more, and has nothing to do then.
fn dismiss(mut guard: Child) -> Option<String> {
    drop(guard.stdin.take());
    guard.wait().err().map(|error| format!("cannot wait for the guard of isolated services: {error}"))
}

fn silence(expired: lease::Expired) -> String {
    format!("the lease ran out: the runner was silent for {:.1} s", expired.silent.as_secs_f64())
}
