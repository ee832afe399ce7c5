//! Whom `from:` means: the addresses at the other end of the packets that a fault hits.

use std::net::{IpAddr, ToSocketAddrs as _};

use brunt_scenario::plan::{Addresses, Target};
use nix::ifaddrs::getifaddrs;

use crate::agent::network::Layout;
use crate::error::Error;
use crate::namespace::Namespace;

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
