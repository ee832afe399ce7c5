//! What runner and agent say to each other: one JSON value a line, on the agent's stdin and stdout.
//!
//! Requests carry a number that their answer repeats. Heartbeats and events carry none. Instants are nanoseconds on
//! CLOCK_MONOTONIC (events) or CLOCK_BOOTTIME (heartbeats), which both processes share.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use brunt_kubernetes::Access;
use brunt_scenario::plan::ProcessMatch;
use serde::{Deserialize, Serialize};

use crate::agent::network::Layout;
use crate::agent::services::Key;
use crate::fault::deployment::template::Wanted;
use crate::fault::disk::latency::Slow;
use crate::fault::packet::bandwidth::Bandwidth;
use crate::fault::pool::exhaust::Pool;
use crate::fault::stress::Stress;
use crate::fault::{Change, Reverted, Rung, Seen, Undo};
use crate::packets::Treatment;
use crate::process::ProcessId;
use crate::target::Victim;

/// From the runner.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ToAgent {
    /// The first line.
    Hello(Hello),
    /// The first line to an agent in a pod, and again after each break of the wire to it.
    Join(Join),
    /// A heartbeat, sent at this instant on CLOCK_BOOTTIME.
    Beat(u64),
    /// A request.
    Ask {
        /// Its number, counted up from 1.
        seq: u64,
        /// What is asked for.
        ask: Ask,
    },
}

/// Whom the agent serves.
#[derive(Debug, Serialize, Deserialize)]
pub struct Hello {
    /// Must equal the agent's own; both come from one binary, but that can be replaced while it runs.
    pub version: String,
    /// The run, for the mark.
    pub run_id: String,
    /// The process whose end is the end of the run.
    pub runner: ProcessId,
    /// Where the agent notes what it has undone.
    pub journal: PathBuf,
    /// After so much silence the run is over.
    pub lease: Duration,
}

/// Whom an agent in a pod serves. It shares neither pids nor a clock with who says this.
#[derive(Debug, Serialize, Deserialize)]
pub struct Join {
    /// As for [`Hello`].
    pub version: String,
    /// The run, for the names of what it makes.
    pub run_id: String,
    /// After so much silence the run is over.
    pub lease: Duration,
    /// When the runner was last heard of, by the clock of who says this: as in [`ToAgent::Beat`].
    pub sent: u64,
}

/// A request.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ask {
    /// Build the network of the isolated services, before any of them is started.
    Network {
        /// What a person reads beside the interface that this makes on the host.
        alias: String,
        /// Who gets a namespace.
        instances: Vec<Key>,
    },
    /// Start an instance of a service.
    Start(InstanceSpec),
    /// Stop all services, the last started first.
    StopServices,
    /// The four verbs.
    Prepare(Box<Order>),
    /// Get to where it acts, and say on what that waits.
    Approach {
        /// The fault.
        fault: String,
    },
    /// These replace victims that are gone. Touches nothing; approach and inject then mean them, too.
    Follow {
        /// The fault.
        fault: String,
        /// The new ones.
        victims: Vec<Victim>,
    },
    /// The change itself.
    Inject {
        /// The fault.
        fault: String,
        /// Or only pretend.
        change: Change,
    },
    /// Whom `from` means has these addresses now.
    Meet {
        /// The fault.
        fault: String,
        /// All of them.
        peers: Vec<IpAddr>,
    },
    /// Is the effect there?
    Verify {
        /// The fault.
        fault: String,
    },
    /// All faults are about to be reverted, one after the other: what they must wait for begins now.
    Cease,
    /// Put it back.
    Revert {
        /// The fault.
        fault: String,
    },
    /// Undo this if the runner cannot: it is about to make the change itself.
    Hold {
        /// The fault.
        fault: String,
        /// As in the journal.
        undo: Vec<Undo>,
    },
    /// Carry this out, which another agent in the same pod could not any more.
    Undo {
        /// As that one had it.
        undo: Vec<Undo>,
    },
    /// The runner has undone it.
    LetGo {
        /// The fault.
        fault: String,
    },
    /// Undo what is left and exit.
    End,
}

impl Ask {
    /// Of which fault it is a verb.
    pub fn fault(&self) -> Option<&str> {
        match self {
            Self::Prepare(order) => Some(&order.fault),
            Self::Approach { fault }
            | Self::Follow { fault, .. }
            | Self::Inject { fault, .. }
            | Self::Verify { fault }
            | Self::Meet { fault, .. }
            | Self::Revert { fault } => Some(fault),
            Self::Network { .. }
            | Self::Start(_)
            | Self::StopServices
            | Self::Cease
            | Self::Hold { .. }
            | Self::Undo { .. }
            | Self::LetGo { .. }
            | Self::End => None,
        }
    }

    /// For error messages.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Network { .. } => "network",
            Self::Start(_) => "start",
            Self::StopServices => "stop services",
            Self::Prepare(_) => "prepare",
            Self::Approach { .. } => "approach",
            Self::Follow { .. } => "follow",
            Self::Inject { .. } => "inject",
            Self::Verify { .. } => "verify",
            Self::Meet { .. } => "meet",
            Self::Cease => "cease",
            Self::Revert { .. } => "revert",
            Self::Hold { .. } => "hold",
            Self::Undo { .. } => "undo",
            Self::LetGo { .. } => "let go",
            Self::End => "end",
        }
    }
}

