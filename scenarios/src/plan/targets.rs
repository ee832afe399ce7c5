//! What load goes to, and what a fault hits.

use serde::{Deserialize, Serialize};

use super::{PodMatch, Text};
use crate::catalogue::TargetKind;

/// Something that load goes to or that a fault hits.
#[derive(Debug, Clone, PartialEq)]
pub enum Target {
    /// An address: `http://host:port` with an optional path prefix.
    Url(Text),
    /// As load destination its ready instances, as fault target its processes.
    Service(String),
    /// A link under `links:`.
    Link(String),
    /// Processes of this host.
    Process(ProcessMatch),
    /// A network namespace with this name.
    Netns(String),
    /// Containers of this host.
    Docker(DockerMatch),
    /// Pods of a cluster, or what they belong to.
    Kubernetes(PodMatch),
}

impl Target {
    /// What it is.
    pub fn kind(&self) -> TargetKind {
        match self {
            Self::Url(_) => TargetKind::Url,
            Self::Service(_) => TargetKind::Service,
            Self::Link(_) => TargetKind::Link,
            Self::Process(_) => TargetKind::Process,
            Self::Netns(_) => TargetKind::Netns,
            Self::Docker(_) => TargetKind::Docker,
            Self::Kubernetes(_) => TargetKind::Kubernetes,
        }
    }
}

/// How processes of this host, or of a pod, are found. All given conditions must hold.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
pub struct ProcessMatch {
    /// The executable's name.
    pub name: Option<String>,
    /// This process.
    pub pid: Option<u32>,
    /// A regular expression over the command line, arguments joined by spaces.
    pub cmdline: Option<String>,
    /// The process that listens on this TCP port.
    pub port: Option<u16>,
    /// How many are expected.
    pub count: Option<usize>,
}

impl ProcessMatch {
    /// What is looked for, as a sentence goes on after "has".
    pub fn in_words(&self) -> String {
        let mut words = Vec::new();
        words.extend(self.name.as_ref().map(|name| format!("the name `{name}`")));
        words.extend(self.pid.map(|pid| format!("pid {pid}")));
        words.extend(self.cmdline.as_ref().map(|regex| format!("a command line that matches `{regex}`")));
        words.extend(self.port.map(|port| format!("a listener on TCP port {port}")));
        words.join(" and ")
    }
}

/// How containers of this host are found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DockerMatch {
    /// The one with this name.
    Name(String),
    /// Those with this label.
    Label {
        /// Its name.
        key: String,
        /// Its value, which must be the same.
        value: String,
    },
    /// Those of one service of a compose project.
    Compose {
        /// The project.
        project: String,
        /// The service.
        service: String,
    },
}
