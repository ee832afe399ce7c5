//! Network namespaces with a name, as `ip netns add` gives it.

use std::io;

use brunt_scenario::plan::Fault;
use rustix::thread::{CapabilitySet, capabilities};

use crate::error::{Error, ResolveError};
use crate::namespace::{Namespace, path_of};
use crate::netlink::nf_tables;
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
    let may = capabilities(None).is_ok_and(|sets| sets.effective.contains(CapabilitySet::NET_ADMIN));
    if !may {
        let why = format!(
            "rules in the network namespace `{name}` need CAP_NET_ADMIN, which brunt does not have; run it as root"
        );
        return Err(ResolveError::Search { target, why });
    }
    let listed = namespace.inside(nf_tables::tables).map_err(|error| cure(name, &error));
    match listed.map(|tables| tables.map_err(|refused| refused.to_string())) {
        Ok(Ok(_)) => Ok(vec![Victim::Namespace { name: name.into(), identity: Some(namespace.identity()) }]),
        Ok(Err(why)) => {
            let why = format!("{why}: the kernel must have nf_tables (`modprobe nf_tables`) to act on packets");
            Err(ResolveError::Search { target, why })
        }
        Err(why) => Err(ResolveError::Search { target, why }),
    }
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
