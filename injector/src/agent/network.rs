//! The network of isolated services: a namespace for each instance, one more in the middle that routes, and a wire from
//! there to where brunt is.
//!
//! ```text
//!   brunt (the host, or its own user namespace)
//!     | brunt-1a2b3c4d          <- the only thing that anybody else can see, with a route to the range
//!   hub: forwarding on, every packet to or from an instance passes its FORWARD hook
//!     | orders-0    | payments-0    | payments-1
//!   eth0          eth0            eth0        <- a namespace each, with loopback
//! ```
//!
//! None of these namespaces has a name: they exist as long as the agent holds them (or a service lives in one). When the
//! agent is gone, however it went, the kernel takes them down, with all that is in them and the wire to the host.
//! Packet faults act in the hub, by the address of the instance: a packet that is dropped there is not told to its sender,
//! and one that is held there is charged to nobody.

pub mod range;

use std::collections::BTreeMap;
use std::fs;
use std::io;

use std::os::fd::AsFd;

use rustix::io::Errno;
use serde::{Deserialize, Serialize};

use crate::agent::services::{Key, label};
use crate::error::Error;
use crate::namespace::{Identity, Namespace};
use crate::netlink::link::{self, LONGEST_NAME};
use crate::netlink::route::{self, Range};
use crate::netlink::{Socket, address};
use crate::process::ProcessId;
use range::{Both, Ranges};

/// How many instances a network takes: their addresses end in 10 to 249.
pub const MOST: usize = 240;
/// How that text begins.
const ALIAS: &str = "brunt run ";
/// The name of brunt's wire in the hub.
const WIRE: &str = "brunt";
/// The name of an instance's only interface besides loopback.
const INSTANCE_LINK: &str = "eth0";

/// Where everything is, as the runner is told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Layout {
    /// The namespace in the middle.
    pub hub: Identity,
    /// brunt's own addresses in this network: links listen there.
    pub brunt: Both,
    /// Each instance: its namespace and its addresses, in the order of their names.
    pub instances: Vec<(Key, Identity, Both)>,
}

/// The network of a run. Dropping it lets go of all namespaces.
#[derive(Debug)]
pub struct Network {
    hub: Namespace,
    #[expect(dead_code, reason = "it is held for what happens when it is let go")]
    wire: OwnWire,
    brunt: Both,
    places: BTreeMap<Key, Place>,
}

/// brunt's wire to the hub, in the namespace of brunt itself.
#[derive(Debug)]
struct OwnWire {
    name: String,
    own: Namespace,
}

/// Where an instance lives, whichever process it is at the moment.
#[derive(Debug)]
struct Place {
    namespace: Namespace,
    addresses: Both,
}

/// What brunt's wire is called on the host: derived from the run, so that it can be written down before it is made.
pub fn wire_of(run_id: &str) -> String {
    format!("brunt-{:08x}", range::hash(run_id) >> 32)
}

/// What stands beside that interface: whose it is, and as `pid:start time` which agent holds it.
pub fn alias_of(run_id: &str, agent: ProcessId) -> String {
    format!("{ALIAS}{run_id} {}:{}", agent.pid, agent.start)
}

/// A wire of somebody's run, as it is seen from outside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wire {
    /// The interface.
    pub name: String,
    /// What stands beside it.
    pub alias: String,
    /// Whose it is.
    pub run_id: String,
    /// Who holds it.
    pub agent: ProcessId,
}

/// The wires of all runs in this namespace. None when that cannot be seen.
pub fn wires() -> Vec<Wire> {
    let links = link::open().and_then(|mut socket| link::all(&mut socket)).unwrap_or_default();
    links.into_iter().filter_map(|link| read_alias(link.name, link.alias)).collect()
}

fn read_alias(name: String, alias: String) -> Option<Wire> {
    let (run_id, agent) = alias.strip_prefix(ALIAS)?.rsplit_once(' ')?;
    let (pid, start) = agent.split_once(':')?;
    let agent = ProcessId { pid: pid.parse().ok()?, start: start.parse().ok()? };
    let run_id = run_id.to_owned();
    (name == wire_of(&run_id)).then_some(Wire { name, alias, run_id, agent })
}

