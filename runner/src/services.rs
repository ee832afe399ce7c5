//! The processes that brunt starts: where they listen, and when they are ready.
//!
//! Ports are chosen before anything starts, so every `${services.x.url}` and `${links.x.url}` is known whatever the order,
//! also where two services point at each other. The processes themselves are children of the agent (`brunt-injector`), so
//! that they end even if this process is killed.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use brunt_injector::agent::network;
use brunt_injector::fault::disk::latency;
use brunt_injector::{Injector, InstanceSpec, ResolveError};
use brunt_scenario::plan::{Addresses, Fault, LinkTo, Plan, Ready, Service, Target, UnknownAddress};

use crate::probe;
use crate::secrets::Secrets;
use log::Log;

pub mod log;
pub mod port;

/// How often readiness is asked for: short beside the start of any process, long beside the cost of asking.
const READY_POLL: Duration = Duration::from_millis(20);

/// A service or a link could not be brought up: exit 3, nothing was injected.
#[derive(Debug, thiserror::Error)]
pub enum ServiceError {
    /// No free port.
    #[error("cannot find ports for the services: {0}")]
    Ports(#[source] std::io::Error),
    /// A fixed port is taken.
    #[error("service `{service}`: port {port} is in use on 127.0.0.1; free it or leave `port:` out to get a free one")]
    PortInUse {
        /// The service.
        service: String,
        /// Its `port:`.
        port: u16,
    },
    /// A command or a variable names something that has no address.
    #[error("service `{service}`: {source}")]
    Address {
        /// The service.
        service: String,
        /// What is not known.
        source: UnknownAddress,
    },
    /// IPv6 is switched off here, and it should be reached over that.
    #[error("service `{service}`: `family: ipv6`, and this host has no IPv6 (net.ipv6.conf.default.disable_ipv6)")]
    NoV6 {
        /// The service.
        service: String,
    },
    /// The network of the isolated ones could not be built.
    #[error(transparent)]
    Network(brunt_injector::Error),
    /// The process did not start.
    #[error("service `{service}`: {source}")]
    Start {
        /// The service.
        service: String,
        /// Why.
        source: brunt_injector::Error,
    },
    /// A link's listener could not be opened.
    #[error("link `{link}`: {source}")]
    Link {
        /// The link.
        link: String,
        /// Why.
        source: brunt_injector::Error,
    },
    /// It did not get ready in time, or it exited before.
    #[error("service `{service}`, instance {index}: {why}\n{tail}")]
    NotReady {
        /// The service.
        service: String,
        /// Which instance.
        index: usize,
        /// What was waited for, or how it exited.
        why: String,
        /// The last lines of its output.
        tail: String,
    },
}

/// A fault with the addresses in its texts and commands filled in.
///
/// # Errors
/// When one is not known, or is not the only one.
pub fn filled(fault: &Fault, layout: &Layout) -> Result<Fault, ResolveError> {
    let why = |unknown: UnknownAddress| ResolveError::Command { fault: fault.id.clone(), why: unknown.to_string() };
    Ok(Fault { with: fault.with.filled(&layout.addresses).map_err(why)?, ..fault.clone() })
}

/// Where everything listens.
#[derive(Debug, Clone, Default)]
pub struct Layout {
    /// Service name to the place of each instance.
    pub places: BTreeMap<String, Vec<SocketAddr>>,
    /// brunt's own address in the network of the isolated services, if there are any: links listen there.
    pub own: Option<IpAddr>,
    /// Of each service, the folders whose files a fault of the timeline makes slow.
    pub watched: BTreeMap<String, Vec<String>>,
    /// What fills the late parts of texts.
    pub addresses: Addresses,
}

/// Has a network built for the isolated services; `None` if there are none.
///
/// # Errors
/// When this user may not, or no range of addresses is free. Nothing is left then.
pub async fn isolate(plan: &Plan, injector: &Injector) -> Result<Option<network::Layout>, ServiceError> {
    let isolated = plan.services.iter().filter(|service| service.isolated);
    let instances: Vec<(String, usize)> =
        isolated.flat_map(|service| (0..service.instances).map(|index| (service.name.clone(), index))).collect();
    match instances.is_empty() {
        true => Ok(None),
        false => injector.isolate(instances).await.map(Some).map_err(ServiceError::Network),
    }
}

/// Chooses the ports of all instances. In a network of its own each has its address.
///
/// # Errors
/// When a fixed port is taken or too few are free.
pub fn lay_out(plan: &Plan, exe: &Path, network: Option<&network::Layout>) -> Result<Layout, ServiceError> {
    let wanted = plan.services.iter().filter(|service| service.port.is_none()).map(|service| service.instances).sum();
    let mut free = port::free_ports(wanted).map_err(ServiceError::Ports)?.into_iter();
    let mut layout = Layout::default();
    layout.addresses.exe = exe.display().to_string();
    layout.watched = slow_folders(plan);
    layout.own = network.map(|network| network.brunt.v4.into());
    for service in &plan.services {
        let ports: Vec<u16> = match service.port {
            Some(port) if service.isolated => vec![port; service.instances],
            Some(port) => {
                std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, port))
                    .map_err(|_| ServiceError::PortInUse { service: service.name.clone(), port })?;
                vec![port]
            }
            None => free.by_ref().take(service.instances).collect(),
        };
        let address = |index| address_of(network.filter(|_| service.isolated), service, index);
        let place = |(index, port)| Ok(SocketAddr::new(address(index)?, port));
        let places: Vec<SocketAddr> = ports.into_iter().enumerate().map(place).collect::<Result<_, ServiceError>>()?;
        let urls = places.iter().map(|place| format!("http://{place}")).collect();
        layout.addresses.services.insert(service.name.clone(), urls);
        layout.places.insert(service.name.clone(), places);
    }
    Ok(layout)
}

