//! Who is hit: the members of a target, and which of them a fault picks. Looking touches nothing.

pub mod docker;
pub mod kubernetes;
pub mod netns;
pub mod peers;
pub mod process;
pub mod tcp_table;

use std::collections::BTreeSet;
use std::fmt;
use std::path::PathBuf;

use brunt_kubernetes::{Object, finding};
use brunt_scenario::plan::{Fault, LinkTo, Plan, Target};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use crate::error::{Error, ResolveError};
use crate::fault::disk::latency;
use crate::fault::pool::exhaust;
use crate::fault::{exec, packet, stress};
use crate::namespace::Identity;
use crate::process::ProcessId;

/// A member of a target. The order is that of the identities from which the seed picks.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Victim {
    /// An instance of a service.
    Instance {
        /// Name of the service.
        service: String,
        /// Which instance, from 0.
        index: usize,
        /// Its process; `None` before the run.
        process: Option<ProcessId>,
    },
    /// A process of this host.
    Process {
        /// Which one.
        process: ProcessId,
        /// Its executable's name.
        name: String,
    },
    /// A network namespace with a name.
    Namespace {
        /// Its name.
        name: String,
        /// Which one; names are given again.
        identity: Option<Identity>,
    },
    /// A container of this host.
    Container {
        /// Its name, which decides the order.
        name: String,
        /// What the engine calls it, never used twice.
        id: String,
        /// The socket of its engine.
        engine: PathBuf,
        /// Its main process as this host sees it; `None` where only the member is meant.
        process: Option<ProcessId>,
    },
    /// An object of a cluster.
    Kubernetes(Box<Object>),
    /// The network of the agent itself, where that runs in a pod; nobody but the agent on the runner's host names it.
    OwnNetwork {
        /// The pod.
        name: String,
    },
    /// A listener of a link.
    Listener {
        /// Name of the link.
        link: String,
        /// Which listener, from 0.
        listener: usize,
    },
}

impl Victim {
    /// Service and index, if it is an instance of a service.
    pub fn instance(&self) -> Option<(String, usize)> {
        match self {
            Self::Instance { service, index, .. } => Some((service.clone(), *index)),
            _ => None,
        }
    }

    /// Its process, if it has one and that is known.
    pub fn pid(&self) -> Option<u32> {
        match self {
            Self::Instance { process, .. } | Self::Container { process, .. } => process.map(|process| process.pid),
            Self::Process { process, .. } => Some(process.pid),
            Self::Namespace { .. } | Self::Kubernetes(_) | Self::OwnNetwork { .. } | Self::Listener { .. } => None,
        }
    }

    /// The object of a cluster.
    pub fn object(&self) -> Option<&Object> {
        match self {
            Self::Kubernetes(object) => Some(object),
            _ => None,
        }
    }

    /// The id of a container.
    pub fn container(&self) -> Option<&str> {
        match self {
            Self::Container { id, .. } => Some(id),
            _ => None,
        }
    }

    /// The member itself, whatever process stands behind it at the moment.
    fn member(&self) -> Self {
        match self {
            Self::Instance { service, index, .. } => {
                Self::Instance { service: service.clone(), index: *index, process: None }
            }
            Self::Container { name, id, engine, .. } => {
                Self::Container { name: name.clone(), id: id.clone(), engine: engine.clone(), process: None }
            }
            other => other.clone(),
        }
    }
}

impl fmt::Display for Victim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Instance { service, index, process: Some(process) } => write!(f, "{service}-{index} ({process})"),
            Self::Instance { service, index, process: None } => write!(f, "{service}-{index}"),
            Self::Process { process, name } => write!(f, "{name} ({process})"),
            Self::Namespace { name, .. } => write!(f, "network namespace {name}"),
            Self::Container { name, process: Some(process), .. } => write!(f, "{name} ({process})"),
            Self::Container { name, process: None, .. } => f.write_str(name),
            Self::Kubernetes(object) => object.fmt(f),
            Self::OwnNetwork { name } => f.write_str(name),
            Self::Listener { link, listener } => write!(f, "{link}[{listener}]"),
        }
    }
}

/// Whom a fault hits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Victims {
    /// The target's name.
    pub target: String,
    /// How many members the target has.
    pub of: usize,
    /// Those that were picked, in the order of their identities. Empty only with `allow_empty`.
    pub picked: Vec<Victim>,
}