impl Network {
    /// Builds it, with a place for each instance.
    ///
    /// # Errors
    /// No right to make namespaces, no free range of addresses, sysctl files that cannot be written. What was built until then
    /// is gone again.
    pub fn build(run_id: &str, alias: &str, instances: Vec<Key>) -> Result<Self, Error> {
        if instances.len() > MOST {
            let why = format!("{} isolated instances; a network has room for {MOST}", instances.len());
            return Err(Error::Refused(why));
        }
        let failed = |what: &'static str| move |source| Error::Network { what, source };
        let own = Namespace::current().map_err(failed("find the own namespace"))?;
        let with_v6 = has_v6();
        let hub = Namespace::new().map_err(failed("make a namespace"))?;
        inside(&hub, || prepare(with_v6, true)).map_err(failed("make the namespace in the middle route"))?;
        let mut socket = link::open().map_err(failed("open a netlink socket"))?;
        let wire = wire_of(run_id);
        link::add_pair(&mut socket, &wire, alias, hub.as_fd(), WIRE).map_err(failed("make a wire to the services"))?;
        // From here on `wire` takes itself away if something fails.
        let wire = OwnWire { name: wire, own };
        let ranges = wire.attach(&mut socket, &hub, run_id, with_v6)?;
        let mut this = Self { hub, wire, brunt: ranges.brunt(), places: BTreeMap::new() };
        for (place, key) in instances.into_iter().enumerate() {
            let addresses = ranges.of_instance(place);
            let namespace = this
                .connect(&key, place, addresses, ranges.gateway())
                .map_err(|source| Error::Network { what: "make the namespace of an instance", source })?;
            this.places.insert(key, Place { namespace, addresses });
        }
        Ok(this)
    }

    /// A namespace for an instance, and the wire between it and the hub.
    fn connect(&self, key: &Key, place: usize, own: Both, gateway: Both) -> io::Result<Namespace> {
        let namespace = Namespace::new()?;
        let with_v6 = own.v6.is_some();
        inside(&namespace, || prepare(with_v6, false))?;
        let name = Some(label(key)).filter(|name| name.len() <= LONGEST_NAME).unwrap_or_else(|| format!("i{place}"));
        inside(&self.hub, || {
            link::add_pair(&mut link::open()?, &name, &label(key), namespace.as_fd(), INSTANCE_LINK)?;
            wire_up(&name, gateway, own)
        })?;
        inside(&namespace, || {
            let mut socket = link::open()?;
            let index = link::by_name(&mut socket, INSTANCE_LINK)?.index;
            link::set_up(&mut socket, index)?;
            for (own, gateway) in own.each().zip(gateway.each()) {
                address::add(&mut socket, index, own)?;
                route::add(&mut socket, Range::all(own), index, Some(gateway))?;
            }
            Ok(())
        })?;
        Ok(namespace)
    }

    /// Where an instance lives.
    pub fn place(&self, key: &Key) -> Option<&Namespace> {
        self.places.get(key).map(|place| &place.namespace)
    }

    /// The addresses of an instance.
    pub fn addresses(&self, key: &Key) -> Option<Both> {
        self.places.get(key).map(|place| place.addresses)
    }

    /// The namespace in the middle, where the packets of all instances pass.
    pub fn hub(&self) -> &Namespace {
        &self.hub
    }

    /// What the runner needs to know.
    pub fn layout(&self) -> Layout {
        let instances =
            self.places.iter().map(|(key, place)| (key.clone(), place.namespace.identity(), place.addresses));
        Layout { hub: self.hub.identity(), brunt: self.brunt, instances: instances.collect() }
    }
}