/// A fault that the agent carries out, and whom it hits.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Order {
    /// The fault's id.
    pub fault: String,
    /// `process.pause`, ...
    pub kind: String,
    /// Whom it hits.
    pub victims: Vec<Victim>,
    /// `process.kill` only: the instance comes back after so long.
    pub restart_after: Option<Duration>,
    /// Faults on packets only: what happens to them.
    pub packets: Option<Treatment>,
    /// `container.stop` and `container.restart`: how long each may take to end by itself.
    #[serde(default)]
    pub grace: Option<Duration>,
    /// `network.bandwidth` on what leaves a network namespace only: how fast it may, by the kernel's own queue.
    pub bandwidth: Option<Bandwidth>,
    /// `stress.*` and `disk.fill` only: what weighs on them.
    #[serde(default)]
    pub stress: Option<Stress>,
    /// `disk.latency` only: where, and how long.
    #[serde(default)]
    pub slow: Option<Slow>,
    /// `pool.exhaust` only: how many connections, and to which port.
    pub pool: Option<Pool>,
    /// `deployment.scale` only: how many there are then.
    #[serde(default)]
    pub replicas: Option<u64>,
    /// `deployment.image`, `deployment.config` and `deployment.limits` only: what becomes of a container.
    #[serde(default)]
    pub template: Option<Wanted>,
    /// `namespace.quota` only: how many pods it may have then.
    #[serde(default)]
    pub pods: Option<u64>,
    /// Faults through the API of a cluster only: what leads there, secrets included.
    #[serde(default)]
    pub access: Option<Access>,
    /// Faults inside of pods only: the image of the agents there.
    #[serde(default)]
    pub in_pods: Option<String>,
    /// Victims that are gone are replaced.
    #[serde(default)]
    pub follow: bool,
    /// In a pod only: which of the processes that the agent there sees are hit.
    #[serde(default)]
    pub process: Option<ProcessMatch>,
    /// In a pod only: the id of the container whose processes they are, where the agent there sees those of others, too.
    #[serde(default)]
    pub container_id: Option<String>,
    /// In a pod only: how many thousandths of a processor its containers together may use.
    #[serde(default)]
    pub processors: Option<u64>,
    /// What decisions of this fault about single packets follow from.
    pub seed: u64,
}

/// One instance of a service: everything that is needed to start it, and to start it again. Its environment may hold
/// secrets, so it is never printed and never written to the journal.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InstanceSpec {
    /// Name of the service.
    pub service: String,
    /// Which instance, from 0.
    pub index: usize,
    /// What to run: a path, or a name to look for in PATH.
    pub program: String,
    /// Its arguments.
    pub args: Vec<String>,
    /// Its working folder.
    pub cwd: PathBuf,
    /// On top of the inherited environment.
    pub env: Vec<(String, String)>,
    /// Output and errors are appended here.
    pub log: PathBuf,
    /// The signal that asks it to end, as a number.
    pub stop_signal: i32,
    /// How long it may take to end before it is killed.
    pub stop_within: Duration,
    /// Folders whose files a fault may slow down later, also those that it opens when it starts.
    #[serde(default)]
    pub watched: Vec<String>,
}

/// A running instance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Instance {
    /// Name of the service.
    pub service: String,
    /// Which instance, from 0.
    pub index: usize,
    /// Its process, which leads a process group of its own.
    pub process: ProcessId,
    /// Bytes that its log held when it started; an earlier life, or an earlier run, has written them.
    pub log_from: u64,
}

/// How a service ended when it was asked to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StopReport {
    /// Name of the service.
    pub service: String,
    /// Which instance, from 0.
    pub index: usize,
    /// `exit status 0`, `killed by SIGKILL`.
    pub status: String,
    /// It did not end in time and was killed.
    pub killed: bool,
    /// From the signal to its end.
    pub took: Duration,
}

/// From the agent.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FromAgent {
    /// The answer to [`ToAgent::Hello`].
    Ready {
        /// The agent itself.
        agent: ProcessId,
    },
    /// The answer to a heartbeat.
    Beat(u64),
    /// The answer to a request; an error is text for people.
    Answer {
        /// The request's number.
        seq: u64,
        /// What came of it.
        answer: Result<Answer, String>,
    },
    /// Something happened.
    Happened {
        /// When, in nanoseconds on CLOCK_MONOTONIC.
        at: u64,
        /// What.
        what: Happening,
    },
    /// The last line, unless the runner asked for the end: everything is undone, and why.
    Ended {
        /// As a sentence.
        reason: String,
    },
}

/// The answer to a request.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// To network.
    Network(Layout),
    /// To start.
    Started(Instance),
    /// To stop services.
    Stopped(Vec<StopReport>),
    /// To prepare and to follow.
    Prepared {
        /// What undoes it.
        undo: Vec<Undo>,
        /// Which mechanism serves it, where there are several.
        #[serde(default)]
        rung: Option<Rung>,
    },
    /// To approach: on what it waits, if it is not there yet.
    Waits(Option<String>),
    /// To inject.
    Injected,
    /// To verify.
    Seen(Seen),
    /// To revert.
    Reverted(Reverted),
    /// To meet, to cease, to hold, to undo and to let go.
    Noted,
    /// To end: what could not be undone.
    Ended(Vec<String>),
}

/// Something that happened to a service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Happening {
    /// It ended.
    Exited {
        /// Which one.
        instance: Instance,
        /// In words.
        status: String,
        /// The fault that ended it.
        by_fault: Option<String>,
    },
    /// A fault started it again.
    Started(Instance),
    /// A fault should have started it again.
    NotStarted {
        /// Name of the service.
        service: String,
        /// Which instance.
        index: usize,
        /// Why not.
        reason: String,
    },
}
