//! Who of a cluster is hit: pods and what they belong to, less those that must not be or want not to be.

use std::collections::BTreeSet;

use brunt_kubernetes::ephemeral::{self, Purpose};
use brunt_kubernetes::finding::{self, Candidate, EXEMPT, Known, acts_on};
use brunt_kubernetes::{Identity, Kind, KubernetesError, Object, rights};
use brunt_scenario::plan::{Fault, PodMatch};

use crate::error::ResolveError;
use crate::target::{Members, Victim};

/// The members of a target, and those of them that faults hold.
///
/// # Errors
/// None fits (unless the fault has `allow_empty`), the cluster cannot be asked or is another one than before, or one of the
/// members must not be hit.
pub fn members(
    fault: &Fault,
    wanted: &PodMatch,
    held: &[Victim],
    known: Known<'_>,
) -> Result<(Members, Identity), ResolveError> {
    let Found { alive, cluster, .. } = look(fault, wanted, known)?;
    let hit = held.iter().filter(|victim| alive.contains(victim)).cloned().collect();
    Ok((Members { total: alive.len(), alive, hit }, cluster))
}

/// The pods that a fault may hit, and the UIDs of those that are ready; none is no error.
///
/// # Errors
/// As for [`members`].
pub fn pods_now(
    fault: &Fault,
    wanted: &PodMatch,
    cluster: &Identity,
) -> Result<(Vec<Object>, BTreeSet<String>), ResolveError> {
    let known = Known { cluster: Some(cluster), allowed: true };
    let found = look(&Fault { allow_empty: true, ..fault.clone() }, wanted, known)?;
    Ok((found.alive.iter().filter_map(Victim::object).cloned().collect(), found.ready))
}

/// All that a fault may hit, by name.
///
/// # Errors
/// As for [`members`].
pub fn find_for(fault: &Fault, wanted: &PodMatch) -> Result<Vec<Victim>, ResolveError> {
    look(fault, wanted, Known::default()).map(|found| found.alive)
}

/// Whether the pods that were picked would take an agent of brunt's, for faults that act inside of them: the cluster is asked for
/// all of it but the act.
///
/// # Errors
/// It is not admitted, and why.
pub fn admits(fault: &Fault, picked: &[Victim], image: &str) -> Result<(), ResolveError> {
    let pods: Vec<&Object> = picked.iter().filter_map(Victim::object).collect();
    let Some(first) = pods.first().filter(|_| rights::acts_inside(fault.kind)) else { return Ok(()) };
    let purpose = Purpose::of(fault.kind);
    let rehearsed = ephemeral::rehearse(&first.cluster, &pods, image, purpose);
    rehearsed.map_err(|error| ResolveError::Admission {
        fault: fault.id.clone(),
        target: fault.target.clone(),
        why: match error {
            // It may, by its rights: those were asked for before.
            KubernetesError::Forbidden { why, .. } => why,
            other => other.to_string(),
        },
    })
}

/// Who may be hit, and where.
struct Found {
    alive: Vec<Victim>,
    /// The UIDs of those that are ready.
    ready: BTreeSet<String>,
    cluster: Identity,
}

fn look(fault: &Fault, wanted: &PodMatch, known: Known<'_>) -> Result<Found, ResolveError> {
    let target = &fault.target;
    let kind = acts_on(fault.kind).unwrap_or(Kind::Pod);
    let mut found = finding::look(fault.kind, wanted, known).map_err(|error| match error {
        KubernetesError::Rights { missing } => {
            ResolveError::Rights { fault: fault.id.clone(), target: target.clone(), missing }
        }
        error => ResolveError::Search { target: target.clone(), why: error.to_string() },
    })?;
    let candidates = std::mem::take(&mut found.candidates);
    let all = candidates.len();
    let (exempt, members): (Vec<_>, Vec<_>) = candidates.into_iter().partition(|one| one.exempt);
    let (mut alive, mut ready) = (Vec::new(), BTreeSet::new());
    let mut others = Vec::new();
    for member in members {
        if let Some(state) = member.down {
            others.push(format!("{} {state}", member.name));
        } else if let Some(why) = member.protected {
            let process = format!("{} {}", kind.word(), member.name);
            return Err(ResolveError::Protected { target: target.clone(), process, why });
        } else {
            let container = meant_container(fault, wanted, &member)?;
            let process = wanted.process.clone();
            ready.extend(member.ready.then(|| member.uid.clone()));
            alive.push(Victim::Kubernetes(Box::new(Object {
                container,
                process,
                ..member.object(kind, &found.cluster)
            })));
        }
    }
    alive.sort();
    if alive.is_empty() && !fault.allow_empty {
        let mut why = format!("no {} {}", kind.word(), found.in_words(kind, wanted));
        if !others.is_empty() {
            why += &format!(" ({})", others.join(", "));
        } else if !exempt.is_empty() {
            let names: Vec<&str> = exempt.iter().map(|one| one.name.as_str()).collect();
            why += &format!(" but for those with the label `{EXEMPT}: \"true\"`: {}", names.join(", "));
        }
        debug_assert!(all == 0 || !(others.is_empty() && exempt.is_empty()), "whatever was found is told");
        return Err(ResolveError::Empty { target: target.clone(), why: why + "; `allow_empty: true` lets that pass" });
    }
    Ok(Found { alive, ready, cluster: found.cluster })
}

/// The container that is meant. Faults on processes must know it, and a pod that has only one means that.
fn meant_container(fault: &Fault, wanted: &PodMatch, pod: &Candidate) -> Result<Option<String>, ResolveError> {
    let on_processes = Purpose::of(fault.kind) == Purpose::Processes;
    match &pod.containers[..] {
        _ if !on_processes || wanted.container.is_some() => Ok(wanted.container.clone()),
        [only] => Ok(Some(only.clone())),
        several => {
            let all = several.join(", ");
            let why =
                format!("pod {} has the containers {all}: say with `container` whose processes are meant", pod.name);
            Err(ResolveError::Search { target: fault.target.clone(), why })
        }
    }
}