impl OwnWire {
    /// Gives the wire its addresses, and a route to the first range that is free.
    fn attach(&self, socket: &mut Socket, hub: &Namespace, run_id: &str, with_v6: bool) -> Result<Ranges, Error> {
        let failed = |what: &'static str| move |source| Error::Network { what, source };
        let index = link::by_name(socket, &self.name).map_err(failed("find the own wire"))?.index;
        if with_v6 {
            let path = format!("/proc/sys/net/ipv6/conf/{}/accept_dad", self.name);
            fs::write(path, "0").map_err(failed("write below /proc/sys/net/ipv6"))?;
        }
        link::set_up(socket, index).map_err(failed("set the own wire up"))?;
        let taken = range::taken(socket).map_err(failed("read the routes of this host"))?;
        for ranges in range::candidates(run_id, with_v6).filter(|ranges| !ranges.touch(&taken)) {
            let (brunt, gateway) = (ranges.brunt(), ranges.gateway());
            match claim(socket, index, &ranges) {
                Ok(()) => {}
                // Somebody has taken it since the look at the routes.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
                Err(error) => return Err(failed("set a route to the services")(error)),
            }
            inside(hub, || wire_up(WIRE, gateway, brunt)).map_err(failed("set up the wire in the middle"))?;
            return Ok(ranges);
        }
        Err(Error::Refused(range::NONE_FREE.into()))
    }
}

impl Drop for OwnWire {
    /// The namespaces go with their last holder, but in the kernel's own time; the host's end of the wire goes now.
    fn drop(&mut self) {
        let wire = &self.name;
        let removed = inside(&self.own, || {
            let mut socket = link::open()?;
            let index = link::by_name(&mut socket, wire)?.index;
            link::remove(&mut socket, index)
        });
        if let Err(error) = removed.or_else(|error| match error.kind() {
            io::ErrorKind::NotFound => Ok(()),
            _ => Err(error),
        }) {
            eprintln!("brunt agent: the interface {wire} stays until the namespace behind it is gone: {error}");
        }
    }
}

fn inside<Out: Send>(namespace: &Namespace, what: impl FnOnce() -> io::Result<Out> + Send) -> io::Result<Out> {
    namespace.inside(what)?
}

/// Whether this host has IPv6 at all; else the services have none either.
fn has_v6() -> bool {
    fs::read_to_string("/proc/sys/net/ipv6/conf/default/disable_ipv6").is_ok_and(|text| text.trim() == "0")
}

/// Loopback up; in the middle, forwarding; and nobody waits for IPv6 addresses to be seen free: nobody else can have them.
fn prepare(with_v6: bool, routes: bool) -> io::Result<()> {
    let set = |name: &str, value: &str| {
        let path = format!("/proc/sys/net/{name}");
        fs::write(&path, value).map_err(|error| io::Error::new(error.kind(), format!("{path}: {error}")))
    };
    if with_v6 {
        set("ipv6/conf/all/accept_dad", "0")?;
        set("ipv6/conf/default/accept_dad", "0")?;
    }
    if routes {
        set("ipv4/ip_forward", "1")?;
        if with_v6 {
            set("ipv6/conf/all/forwarding", "1")?;
        }
    }
    let mut socket = link::open()?;
    let loopback = link::by_name(&mut socket, "lo")?.index;
    link::set_up(&mut socket, loopback)
}

/// brunt's address on its wire and the route to the services, both families or none.
fn claim(socket: &mut Socket, index: u32, ranges: &Ranges) -> io::Result<()> {
    for ((own, gateway), range) in ranges.brunt().each().zip(ranges.gateway().each()).zip(ranges.each()) {
        match address::add(socket, index, own) {
            Err(error) if Errno::from_io_error(&error) != Some(Errno::EXIST) => return Err(error),
            _ => {}
        }
        route::add(socket, range, index, Some(gateway))?;
    }
    Ok(())
}

/// The hub's end of a wire: its own address, the same on all wires, and a route to what is at the other end.
fn wire_up(name: &str, own: Both, other: Both) -> io::Result<()> {
    let mut socket = link::open()?;
    let index = link::by_name(&mut socket, name)?.index;
    link::set_up(&mut socket, index)?;
    for (own, other) in own.each().zip(other.each()) {
        address::add(&mut socket, index, own)?;
        route::add(&mut socket, Range::only(other), index, None)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
