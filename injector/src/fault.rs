//! The four verbs that every fault has: prepare, inject, verify, revert. Some have a way to go between the first two.
//!
//! The injector drives them in this order, and writes what `prepare` returns to the journal before `inject`. A fault is
//! one file below this folder and one line in `catalogue`. It acts at a *place*: stream faults (`network`, `tcp`, `http`)
//! at the proxy in the runner's process (`Fault<Arc<Proxy>>`), commands on this host, from the runner (`Fault<Host>`), faults on
//! processes and packets in the agent (`Fault<Services>`), and those that wait for an engine of containers, a cluster or the
//! agents in pods behind it (`Fault<Elsewhere>`). The verbs block: the injector calls those of the proxy on a thread that may,
//! each fault elsewhere has a thread of the agent for itself, and those on processes and packets are quick.
//!
//! Stream faults differ only in what they do to a connection; `fault/link.rs` has their verbs. Packet faults differ only in
//! what happens to a packet; `fault/packet.rs` has theirs.

pub mod container;
pub mod delay;
pub mod deployment;
pub mod disk;
pub mod exec;
pub mod http;
pub mod in_pods;
pub mod link;
mod looking;
pub mod namespace;
pub mod network;
pub mod node;
pub mod packet;
pub mod pod;
pub mod pool;
pub mod process;
mod put_back;
pub mod stress;
pub mod tcp;

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use brunt_kubernetes::Object;
use brunt_kubernetes::inverse::Inverse;
use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::namespace::Identity;
use crate::netlink::tc::tree::Queues;
use crate::target::Victim;

/// The place of faults that wait for somebody who may not answer: an engine of containers, a cluster, agents in pods. Nothing of
/// this host is in it, so that nobody else waits with them.
#[derive(Debug)]
pub struct Elsewhere;

/// A fault with its victims, ready to act at a `Place`.
pub trait Fault<Place>: Send {
    /// Finds what it needs and takes a snapshot of what it will change; touches nothing. Returns what undoes the change,
    /// even if this process dies: it is on disk before [`Fault::inject`] is called.
    fn prepare(&mut self, place: &mut Place) -> Result<Vec<Undo>, Error>;

    /// Gets to where it acts, if that takes a while: called again and again once the undo is on disk, until it says no more on
    /// what it waits. Nobody feels anything of it yet, and the fault's window is not open.
    ///
    /// # Errors
    /// It will not get there, or must not act there; the caller reverts.
    fn approach(&mut self, _: &mut Place) -> Result<Option<String>, Error> {
        Ok(None)
    }

    /// These replace victims that are gone. Touches nothing, as [`Fault::prepare`], and returns what undoes it for all;
    /// [`Fault::approach`] and [`Fault::inject`] then mean them, too.
    ///
    /// # Errors
    /// Most faults do not follow.
    fn follow(&mut self, _: &mut Place, victims: &[Victim]) -> Result<Vec<Undo>, Error> {
        let all = victims.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        Err(Error::Refused(format!("this fault does not follow, and does not take {all}")))
    }

    /// Whom `from` means has other addresses now: from now on the fault is between its victims and these.
    ///
    /// # Errors
    /// Those from before still are meant; most faults have nobody at the other end.
    fn meet(&mut self, _: &mut Place, peers: &[IpAddr]) -> Result<(), Error> {
        Err(Error::Refused(format!("this fault is not between two, and {} addresses are nothing to it", peers.len())))
    }

    /// Makes the change; calling it again changes nothing. After an error the caller reverts.
    fn inject(&mut self, place: &mut Place, change: Change) -> Result<(), Error>;

    /// Measures whether the effect is there. A configuration that is present is not an effect. Called again and again while
    /// the fault is active.
    fn verify(&mut self, place: &mut Place) -> Result<Seen, Error>;

    /// [`Fault::revert`] follows, and must wait for something once nothing new is hit: that begins now, without waiting. Whoever
    /// reverts many faults says so to all of them first, so that they wait together and not one behind the other. What goes
    /// wrong is told by `revert`.
    fn cease(&mut self, _: &mut Place) {}

    /// Puts everything back and compares with the snapshot; calling it again changes nothing.
    fn revert(&mut self, place: &mut Place) -> Reverted;

    /// Which rung of the ladder serves it, once it is prepared; `None` where there is only one.
    fn rung(&self) -> Option<Rung> {
        None
    }
}

/// The mechanism that serves a fault for which there are several.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rung {
    /// As the catalogue names it: `netem (packets)`.
    pub by: String,
    /// Why a higher one does not, as a sentence's end; `None` where there is none.
    pub why_not_higher: Option<String>,
}

/// Whether `inject` makes its change. [`Change::Skip`] does all but the change itself: a test hook that proves that
/// `verify` can say no.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// The fault acts.
    Make,
    /// The fault pretends to act.
    Skip,
}

