//! Carries out an [`Undo`] without the fault that made it: for `cleanup`, for the runner when its agent is gone, and for the
//! agent that holds an undo for a runner which is gone.

mod pods;
mod queues;

use std::io;
use std::thread;
use std::time::{Duration, Instant};

use brunt_kubernetes::Object;
use rustix::process::Signal;

use crate::agent::worker;
use crate::command;
use crate::fault::{Undo, container, stress};
use crate::mark;
use crate::netlink::link;
use crate::packets::arrivals;
use crate::process::{Pidfd, ProcessId, Stat};

/// How long a signal may take to be seen in /proc.
const SETTLE: Duration = Duration::from_secs(2);

/// Does it. `Ok` says in sentences what was done or was found not to be needed; `Err` what a person must do.
pub fn apply(undo: &Undo) -> Result<Vec<String>, String> {
    match undo {
        Undo::Continue { processes } => each(processes, |process| resume(*process)),
        Undo::Unpause { containers } => each(containers, container::thaw),
        Undo::StartContainers { containers, grace } => each(containers, |held| container::start(held, *grace)),
        Undo::EndMarked { run_id } => end_marked(run_id),
        Undo::EndWorkers { mark } => end_workers(mark),
        Undo::Descriptors { moved } => each(moved, stress::give_back),
        Undo::Run { command, mark } => {
            command::end_in_flight(mark);
            match command.run() {
                Ok(_) => Ok(vec![format!("`{command}` ended with exit status 0")]),
                Err(error) => Err(format!("{error}; run it by hand: {}", command.by_hand())),
            }
        }
        Undo::Queues { at, namespace, links } => queues::restore(at, *namespace, links),
        Undo::Arrivals { at, namespace } => queues::remove_arrivals(at, *namespace),
        Undo::Network { wire, alias } => take_away(wire, alias).map(|done| done.into_iter().collect()),
        Undo::EndsInPods { pods, container, lease, stops } => {
            each(pods, |pod| pods::ended(pod, container, *lease, *stops))
        }
        Undo::Cluster { inverse } => inverse.apply().map(|sentence| vec![sentence]),
        Undo::EndsWithRunner => Ok(vec!["ended with the run's own process".into()]),
        Undo::EndsWithAgent { what } => Ok(vec![format!("{what} ended with the agent")]),
        Undo::Nothing { why } => Ok(vec![why.clone()]),
    }
}

/// What [`apply`] would do, for who asks first.
pub fn in_words(undo: &Undo) -> String {
    let names = |containers: &[container::Held]| {
        let names: Vec<&str> = containers.iter().map(|held| held.name.as_str()).collect();
        names.join(", ")
    };
    match undo {
        Undo::Continue { processes } => {
            let all: Vec<String> = processes.iter().map(ToString::to_string).collect();
            format!("continue {}, if stopped", all.join(", "))
        }
        Undo::Unpause { containers } => format!("thaw {}", names(containers)),
        Undo::StartContainers { containers, .. } => format!("start {}, if it does not run", names(containers)),
        Undo::EndMarked { .. } => "end whatever carries the mark of that run".into(),
        Undo::EndWorkers { .. } => "end the workers of that fault, if any is left".into(),
        Undo::Descriptors { moved } => {
            let all: Vec<String> = moved.iter().map(|moved| moved.process.to_string()).collect();
            format!("give {} the old limit of descriptors back", all.join(", "))
        }
        Undo::Run { command, .. } => format!("run `{command}`"),
        Undo::Queues { at, links, .. } => {
            let links: Vec<&str> = links.iter().map(|queues| queues.name.as_str()).collect();
            format!("put back the queues of {} in {}", links.join(", "), at.display())
        }
        Undo::Arrivals { at, .. } => {
            format!("remove the link {} in {}, if it is still there", arrivals::NAME, at.display())
        }
        Undo::Network { wire, .. } => format!("remove the interface {wire}, if it is still there"),
        Undo::EndsInPods { pods, .. } => {
            let all: Vec<String> = pods.iter().map(Object::place).collect();
            format!("wait until the agents in {} have ended at their lease", all.join(", "))
        }
        Undo::Cluster { inverse } => inverse.in_words(),
        Undo::EndsWithRunner => "nothing: it ended with the run's own process".into(),
        Undo::EndsWithAgent { what } => format!("nothing: {what} ended with the agent"),
        Undo::Nothing { why } => format!("nothing: {why}"),
    }
}

