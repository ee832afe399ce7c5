//! Network namespaces with a name, as `ip netns add` gives it.

use std::io;
use std::sync::OnceLock;

use brunt_scenario::plan::Fault;
use rustix::thread::{CapabilitySet, capabilities};

use crate::error::{Error, ResolveError};
use crate::fault::packet;
use crate::namespace::{Namespace, path_of};
use crate::netlink::nf_tables;
use crate::packets;
use crate::target::Victim;

/// The namespace of this name, and that this process may put rules into it; touches nothing.
pub fn find(fault: &Fault, name: &str) -> Result<Vec<Victim>, ResolveError> {
    let target = fault.target.clone();
    let namespace = match Namespace::named(name) {
        Ok(namespace) => namespace,
        Err(error) if error.kind() == io::ErrorKind::NotFound && fault.allow_empty => return Ok(Vec::new()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let why = format!("there is no network namespace `{name}`: `ip netns list` names those that there are");
            return Err(ResolveError::Empty { target, why });
        }
        Err(error) => return Err(ResolveError::Search { target, why: cure(name, &error) }),
    };
    let what = format!("the network namespace `{name}`");
    let may = may_have_rules(&namespace, &what);
    let may = may.and_then(|()| if packet::bandwidth::is_shaped(fault) { Ok(()) } else { may_decide(fault, true) });
    may.map_err(|why| ResolveError::Search { target, why })?;
    Ok(vec![Victim::Namespace { name: name.into(), identity: Some(namespace.identity()) }])
}

/// Whether this process may put rules into a namespace, and the kernel can; if not, what helps.
pub(super) fn may_have_rules(namespace: &Namespace, what: &str) -> Result<(), String> {
    let may = capabilities(None).is_ok_and(|sets| sets.effective.contains(CapabilitySet::NET_ADMIN));
    if !may {
        return Err(format!("rules in {what} need CAP_NET_ADMIN, which brunt does not have; run it as root"));
    }
    let listed = namespace.inside(nf_tables::tables).map_err(|error| format!("cannot enter {what}: {error}"))?;
    let modprobe =
        |refused| format!("{refused}: the kernel must have nf_tables (`modprobe nf_tables`) to act on packets");
    listed.map(drop).map_err(modprobe)
}

/// Whether the kernel gives packets to a thread of the agent (NFQUEUE), where the fault needs that: it does not where its
/// victims have a `network` to themselves and the kernel's own queues do it. If not, what helps. Tried in a namespace of its
/// own, which nobody sees, and once: a kernel does not change under a run. Who may not make a namespace learns it when the
/// fault begins.
pub(super) fn may_decide(fault: &Fault, network: bool) -> Result<(), String> {
    static TRIED: OnceLock<Result<(), String>> = OnceLock::new();
    let may_try = || capabilities(None).is_ok_and(|sets| sets.effective.contains(CapabilitySet::SYS_ADMIN));
    if !packet::is_queued(fault) || !may_try() || packet::ladder::is_emulated(fault, network) {
        return Ok(());
    }
    TRIED.get_or_init(packets::try_queue).clone().map_err(|why| {
        format!(
            "{} needs NFQUEUE, by which brunt decides about packets, and that does not work here: {why}; run it as root (with \
             CAP_NET_ADMIN and CAP_NET_RAW), on a kernel with nfnetlink_queue and xt_NFQUEUE (`modprobe -a nfnetlink_queue \
             xt_NFQUEUE`)",
            fault.kind
        )
    })
}

/// The same of packets in brunt's own network namespace.
pub fn check_own(fault: &Fault) -> Result<(), ResolveError> {
    let search = |why| ResolveError::Search { target: fault.target.clone(), why };
    let own = Namespace::current().map_err(|error| search(error.to_string()))?;
    may_have_rules(&own, "brunt's own network namespace").and_then(|()| may_decide(fault, false)).map_err(search)
}

fn cure(name: &str, error: &io::Error) -> String {
    let path = path_of(name);
    match error.kind() {
        io::ErrorKind::PermissionDenied => {
            format!("this user may not enter the network namespace {}: {error}; run brunt as root", path.display())
        }
        io::ErrorKind::InvalidInput => {
            format!("{} is no network namespace any more: `ip netns delete {name}` removes the name", path.display())
        }
        _ => format!("cannot enter the network namespace {}: {error}", path.display()),
    }
}

/// The namespace that a victim means, which must still be the one that was picked.
pub fn open(victim: &Victim) -> Result<Namespace, Error> {
    if victim.container().is_some() {
        return super::docker::namespace(victim);
    }
    let Victim::Namespace { name, identity } = victim else {
        let why = format!("{victim} has no network namespace of its own");
        return Err(Error::Unfit { kind: "network.*".into(), why });
    };
    let gone = |why: String| Error::NamespaceGone { name: name.clone(), why };
    let namespace = Namespace::named(name).map_err(|error| gone(error.to_string()))?;
    match identity {
        Some(picked) if *picked != namespace.identity() => {
            Err(gone(format!("its name now belongs to another one ({}, was {picked})", namespace.identity())))
        }
        _ => Ok(namespace),
    }
}