/// Where an instance is reached: in its network, if it has one.
fn address_of(network: Option<&network::Layout>, service: &Service, index: usize) -> Result<IpAddr, ServiceError> {
    let places = network.into_iter().flat_map(|network| &network.instances);
    let mut own = places.filter(|((name, place), ..)| *name == service.name && *place == index);
    let Some((_, _, addresses)) = own.next() else { return Ok(Ipv4Addr::LOCALHOST.into()) };
    if !service.over_v6 {
        return Ok(addresses.v4.into());
    }
    addresses.v6.map(IpAddr::V6).ok_or_else(|| ServiceError::NoV6 { service: service.name.clone() })
}

/// Opens the listeners of all links; their upstreams need not listen yet.
///
/// # Errors
/// When an address is taken.
pub async fn open_links(plan: &Plan, layout: &mut Layout, injector: &Injector) -> Result<(), ServiceError> {
    // At brunt's own loopback isolated services could not reach them.
    let reachable = layout.own.map(|own| SocketAddr::new(own, 0).to_string());
    for link in &plan.links {
        let (upstreams, https) = match &link.to {
            LinkTo::Service(name) => {
                let places = layout.places.get(name).map(Vec::as_slice).unwrap_or_default();
                (places.iter().map(SocketAddr::to_string).collect(), false)
            }
            LinkTo::Address { host, port, https } => (vec![format!("{host}:{port}")], *https),
        };
        let listeners = injector
            .open_link(&link.name, https, upstreams, link.listen.as_deref().or(reachable.as_deref()))
            .await
            .map_err(|source| ServiceError::Link { link: link.name.clone(), source })?;
        let scheme = if https { "https" } else { "http" };
        let urls = listeners.iter().map(|address| format!("{scheme}://{address}")).collect();
        layout.addresses.links.insert(link.name.clone(), urls);
    }
    Ok(())
}

/// A database opens its files when it starts: what is to make them slow later has to know them by then.
fn slow_folders(plan: &Plan) -> BTreeMap<String, Vec<String>> {
    let mut found: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for fault in crate::timeline::faults_of(&plan.timeline) {
        if let (Some(Target::Service(service)), Ok(Some(slow))) =
            (plan.targets.get(&fault.target), latency::order(fault, &[]))
        {
            found.entry(service.clone()).or_default().push(slow.path);
        }
    }
    found
}

