//! Whom `from:` means: the addresses at the other end of the packets that a fault hits.

use std::net::{IpAddr, ToSocketAddrs as _};

use brunt_kubernetes::finding;
use brunt_scenario::plan::{Addresses, DockerMatch, Fault, Target};
use nix::ifaddrs::getifaddrs;

use crate::agent::network::Layout;
use crate::error::{Error, ResolveError};
use crate::namespace::Namespace;
use crate::target::docker;

/// Whether there is anybody whom `from` means, and they may be looked for, where that can be told before the run: containers and
/// namespaces of this host, pods. Blocks; touches nothing.
pub fn check(fault: &Fault) -> Result<(), ResolveError> {
    let Some((name, target)) = &fault.from else { return Ok(()) };
    let search = |why: String| ResolveError::Search { target: name.clone(), why };
    match target {
        Target::Docker(_) | Target::Netns(_) => {}
        Target::Kubernetes(wanted) => {
            let missing = finding::missing_to_meet(wanted).map_err(|error| search(error.to_string()))?;
            if !missing.is_empty() {
                let missing = missing.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
                return Err(ResolveError::Rights { fault: fault.id.clone(), target: name.clone(), missing });
            }
        }
        _ => return Ok(()),
    }
    addresses(name, target, None).map(drop).map_err(|error| search(error.to_string()))
}

/// All addresses of a target, of both families, as they are now; those of isolated services are told by the run's network.
/// Blocks.
pub fn addresses(name: &str, target: &Target, network: Option<&Layout>) -> Result<Vec<IpAddr>, Error> {
    let failed = |why: String| Error::Unfit { kind: format!("from: {name}"), why };
    let found = match target {
        Target::Netns(namespace) => {
            let inside =
                |error: std::io::Error| failed(format!("cannot look into network namespace `{namespace}`: {error}"));
            Namespace::named(namespace).and_then(|namespace| namespace.inside(of_devices)).map_err(inside)?
        }
        Target::Docker(wanted) => of_containers(name, wanted).map_err(failed)?,
        Target::Kubernetes(wanted) => finding::addresses(wanted).map_err(|error| failed(error.to_string()))?,
        Target::Service(service) => {
            let places = network.into_iter().flat_map(|network| &network.instances);
            let own = places.filter(|((name, _), ..)| name == service);
            own.flat_map(|(_, _, addresses)| addresses.each()).collect()
        }
        Target::Url(url) => {
            let url = url.fill(&Addresses::default(), None).map_err(|error| failed(error.to_string()))?;
            let url: brunt_scenario::address::Url = url.parse().map_err(|why| failed(format!("`{url}`: {why:?}")))?;
            let looked_up = (url.host.as_str(), url.port).to_socket_addrs();
            looked_up.map_err(|error| failed(error.to_string()))?.map(|address| address.ip()).collect()
        }
        other => {
            return Err(failed(format!("the packets of a {} target are not known by an address", other.kind().word())));
        }
    };
    if found.is_empty() {
        return Err(failed("it has no address".into()));
    }
    Ok(found)
}

/// Every container that fits, in each of its networks. One in the network of the host has the host's addresses, which are
/// everybody's there.
fn of_containers(name: &str, wanted: &DockerMatch) -> Result<Vec<IpAddr>, String> {
    let mut found = Vec::new();
    for container in docker::find(name, wanted, false).map_err(|error| error.to_string())? {
        let inside = |error: std::io::Error| format!("cannot look into the network of container {container}: {error}");
        if docker::network_mode(&container).map_err(|error| error.to_string())? == "host" {
            return Err(format!(
                "container {container} is in the network of the host, where its packets are not alone"
            ));
        }
        let network = docker::namespace(&container).map_err(|error| error.to_string())?;
        found.extend(network.inside(of_devices).map_err(inside)?);
    }
    Ok(found)
}

/// The addresses of the devices of the calling thread's namespace, but for the loopback.
fn of_devices() -> Vec<IpAddr> {
    let all = getifaddrs().into_iter().flatten();
    let addresses = all.filter_map(|device| {
        let address = device.address?;
        let v4 = address.as_sockaddr_in().map(|address| IpAddr::V4(address.ip()));
        v4.or_else(|| address.as_sockaddr_in6().map(|address| IpAddr::V6(address.ip())))
    });
    addresses.filter(|address| !address.is_loopback()).collect()
}