/// What `verify` measured.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Seen {
    /// The effect is there: `held 1,204 messages, first for 401 ms`.
    Yes(String),
    /// Nothing has come along that it could have acted on. At the end of the fault this makes the run inconclusive.
    NotExercised(String),
    /// It was looked for and is not there: the fault is removed and the run is invalid.
    Absent(String),
}

/// What is left to say after `revert`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Reverted {
    /// The effect over the whole time that the fault was active.
    pub effect: Seen,
    /// The state equals the snapshot; `None` when there was nothing to undo; `false` means exit 6.
    pub rollback_verified: Option<bool>,
    /// What has no inverse or could not be undone, one sentence each.
    pub residue: Vec<String>,
    /// Why the rollback failed, with what a person can do.
    pub error: Option<String>,
}

impl Reverted {
    /// Nothing has to be undone, or nothing yet: what a fault adds to it is what it finds.
    pub fn nothing(effect: Seen) -> Self {
        Self { effect, rollback_verified: None, residue: Vec::new(), error: None }
    }
}

/// What undoes a change, as data: it must still work when the process that made the change is gone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Undo {
    /// SIGCONT to these processes.
    Continue {
        /// Those that were running before they were stopped.
        processes: Vec<crate::process::ProcessId>,
    },
    /// These containers are thawed.
    Unpause {
        /// Those that ran before they were frozen.
        containers: Vec<container::Held>,
    },
    /// These containers are started, if they do not run.
    StartContainers {
        /// Those that ran before they were stopped.
        containers: Vec<container::Held>,
        /// They were given so long to end, so an engine that was asked to stop them may still be at it.
        grace: std::time::Duration,
    },
    /// SIGKILL to every process that carries the mark of this run in its environment.
    EndMarked {
        /// The run.
        run_id: String,
    },
    /// SIGKILL to the workers of a fault; whatever they hold ends with them.
    EndWorkers {
        /// What they carry in their environment.
        mark: String,
    },
    /// These processes get their limits of descriptors back.
    Descriptors {
        /// What was moved.
        moved: Vec<stress::Moved>,
    },
    /// A command of the user's own mends what another one broke.
    Run {
        /// What to run.
        command: crate::command::Command,
        /// What the breaking one carries: it must not go on once it is undone.
        mark: String,
    },
    /// The queues of links in a network namespace become what they were, if it is still that namespace.
    Queues {
        /// Where it was found: `/run/netns/orders`, `/proc/4711/ns/net`.
        at: PathBuf,
        /// Which one it was; what is found there may be another one by now.
        namespace: Identity,
        /// What the links had.
        links: Vec<Queues>,
    },
    /// The link of brunt's in a network namespace that what arrives there is sent through goes, if it is still that namespace.
    Arrivals {
        /// As for [`Undo::Queues`].
        at: PathBuf,
        /// The same.
        namespace: Identity,
    },
    /// The namespaces of isolated services end with the agent and the last of them; this takes away the host's end of their
    /// wire, should it have stayed.
    Network {
        /// The interface on the host.
        wire: String,
        /// What stands beside it: another one of that name is not ours.
        alias: String,
    },
    /// The change ends with the runner's process: stream faults live in its proxy.
    EndsWithRunner,
    /// The change ends with the agent's process: the kernel removes what its sockets own.
    EndsWithAgent {
        /// What it is, and where it can be looked for: ``nf_tables table `brunt-...` ``.
        what: String,
    },
    /// An object of a cluster becomes what it was.
    Cluster {
        /// What puts it back.
        inverse: Box<Inverse>,
    },
    /// The change ends with the agents in these pods, which end at their lease wherever everybody else is.
    EndsInPods {
        /// Where they are.
        pods: Vec<Object>,
        /// How the names of their containers begin.
        container: String,
        /// How long they go on when they hear of nobody.
        lease: Duration,
        /// They hold processes that stay stopped if an agent is killed.
        #[serde(default)]
        stops: bool,
    },
    /// There is no inverse, or none is needed.
    Nothing {
        /// Why, for the report.
        why: String,
    },
}

impl Undo {
    /// Whether the change may still be there after the machine was started again: an engine leaves down what was
    /// stopped, and a cluster does not know of our boots.
    pub fn outlives_a_boot(&self) -> bool {
        matches!(self, Self::StartContainers { .. } | Self::Cluster { .. } | Self::EndsInPods { .. })
    }
}

/// Whether the timeline's step ends with the act itself (`process.kill`), or lasts `for` some time.
pub fn is_instant(kind: &str) -> bool {
    matches!(
        kind,
        "process.kill"
            | "process.restart"
            | "container.kill"
            | "container.restart"
            | "pod.kill"
            | "pod.evict"
            | "deployment.restart"
    )
}