/// Starts one service: all its instances, then waits for each.
///
/// # Errors
/// When a process does not start, exits, or is not ready in time; the message holds the last 20 lines of its output.
pub async fn start(
    service: &Service,
    layout: &Layout,
    logs: &Path,
    secrets: &Secrets,
    injector: &Injector,
) -> Result<(), ServiceError> {
    let mut started = Vec::with_capacity(service.instances);
    let address = |source| ServiceError::Address { service: service.name.clone(), source };
    for (index, place) in layout.places[&service.name].iter().enumerate() {
        let fill = |text: &brunt_scenario::plan::Text| text.fill(&layout.addresses, Some(*place)).map_err(address);
        let mut command = service.run.iter().map(fill).collect::<Result<Vec<_>, _>>()?.into_iter();
        let log = log::path(logs, &service.name, index);
        let spec = InstanceSpec {
            service: service.name.clone(),
            index,
            program: command.next().unwrap_or_default(),
            args: command.collect(),
            cwd: service.cwd.clone(),
            env: service
                .env
                .iter()
                .map(|(name, value)| Ok((name.clone(), fill(value)?)))
                .collect::<Result<Vec<_>, ServiceError>>()?,
            log: log.clone(),
            stop_signal: service.stop_signal,
            stop_within: service.stop_within,
            watched: layout.watched.get(&service.name).cloned().unwrap_or_default(),
        };
        let instance = injector
            .start_instance(spec)
            .await
            .map_err(|source| ServiceError::Start { service: service.name.clone(), source })?;
        started.push((index, *place, Log { path: log, from: instance.log_from }));
    }
    for (index, place, log) in started {
        tokio::select! {
            ready = wait_ready(service, index, place, &log, secrets) => ready?,
            status = end_of(injector, &service.name, index) => {
                let why = format!("it ended before it was ready: {status}");
                return Err(not_ready(service, index, why, &log, secrets));
            }
        }
    }
    Ok(())
}

/// Waits until an instance ends.
async fn end_of(injector: &Injector, service: &str, index: usize) -> String {
    loop {
        if let Some(status) = injector.ended(service, index) {
            return status;
        }
        tokio::time::sleep(READY_POLL).await;
    }
}

/// Waits until an instance is ready.
///
/// # Errors
/// [`ServiceError::NotReady`] after `ready.within`.
pub async fn wait_ready(
    service: &Service,
    index: usize,
    place: SocketAddr,
    log: &Log,
    secrets: &Secrets,
) -> Result<(), ServiceError> {
    let deadline = tokio::time::Instant::now() + service.ready_within;
    loop {
        let answer = is_ready(&service.ready, place, log).await;
        let Err(why) = answer else { return Ok(()) };
        if tokio::time::Instant::now() >= deadline {
            let seconds = service.ready_within.as_secs_f64();
            let why = format!("not ready after {seconds} s: {why}{}", hint(service, place));
            return Err(not_ready(service, index, why, log, secrets));
        }
        tokio::time::sleep(READY_POLL).await;
    }
}

/// What most often keeps an isolated service from being reached.
fn hint(service: &Service, place: SocketAddr) -> String {
    match service.isolated && !matches!(service.ready, Ready::Log(_)) {
        true => format!(
            "; it is isolated: 127.0.0.1 is its own there, so it must listen on {} (`${{address}}`) or on all addresses",
            place.ip()
        ),
        false => String::new(),
    }
}

async fn is_ready(ready: &Ready, place: SocketAddr, log: &Log) -> Result<(), String> {
    let timeout = Duration::from_secs(1);
    match ready {
        Ready::Tcp => probe::connect(&place.to_string(), timeout).await,
        Ready::Http(path) => {
            let url = format!("http://{place}{path}");
            match probe::get(&url, timeout, false).await? {
                status if status < 400 => Ok(()),
                status => Err(format!("GET {path} answered {status}")),
            }
        }
        Ready::Log(pattern) => {
            let pattern = regex::Regex::new(pattern).map_err(|error| error.to_string())?;
            let text = log.text().map_err(|error| format!("its output cannot be read: {error}"))?;
            if text.lines().any(|line| pattern.is_match(line)) {
                Ok(())
            } else {
                Err(format!("no line of its output matches `{pattern}`"))
            }
        }
    }
}

fn not_ready(service: &Service, index: usize, why: String, log: &Log, secrets: &Secrets) -> ServiceError {
    let lines = log.last_lines(secrets);
    let tail = match lines.is_empty() {
        true => format!("(it wrote nothing to {})", log.path.display()),
        false => lines.iter().map(|line| format!("  | {line}\n")).collect(),
    };
    ServiceError::NotReady { service: service.name.clone(), index, why, tail }
}