impl Victims {
    /// Their names, for results and events: `payments-1 (pid 4711)`.
    pub fn names(&self) -> Vec<String> {
        self.picked.iter().map(ToString::to_string).collect()
    }
}

impl fmt::Display for Victims {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {}: {}", self.picked.len(), self.of, self.names().join(", "))
    }
}

/// The members of a target as they were found.
pub struct Members {
    /// Those that a fault can hit now.
    pub alive: Vec<Victim>,
    /// How many there should be: instances that are down count as members, and as hit if a fault took them down.
    pub total: usize,
    /// Members that other faults hold at this moment.
    pub hit: Vec<Victim>,
}

/// Picks victims by the seed and holds them against `max_affected`.
pub fn pick(seed: u64, fault: &Fault, members: Members) -> Result<Victims, ResolveError> {
    let Members { mut alive, total, hit } = members;
    let target = fault.target.clone();
    if alive.is_empty() {
        if fault.allow_empty {
            return Ok(Victims { target, of: total, picked: Vec::new() });
        }
        let why = "nothing of it runs; `allow_empty: true` lets the fault pass without a victim".into();
        return Err(ResolveError::Empty { target, why });
    }
    alive.sort();
    let asked = fault.pick.of(alive.len());
    if asked > alive.len() || asked == 0 {
        let list = alive.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        return Err(ResolveError::TooFew { fault: fault.id.clone(), target, asked, total: alive.len(), list });
    }
    let picked = choose(seed, &fault.id, alive, asked);
    let together: BTreeSet<Victim> = picked.iter().chain(&hit).map(Victim::member).collect();
    let allowed = fault.max_affected.of(total);
    if together.len() > allowed {
        let (fault, would) = (fault.id.clone(), together.len());
        return Err(ResolveError::TooMany { fault, target, would, total, allowed });
    }
    Ok(Victims { target, of: total, picked })
}

/// A partial Fisher-Yates shuffle over sorted members, driven by ChaCha8 with the run's seed as its key and the fault's id
/// (FNV-1a) as its stream. Written out, so that the same seed hits the same members with every version of every library,
/// and one fault more in the scenario moves no other fault's victims.
fn choose(seed: u64, fault: &str, mut members: Vec<Victim>, count: usize) -> Vec<Victim> {
    let stream = fault
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    let mut key = [0; 32];
    key[..8].copy_from_slice(&seed.to_le_bytes());
    let mut random = ChaCha8Rng::from_seed(key);
    random.set_stream(stream);
    for at in 0..count {
        let left = (members.len() - at) as u64;
        // The bias of the remainder is below 2^-50 for any number of members that a host can have.
        let other = at + (random.next_u64() % left) as usize;
        members.swap(at, other);
    }
    members.truncate(count);
    members.sort();
    members
}

/// Whether this kind acts on this kind of target at all.
pub fn check_fit(fault: &Fault, target: &Target) -> Result<(), ResolveError> {
    let on_container = fault.kind.starts_with("container.");
    let on_process =
        fault.kind.starts_with("process.") || ["exec", exhaust::KIND].contains(&fault.kind) || weighs(fault);
    let why = match target {
        Target::Netns(_) if packet::bandwidth::is_shaped(fault) => return Ok(()),
        Target::Netns(_) | Target::Service(_) | Target::Process(_) | Target::Docker(_) | Target::Kubernetes(_)
            if acts_on_packets(fault) =>
        {
            let why = match packet::treatment(fault.kind, &fault.with) {
                Some(Err(Error::Unfit { why, .. })) => why,
                Some(Err(error)) => error.to_string(),
                Some(Ok(_)) | None => return Ok(()),
            };
            return Err(ResolveError::Unfit { kind: fault.kind.into(), target: fault.target.clone(), why });
        }
        Target::Service(_) | Target::Process(_) | Target::Docker(_) if fault.kind == exhaust::KIND => {
            return exhaust::order(fault).map(drop).map_err(|error| unfit(fault, error));
        }
        Target::Link(_) if !on_process && !on_container => return Ok(()),
        Target::Docker(_) if on_container || weighs(fault) => return Ok(()),
        Target::Docker(_) => "it acts neither on containers nor on packets",
        _ if on_container => "only a `docker` target has containers",
        Target::Service(_) if on_process => return Ok(()),
        Target::Process(_) if fault.kind == "process.restart" || fault.with.duration("restart_after").is_some() => {
            "only a `service` can be started again, for brunt does not know how others are started"
        }
        Target::Process(_) if on_process => return Ok(()),
        Target::Kubernetes(wanted) => match finding::check_fit(fault, wanted) {
            Ok(()) => return Ok(()),
            Err(why) => why,
        },
        _ if finding::acts_on(fault.kind).is_some() => "only a `kubernetes` target has pods, deployments and nodes",
        Target::Url(_) => "an address only takes load; faults on its traffic need a `link` target in front of it",
        Target::Netns(_) => "a network namespace has packets, and this does not act on packets",
        Target::Link(_) => "a link has no process; use a `service` or `process` target",
        Target::Service(_) | Target::Process(_) => "it acts on traffic; use a `link` target",
    };
    Err(ResolveError::Unfit { kind: fault.kind.into(), target: fault.target.clone(), why: why.into() })
}

