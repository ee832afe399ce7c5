//! The catalogue of faults: what each kind takes, what it can hit, how long it lasts, and what this version carries out.
//!
//! A new kind is one entry in [`table::ALL`] (and one file in the injector).

mod example;
pub mod http;
mod params;
mod table;

pub(crate) use params::read;
pub use table::ALL;

/// What a target is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TargetKind {
    /// An address that brunt only sends load to.
    Url,
    /// Processes that brunt starts.
    Service,
    /// brunt's proxy.
    Link,
    /// Processes of this host.
    Process,
    /// Containers.
    Docker,
    /// Pods.
    Kubernetes,
    /// A network namespace.
    Netns,
}

impl TargetKind {
    /// As it is written under `targets`.
    pub fn word(self) -> &'static str {
        match self {
            Self::Url => "url",
            Self::Service => "service",
            Self::Link => "link",
            Self::Process => "process",
            Self::Docker => "docker",
            Self::Kubernetes => "kubernetes",
            Self::Netns => "netns",
        }
    }
}

/// How long a fault lasts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lasts {
    /// Until it is removed: needs `for`.
    Until,
    /// Over at once: must not have `for`.
    Instant,
}

/// The type of a parameter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ParamType {
    /// `200ms`
    Duration,
    /// `5%`
    Percent,
    /// A whole number.
    Number,
    /// An HTTP status.
    Status,
    /// `64KiB`
    Size,
    /// `10mbit`
    Bandwidth,
    /// One of these.
    Word(&'static [&'static str]),
    /// Free text.
    Text,
    /// Names and values.
    Pairs,
    /// A name, or several.
    Names,
    /// Program and arguments.
    Command,
    /// `[12ms, 15ms]`, or the path of a file with one duration a line, which is read when the scenario is.
    Durations,
}

/// A parameter under `with:`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Param {
    /// Its key.
    pub name: &'static str,
    /// Its type.
    pub ty: ParamType,
    /// What it means, in a few words.
    pub about: &'static str,
    /// What it is when it is not given, as it would be written.
    pub default: Option<&'static str>,
    /// Whether it must be given.
    pub required: bool,
    /// It need not be given, and must not, where one of these is.
    pub unless: &'static [&'static str],
}

/// The chances of the four states of `network.loss`.
pub const FOUR_STATES: &[&str] = &["p13", "p31", "p32", "p23", "p14"];

/// A kind of fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FaultKind {
    /// As it is written: `network.latency`.
    pub name: &'static str,
    /// What it does, in one line.
    pub does: &'static str,
    /// How long it lasts.
    pub lasts: Lasts,
    /// What it can hit.
    pub takes: &'static [TargetKind],
    /// Those of `takes` on which this version carries it out.
    pub built: &'static [TargetKind],
    /// Its parameters.
    pub params: &'static [Param],
}

impl FaultKind {
    /// The kind with this name.
    pub fn find(name: &str) -> Option<&'static Self> {
        ALL.iter().find(|kind| kind.name == name)
    }

    /// Whether this version carries it out on any kind of target.
    pub fn is_built(&self) -> bool {
        !self.built.is_empty()
    }

    /// The parameter with this name.
    pub fn param(&self, name: &str) -> Option<&'static Param> {
        self.params.iter().find(|param| param.name == name)
    }

    /// Parameters of which all must be given where one is.
    pub fn together(&self) -> &'static [&'static [&'static str]] {
        match self.name {
            "network.loss" => &[&["p", "r"], FOUR_STATES],
            _ => &[],
        }
    }

    /// Whether it acts on packets when it hits this target: it then needs a rung of the kernel's ladder.
    pub fn needs_packets(&self, target: TargetKind) -> bool {
        self.name.starts_with("network.") && target != TargetKind::Link
    }

    /// The rung of the ladder that this version does not have, for faults on packets.
    pub fn missing_rung(&self) -> &'static str {
        match self.name {
            "network.partition" | "network.blackhole" => "the nftables rung",
            _ => "the netem or NFQUEUE rung",
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::{ALL, read};
    use crate::diagnostic::{Code, Problems};
    use crate::source::{Sources, Span};

    #[test]
    fn every_entry_is_sound() {
        let names: BTreeSet<&str> = ALL.iter().map(|kind| kind.name).collect();
        assert_eq!(names.len(), ALL.len(), "a kind stands twice");
        for kind in ALL {
            assert!(kind.built.iter().all(|target| kind.takes.contains(target)), "{}", kind.name);
            assert!(kind.params.iter().all(|param| !(param.required && param.default.is_some())), "{}", kind.name);
        }
    }

    #[test]
    fn every_default_is_a_value_of_its_type_and_only_what_is_required_is_missed() {
        let mut sources = Sources::default();
        let file = sources.add("nothing", "", "");
        for kind in ALL {
            let mut problems = Problems::default();
            let params = read(kind, None, Span { file, start: 0, end: 0 }, &mut problems);
            let told = problems.into_diagnostics(sources.clone());
            assert!(told.iter().all(|problem| problem.code == Code::E012), "{}: {told}", kind.name);
            // Of these, one parameter of two is required.
            let either = usize::from(["http.body", "http.header"].contains(&kind.name));
            let required = kind.params.iter().filter(|param| param.required).count() + either;
            assert_eq!(told.len(), required, "{}: {told}", kind.name);
            assert_eq!(params.0.len(), kind.params.iter().filter(|param| param.default.is_some()).count());
        }
    }
}