/// Every one, whatever becomes of the others.
fn each<T>(all: &[T], undo: impl Fn(&T) -> Result<String, String>) -> Result<Vec<String>, String> {
    let (mut done, mut failed) = (Vec::new(), Vec::new());
    for one in all {
        match undo(one) {
            Ok(sentence) => done.push(sentence),
            Err(sentence) => failed.push(sentence),
        }
    }
    if failed.is_empty() { Ok(done) } else { Err(failed.join("; ")) }
}

/// Continues a stopped process and waits until it is seen running. A process that is gone needs nothing, and what now has
/// its pid is left alone.
fn resume(id: ProcessId) -> Result<String, String> {
    let by_hand = |error: io::Error| format!("cannot continue {id}: {error}; run `kill -CONT {}`", id.pid);
    let handle = match Pidfd::open(id) {
        Ok(handle) => handle,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(format!("{id} is gone: {error}")),
        Err(error) => return Err(by_hand(error)),
    };
    if !Stat::read(id.pid).is_ok_and(|stat| stat.is_stopped()) {
        return Ok(format!("{id} runs already"));
    }
    handle.signal(Signal::CONT).map_err(by_hand)?;
    let until = Instant::now() + SETTLE;
    while Stat::read(id.pid).is_ok_and(|stat| stat.id == id && stat.is_stopped()) {
        if Instant::now() > until {
            return Err(format!("{id} stays stopped after SIGCONT; run `kill -CONT {}`", id.pid));
        }
        thread::sleep(Duration::from_millis(1));
    }
    Ok(format!("{id} continued"))
}

/// Kills whatever carries the mark of this run, again until a search finds nothing: a process may fork while it is
/// looked at.
pub fn end_marked(run_id: &str) -> Result<Vec<String>, String> {
    let mut done = Vec::new();
    for _ in 0..5 {
        let found: Vec<_> = mark::find().into_iter().filter(|marked| marked.run_id == run_id).collect();
        if found.is_empty() {
            return Ok(done);
        }
        for marked in found {
            match end(marked.process) {
                Ok(()) => done.push(format!("{} ({}) ended", marked.process, marked.name)),
                Err(error) => {
                    return Err(format!(
                        "cannot end {}: {error}; run `kill -9 {}`",
                        marked.process, marked.process.pid
                    ));
                }
            }
        }
    }
    Err(format!("processes of run {run_id} keep appearing"))
}

/// Kills the workers of a fault.
fn end_workers(mark: &str) -> Result<Vec<String>, String> {
    let found = worker::find(mark);
    if found.is_empty() {
        return Ok(vec!["its workers have ended, and all that they held with them".into()]);
    }
    each(&found, |worker| match end(*worker) {
        Ok(()) => Ok(format!("the worker {worker} ended, and all that it held with it")),
        Err(error) => Err(format!("cannot end the worker {worker}: {error}; run `kill -9 {}`", worker.pid)),
    })
}

/// The kernel takes a network down in its own time once nobody holds it, and the wire with it. What is there after that is
/// removed, unless it is somebody else's. Empty when there was nothing to do.
pub fn take_away(wire: &str, alias: &str) -> Result<Option<String>, String> {
    let by_hand =
        |error: io::Error| format!("cannot remove the interface {wire}: {error}; run `ip link delete {wire}`");
    let mut socket = link::open().map_err(by_hand)?;
    let until = Instant::now() + SETTLE;
    let mut seen = false;
    loop {
        let found = match link::by_name(&mut socket, wire) {
            Ok(found) if found.alias == alias => found,
            Ok(_) => return Ok(None),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Ok(seen.then(|| "it went with the last process behind it".into()));
            }
            Err(error) => return Err(by_hand(error)),
        };
        seen = true;
        if Instant::now() > until {
            let removed = link::remove(&mut socket, found.index).map_err(by_hand);
            return removed.map(|()| Some(format!("the interface {wire} removed")));
        }
        thread::sleep(Duration::from_millis(5));
    }
}

/// SIGKILL, then waits for the end. `Ok` when it was gone already.
pub fn end(id: ProcessId) -> io::Result<()> {
    let handle = match Pidfd::open(id) {
        Ok(handle) => handle,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    match handle.signal(Signal::KILL) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    if handle.wait_end(SETTLE)? { Ok(()) } else { Err(io::Error::other("it is still there 2 s after SIGKILL")) }
}