/// Whether a fault weighs on what runs in a target.
fn weighs(fault: &Fault) -> bool {
    fault.kind.starts_with("stress.") || ["disk.fill", latency::KIND].contains(&fault.kind)
}

fn unfit(fault: &Fault, error: Error) -> ResolveError {
    let why = match error {
        Error::Unfit { why, .. } => why,
        other => other.to_string(),
    };
    ResolveError::Unfit { kind: fault.kind.into(), target: fault.target.clone(), why }
}

/// Whether a fault acts on the packets of targets that have any.
fn acts_on_packets(fault: &Fault) -> bool {
    packet::treatment(fault.kind, &fault.with).is_some()
}

/// Whether brunt may do to this target what the fault needs; touches nothing.
pub fn check_rights(fault: &Fault, target: &Target) -> Result<(), ResolveError> {
    match target {
        // Of a namespace with a name, `netns::find` asks the namespace itself.
        Target::Service(_) | Target::Process(_) if acts_on_packets(fault) => netns::check_own(fault),
        _ => Ok(()),
    }
}

/// Isolated services have a network where brunt has every right, wherever that is; whether it can be had is asked elsewhere.
fn is_isolated(plan: &Plan, target: &Target) -> bool {
    let Target::Service(name) = target else { return false };
    plan.services.iter().any(|service| service.name == *name && service.isolated)
}

/// Whether the programs of an `exec` fault are there.
pub fn check_commands(fault: &Fault) -> Result<(), ResolveError> {
    if fault.kind != "exec" {
        return Ok(());
    }
    exec::check(fault).map_err(|why| ResolveError::Command { fault: fault.id.clone(), why })
}

/// Whom a fault will hit, before anything runs (`brunt plan`). Instances and listeners are named without their processes:
/// their number and the seed decide already. Processes and containers of this host, and pods, are really looked for; pods are
/// asked whether they would take an agent of this image, where the fault needs one.
pub fn resolve_dry(plan: &Plan, fault: &Fault, image: &str) -> Result<Victims, ResolveError> {
    let Some(target) = plan.targets.get(&fault.target) else {
        let why = "it is not among the plan's targets".into();
        return Err(ResolveError::Empty { target: fault.target.clone(), why });
    };
    check_fit(fault, target)?;
    if !is_isolated(plan, target) {
        if let (packet::dns::KIND, Target::Service(name)) = (fault.kind, target) {
            let why = format!(
                "service `{name}` shares its network with others, and an answer does not say whose question it answers: with \
                 `isolate: true` it has one of its own"
            );
            return Err(ResolveError::Unfit { kind: fault.kind.into(), target: fault.target.clone(), why });
        }
        check_rights(fault, target)?;
    } else if acts_on_packets(fault) {
        let target = fault.target.clone();
        netns::may_decide(fault, false).map_err(|why| ResolveError::Search { target, why })?;
    }
    check_commands(fault)?;
    peers::check(fault)?;
    let instances = |name: &str| plan.services.iter().find(|service| service.name == name).map_or(0, |s| s.instances);
    let alive: Vec<Victim> = match target {
        Target::Service(name) => {
            (0..instances(name)).map(|index| Victim::Instance { service: name.clone(), index, process: None }).collect()
        }
        Target::Link(name) => {
            let listeners = plan.links.iter().find(|link| link.name == *name).map_or(0, |link| match &link.to {
                LinkTo::Service(service) => instances(service),
                LinkTo::Address { .. } => 1,
            });
            (0..listeners).map(|listener| Victim::Listener { link: name.clone(), listener }).collect()
        }
        Target::Process(wanted) => process::find_for(fault, wanted)?,
        Target::Netns(name) => netns::find(fault, name)?,
        Target::Docker(wanted) => docker::find_for(fault, wanted)?,
        Target::Kubernetes(wanted) => kubernetes::find_for(fault, wanted)?,
        Target::Url(_) => Vec::new(),
    };
    stress::check(fault, &alive, &[])?;
    latency::check(fault, &alive, &[])?;
    let victims = pick(plan.seed, fault, Members { total: alive.len(), alive, hit: Vec::new() })?;
    kubernetes::admits(fault, &victims.picked, image)?;
    Ok(victims)
}

