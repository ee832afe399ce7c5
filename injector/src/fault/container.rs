//! Faults on containers of this host's Docker Engine. They live in the agent, as those on processes do, but wait for the engine.
//!
//! The engine is asked to pause, stop and restart, because it keeps the books of its containers; it is not asked to kill:
//! it takes a kill through its interface for the wish that the container stays down, and then no restart policy acts.
//! Whatever it is asked for, the effect is read from `/proc` and from the container's cgroup.

mod kill;
mod pause;
mod restart;
mod stop;
mod underway;

use std::fmt;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::agent::protocol::Order;
use crate::cgroup::Membership;
use crate::docker::{Container, Docker};
use crate::error::Error;
use crate::fault::{Elsewhere, Fault};
use crate::process::{Pidfd, ProcessId};
use crate::target::Victim;

/// How long a container may take to end by itself: what the engine gives, and the catalogue's default.
pub const GRACE: Duration = Duration::from_secs(10);
/// How long the kernel may take to thaw a cgroup that its engine has thawed.
const SETTLE: Duration = Duration::from_secs(2);

/// The fault of this kind on these containers.
pub fn on_containers(order: &Order) -> Result<Box<dyn Fault<Elsewhere>>, Error> {
    let held = order.victims.iter().map(|victim| Held::of(&order.kind, victim)).collect::<Result<Vec<_>, _>>()?;
    match order.kind.as_str() {
        "container.kill" => Ok(Box::new(kill::Kill::new(held))),
        "container.pause" => Ok(Box::new(pause::Pause::new(held))),
        "container.restart" => Ok(Box::new(restart::Restart::new(held, order.grace.unwrap_or(GRACE)))),
        "container.stop" => Ok(Box::new(stop::Stop::new(held, order.grace.unwrap_or(GRACE)))),
        kind => Err(Error::Unfit { kind: kind.into(), why: "it does not act on containers".into() }),
    }
}

/// A container that a fault hits, in the words that its undo needs too.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Held {
    /// The socket of its engine.
    pub engine: PathBuf,
    /// Never used twice, so a journal from another boot cannot mean another container.
    pub id: String,
    /// For people.
    pub name: String,
    /// Its main process when it was picked.
    pub process: ProcessId,
}

impl fmt::Display for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.name, self.process)
    }
}

impl Held {
    /// The container that a victim means.
    pub fn of(kind: &str, victim: &Victim) -> Result<Self, Error> {
        let Victim::Container { name, id, engine, process } = victim else {
            return Err(Error::Unfit { kind: kind.into(), why: format!("{victim} is no container") });
        };
        let down = || Error::ProcessGone { process: victim.to_string(), why: "it does not run".into() };
        let process = process.ok_or_else(down)?;
        Ok(Self { engine: engine.clone(), id: id.clone(), name: name.clone(), process })
    }

    /// The engine that has it.
    pub fn docker(&self) -> Docker {
        Docker::at(&self.engine)
    }

    /// How it is now, if it is the one that was picked: same container, same process, in the container's cgroup.
    pub fn still_there(&self) -> Result<Container, Error> {
        let gone = |why: String| Error::ProcessGone { process: format!("container {self}"), why };
        let now = self.docker().inspect(&self.id)?;
        let container = now.ok_or_else(|| gone("it was removed since it was picked".into()))?;
        if !container.state.running || container.state.restarting {
            return Err(gone(format!("it does not run any more, it is {}", container.state.status)));
        }
        let same = container.state.pid == self.process.pid && self.process.is_alive();
        if !same || !Membership::of(self.process.pid).is_ok_and(|of| of.names(&self.id)) {
            return Err(gone("it was started again since it was picked".into()));
        }
        Ok(container)
    }

    /// A handle on its main process.
    fn open(&self) -> Result<Pidfd, Error> {
        Pidfd::open(self.process).map_err(|source| self.failed("open", source))
    }

    /// What a person would type.
    fn by_hand(&self, action: &str) -> String {
        format!("`docker --host unix://{} {action} {}`", self.engine.display(), self.name)
    }

    /// `db runs again (pid 1 -> 2) since 2026-01-01T00:00:00Z`
    fn back(&self, now: &Container) -> String {
        let (name, before, pid) = (&self.name, self.process.pid, now.state.pid);
        format!("{name} runs again (pid {before} -> {pid}) since {}", now.state.started_at)
    }

    /// Something could not be done to it.
    pub fn failed(&self, action: &'static str, source: std::io::Error) -> Error {
        Error::Process { action, process: format!("container {self}"), source }
    }
}

/// `db (pid 12), web (pid 34)`
fn names(held: &[Held]) -> String {
    held.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

/// Thaws a container that was frozen, and waits until it is seen thawed. One that is gone or not frozen needs nothing. In
/// sentences: what was done, or what a person must do.
pub(crate) fn thaw(held: &Held) -> Result<String, String> {
    let docker = held.docker();
    let by_hand = |why: String| format!("container {held} could not be thawed: {why}; run {}", held.by_hand("unpause"));
    match docker.inspect(&held.id).map_err(|error| by_hand(error.to_string()))? {
        None => return Ok(format!("container {held} is gone: its engine has none with its id any more")),
        Some(now) if !now.state.paused => return Ok(format!("container {held} is not paused")),
        Some(_) => docker.unpause(&held.id).map_err(|error| by_hand(error.to_string()))?,
    }
    let until = Instant::now() + SETTLE;
    // A container that ends meanwhile has no cgroup that could be frozen.
    while Membership::of(held.process.pid).is_ok_and(|of| of.names(&held.id) && of.is_frozen().unwrap_or(false)) {
        if Instant::now() > until {
            return Err(by_hand("its cgroup stays frozen".into()));
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    Ok(format!("container {held} thawed"))
}

/// Starts a container that was stopped. An engine that was asked to stop it `grace` ago or less may still be at it, so a
/// first process that is alive is given that long to end before it is believed that nothing was stopped.
pub(crate) fn start(held: &Held, grace: Duration) -> Result<String, String> {
    let docker = held.docker();
    let by_hand = |why: String| format!("container {held} could not be started: {why}; run {}", held.by_hand("start"));
    if let Ok(first) = held.open()
        && !first.wait_end(grace + Duration::from_secs(1)).unwrap_or(false)
    {
        return Ok(format!("container {held} runs as before"));
    }
    let look = || docker.inspect(&held.id).map_err(|error| by_hand(error.to_string()));
    match look()? {
        None => return Ok(format!("container {held} is gone: its engine has none with its id any more")),
        Some(now) if now.state.running => return Ok(held.back(&now)),
        Some(_) => docker.start(&held.id).map_err(|error| by_hand(error.to_string()))?,
    }
    match look()? {
        Some(now) if now.state.running => Ok(held.back(&now)),
        Some(now) => Err(by_hand(format!("right after its start it is {}", now.state.status))),
        None => Err(by_hand("its engine has removed it".into())),
    }
}