#[cfg(test)]
mod tests {
    use brunt_scenario::plan::Params;
    use brunt_scenario::units::{CountOrShare, Share};

    use super::*;

    fn fault(id: &str, pick: CountOrShare, max_affected: CountOrShare) -> Fault {
        Fault {
            id: id.into(),
            kind: "process.pause",
            target: "payments".into(),
            pick,
            max_affected,
            allow_empty: false,
            follow: false,
            lasts: None,
            repeat: None,
            with: Params::default(),
            from: None,
            place: "x.brunt.yaml:1".into(),
        }
    }

    fn instances(range: std::ops::Range<usize>) -> Vec<Victim> {
        range.map(|index| Victim::Instance { service: "payments".into(), index, process: None }).collect()
    }

    fn three() -> Members {
        Members { alive: instances(0..3), total: 3, hit: Vec::new() }
    }

    #[test]
    fn the_same_seed_picks_the_same_members_and_each_fault_picks_for_itself() {
        let pick_of = |seed, id: &str| {
            let members = Members { alive: instances(0..100), total: 100, hit: Vec::new() };
            pick(seed, &fault(id, CountOrShare::Count(3), CountOrShare::All), members).unwrap().names().join(" ")
        };
        assert_eq!(pick_of(7, "a"), pick_of(7, "a"));
        assert_ne!(pick_of(7, "a"), pick_of(7, "b"));
        assert_ne!(pick_of(7, "a"), pick_of(8, "a"));
        // Pinned: a change of library or algorithm would change what a stored seed means.
        assert_eq!(pick_of(7, "payment-killed"), "payments-23 payments-38 payments-73");
    }

    #[test]
    fn every_member_is_picked_about_equally_often() {
        let mut counts = [0; 3];
        for seed in 0..3000 {
            let victims = pick(seed, &fault("a", CountOrShare::Count(1), CountOrShare::All), three()).unwrap();
            counts[victims.picked[0].instance().unwrap().1] += 1;
        }
        assert!(counts.iter().all(|count| (900..1100).contains(count)), "{counts:?}");
    }

    #[test]
    fn max_affected_counts_what_other_faults_hold_and_rounds_up() {
        let half = CountOrShare::Share(Share(0.5));
        let one = fault("second", CountOrShare::Count(1), half);
        let picked = pick(7, &one, three()).unwrap();
        let index = picked.picked[0].instance().unwrap().1;
        let others: Vec<Victim> = instances(0..3).into_iter().filter(|v| v.instance().unwrap().1 != index).collect();
        assert!(pick(7, &one, Members { hit: others[..1].to_vec(), ..three() }).is_ok(), "50 % of 3 is 2");
        let error = pick(7, &one, Members { hit: others, ..three() }).unwrap_err();
        assert_eq!(
            error.to_string(),
            "fault `second` would bring the members of `payments` that are hit at the same time to 3 of 3, and \
             max_affected allows 2: lower `pick`, raise `max_affected`, or let the faults follow each other"
        );
        assert!(pick(7, &one, Members { hit: picked.picked, ..three() }).is_ok(), "the same member counts once");
    }

    #[test]
    fn nothing_and_too_much_are_refused() {
        let all = CountOrShare::All;
        let none = Members { alive: Vec::new(), total: 0, hit: Vec::new() };
        assert!(matches!(pick(7, &fault("a", all, all), none), Err(ResolveError::Empty { .. })));
        let none = Members { alive: Vec::new(), total: 0, hit: Vec::new() };
        let open = Fault { allow_empty: true, ..fault("a", all, all) };
        assert_eq!(pick(7, &open, none).unwrap().picked, []);
        let error = pick(7, &fault("a", CountOrShare::Count(4), all), three()).unwrap_err();
        assert_eq!(
            error.to_string(),
            "fault `a` picks 4 of `payments`, which has 3: payments-0, payments-1, payments-2"
        );
    }
}
