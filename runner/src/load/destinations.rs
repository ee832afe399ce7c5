//! Where requests go: the addresses behind each target, and which of them are ready.
//!
//! The runner (readiness of service instances) and the resolver (names whose addresses change) write; workers read. A
//! worker keeps the list that it saw last and looks at a version number before each request, so nothing is locked or
//! written to in the hot path.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use brunt_report::facts::DestinationFacts;
use brunt_scenario::plan::{Addresses, Plan, Step, Target};
use hyper::Uri;
use hyper::header::HeaderValue;
use serde::{Deserialize, Serialize};

use super::dns::{self, Resolver};
use super::{LoadError, names};

/// One place that a request can be sent to.
#[derive(Debug, Clone, PartialEq)]
pub struct Address {
    /// Its place among the target's addresses, as it stands in the samples. Never reused.
    pub index: u16,
    /// Where to connect.
    pub socket: SocketAddr,
    /// The `Host` header (HTTP/1.1) and `:authority` (HTTP/2).
    pub authority: HeaderValue,
}

/// What workers read: the addresses in use, taken in turn.
#[derive(Debug, Clone)]
pub enum Usable {
    /// Never empty.
    Addresses(Arc<[Address]>),
    /// The name does not resolve any more; the text says so.
    NoSuchName(Arc<str>),
}

/// What an index in the samples stands for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Place {
    /// An address.
    Address(SocketAddr),
    /// Whoever a reply names.
    Named(String),
}

#[derive(Debug)]
struct State {
    all: Vec<(Address, bool)>,
    /// Names that replies told, each with its index among those of the addresses.
    named: Vec<(u16, String)>,
    gone: Option<Arc<str>>,
}

impl State {
    /// The index of whoever comes next.
    fn next(&self) -> u16 {
        u16::try_from(self.all.len() + self.named.len()).unwrap_or(u16::MAX - 1)
    }
}

/// The addresses behind one target.
#[derive(Debug)]
pub struct Destination {
    /// The target's name in the scenario.
    pub target: String,
    /// `https`.
    pub tls: bool,
    /// Host name for TLS and for messages.
    pub host: String,
    /// TCP port of a URL target; service instances have their own.
    pub port: u16,
    /// Put before each request's path: no slash at its end.
    pub prefix: String,
    state: Mutex<State>,
    version: AtomicU64,
}

impl Destination {
    /// Counts up whenever [`Destination::usable`] changes.
    pub fn version(&self) -> u64 {
        self.version.load(Ordering::Acquire)
    }

    /// The ready addresses. If none is ready, all of them: then the requests fail, and are counted as failed, instead of
    /// not being sent.
    pub fn usable(&self) -> Usable {
        let state = self.lock();
        if let Some(gone) = &state.gone {
            return Usable::NoSuchName(gone.clone());
        }
        let ready: Vec<Address> =
            state.all.iter().filter(|(_, ready)| *ready).map(|(address, _)| address.clone()).collect();
        if ready.is_empty() {
            return Usable::Addresses(state.all.iter().map(|(address, _)| address.clone()).collect());
        }
        Usable::Addresses(ready.into())
    }

    /// Every address that was ever in use, in the order of their indices.
    pub fn all(&self) -> Vec<SocketAddr> {
        self.lock().all.iter().map(|(address, _)| address.socket).collect()
    }

    /// All that indices stand for, in their order.
    pub fn places(&self) -> Vec<Place> {
        let state = self.lock();
        let addresses = state.all.iter().map(|(address, _)| (address.index, Place::Address(address.socket)));
        let named = state.named.iter().map(|(index, name)| (*index, Place::Named(name.clone())));
        let mut all: Vec<(u16, Place)> = addresses.chain(named).collect();
        all.sort_by_key(|(index, _)| *index);
        all.into_iter().map(|(_, place)| place).collect()
    }

    /// The index of what a worker elsewhere has found, among all that any of them has.
    pub(super) fn learn(&self, place: &Place) -> Option<u16> {
        let socket = match place {
            Place::Named(name) => return self.learn_name(name),
            Place::Address(socket) => *socket,
        };
        let mut state = self.lock();
        if let Some((address, _)) = state.all.iter().find(|(address, _)| address.socket == socket) {
            return Some(address.index);
        }
        let index = state.next();
        state.all.push((Address { index, socket, authority: HeaderValue::from_static("") }, true));
        Some(index)
    }

    /// The index of whoever a reply names; `None` where there are too many of them to be names.
    pub(super) fn learn_name(&self, name: &str) -> Option<u16> {
        let mut state = self.lock();
        if let Some((index, _)) = state.named.iter().find(|(_, known)| known == name) {
            return Some(*index);
        }
        if state.named.len() >= names::MOST {
            return None;
        }
        let index = state.next();
        state.named.push((index, name.to_owned()));
        Some(index)
    }

    /// Takes over what a name resolves to now. Addresses that are gone keep their index.
    pub(super) fn resolved(&self, found: Result<Vec<IpAddr>, String>) {
        let mut state = self.lock();
        match found {
            Err(text) => state.gone = Some(text.into()),
            Ok(found) => {
                state.gone = None;
                for (address, ready) in &mut state.all {
                    *ready = found.contains(&address.socket.ip());
                }
                for ip in found {
                    if !state.all.iter().any(|(address, _)| address.socket.ip() == ip) {
                        let socket = SocketAddr::new(ip, self.port);
                        let authority = state.all[0].0.authority.clone();
                        let index = state.next();
                        state.all.push((Address { index, socket, authority }, true));
                    }
                }
            }
        }
        drop(state);
        self.version.fetch_add(1, Ordering::Release);
    }

    fn set_ready(&self, instance: usize, ready: bool) {
        let changed = match self.lock().all.get_mut(instance) {
            Some(entry) => std::mem::replace(&mut entry.1, ready) != ready,
            None => false,
        };
        if changed {
            self.version.fetch_add(1, Ordering::Release);
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // No code panics while it holds the lock, and the list is whole after each statement.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// All destinations of a run. The runner keeps it to flip readiness; workers read it.
#[derive(Debug)]
pub struct Destinations {
    list: Vec<Destination>,
    resolver: Resolver,
    services: BTreeMap<String, Vec<usize>>,
}

impl Destinations {
    /// Finds the addresses of every target that a loaded journey requests, once services and links have their ports. Names
    /// are resolved here; a name that does not resolve is an error (exit 3).
    pub async fn resolve(plan: &Plan, known: &Addresses) -> Result<Self, LoadError> {
        Self::resolve_by(plan, known, Resolver::default()).await
    }

    /// As [`Destinations::resolve`], with these name servers; they are asked again when a name's time to live is over.
    ///
    /// # Errors
    /// As for [`Destinations::resolve`].
    pub async fn resolve_by(plan: &Plan, known: &Addresses, mut resolver: Resolver) -> Result<Self, LoadError> {
        let mut all = Self { list: Vec::new(), resolver: Resolver::default(), services: BTreeMap::new() };
        for name in requested_targets(plan) {
            if all.index_of(name).is_some() {
                continue;
            }
            let destination = match plan.targets.get(name) {
                Some(Target::Url(text)) => {
                    let url = text.fill(known, None).map_err(|unknown| LoadError::target(name, &unknown))?;
                    from_url(name, &url, &mut resolver).await?
                }
                Some(Target::Service(service)) => {
                    all.services.entry(service.clone()).or_default().push(all.list.len());
                    from_instances(name, known.services.get(service).map_or(&[], Vec::as_slice))?
                }
                _ => return Err(LoadError::target(name, &"load can only go to a `url` or a `service`")),
            };
            all.list.push(destination);
        }
        all.resolver = resolver;
        Ok(all)
    }

    /// The destinations of a load that workers elsewhere send: none has an address before a worker tells one, for names mean
    /// something where they are, and maybe nothing here.
    ///
    /// # Errors
    /// A target is no URL.
    pub fn elsewhere(plan: &Plan) -> Result<Self, LoadError> {
        let mut all = Self { list: Vec::new(), resolver: Resolver::default(), services: BTreeMap::new() };
        for name in requested_targets(plan) {
            if all.index_of(name).is_some() {
                continue;
            }
            let Some(Target::Url(text)) = plan.targets.get(name) else {
                return Err(LoadError::target(name, &"load from pods can only go to a `url`"));
            };
            let url = text.fill(&Addresses::default(), None).map_err(|unknown| LoadError::target(name, &unknown))?;
            all.list.push(destination(name, parse(name, &url)?, []));
        }
        Ok(all)
    }

    /// Whoever was asked for the names, to be asked again.
    pub(super) fn resolver(&self) -> Resolver {
        self.resolver.clone()
    }

    /// Takes an instance of a service out of the rotation, or puts it back.
    pub fn set_ready(&self, service: &str, instance: usize, ready: bool) {
        for &index in self.services.get(service).into_iter().flatten() {
            self.list[index].set_ready(instance, ready);
        }
    }

    /// Who is behind each target, for the report: instances of services by their names, addresses of URLs by themselves.
    pub fn facts(&self) -> Vec<DestinationFacts> {
        let service_of = |index: usize| self.services.iter().find(|(_, targets)| targets.contains(&index));
        let facts = |(index, destination): (usize, &Destination)| {
            let service = service_of(index).map(|(service, _)| service);
            let places = destination.places();
            let by_name = places.iter().any(|place| matches!(place, Place::Named(_)));
            let named = |(number, place): (usize, Place)| match (service, place) {
                (_, Place::Named(name)) => (name, Some("as its replies say".to_owned())),
                (Some(service), Place::Address(socket)) => (format!("{service}-{number}"), Some(socket.to_string())),
                (None, Place::Address(socket)) if by_name => (format!("{socket}, nobody named"), None),
                (None, Place::Address(socket)) => (socket.to_string(), Some(socket.to_string())),
            };
            let instances = places.into_iter().enumerate().map(named).collect();
            DestinationFacts { target: destination.target.clone(), instances }
        };
        self.list.iter().enumerate().map(facts).collect()
    }

    /// The place of a target in [`Destinations::list`].
    pub fn index_of(&self, target: &str) -> Option<usize> {
        self.list.iter().position(|destination| destination.target == target)
    }

    /// In the order of their indices.
    pub fn list(&self) -> &[Destination] {
        &self.list
    }
}

/// The targets of all request steps of the journeys that a load entry uses.
pub(super) fn requested_targets(plan: &Plan) -> impl Iterator<Item = &str> {
    let journeys = plan.load.iter().flat_map(|load| &load.mix).filter_map(|part| plan.journeys.get(part.journey));
    journeys.flat_map(|journey| &journey.steps).filter_map(|step| match step {
        Step::Request(request) => Some(request.target.as_str()),
        Step::Think(_) => None,
    })
}

struct Url {
    tls: bool,
    host: String,
    port: u16,
    prefix: String,
    authority: HeaderValue,
}

fn parse(target: &str, url: &str) -> Result<Url, LoadError> {
    let wrong =
        |why: &dyn std::fmt::Display| LoadError::target(target, &format!("`{url}` is no URL to send load to: {why}"));
    let uri: Uri = url.parse().map_err(|error| wrong(&error))?;
    let tls = match uri.scheme_str() {
        Some("http") => false,
        Some("https") => true,
        _ => return Err(wrong(&"it has to begin with http:// or https://")),
    };
    let authority = uri.authority().ok_or_else(|| wrong(&"it has no host"))?;
    if authority.as_str().contains('@') {
        return Err(wrong(&"user and password belong into an `authorization` header"));
    }
    let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_owned();
    let port = authority.port_u16().unwrap_or(if tls { 443 } else { 80 });
    let prefix = uri.path().trim_end_matches('/').to_owned();
    let authority = HeaderValue::from_str(authority.as_str()).map_err(|error| wrong(&error))?;
    Ok(Url { tls, host, port, prefix, authority })
}

fn destination(target: &str, url: Url, sockets: impl IntoIterator<Item = (SocketAddr, HeaderValue)>) -> Destination {
    let all = sockets
        .into_iter()
        .zip(0..u16::MAX)
        .map(|((socket, authority), index)| (Address { index, socket, authority }, true))
        .collect();
    Destination {
        target: target.to_owned(),
        tls: url.tls,
        host: url.host,
        port: url.port,
        prefix: url.prefix,
        state: Mutex::new(State { all, named: Vec::new(), gone: None }),
        version: AtomicU64::new(0),
    }
}

async fn from_url(target: &str, url: &str, resolver: &mut Resolver) -> Result<Destination, LoadError> {
    let url = parse(target, url)?;
    let found = resolver.lookup(&url.host).await;
    let found = found.map_err(|error| LoadError::target(target, &error))?;
    let sockets: Vec<_> =
        found.addresses.into_iter().map(|ip| (SocketAddr::new(ip, url.port), url.authority.clone())).collect();
    Ok(destination(target, url, sockets))
}

pub(super) fn from_instances(target: &str, urls: &[String]) -> Result<Destination, LoadError> {
    let mut instances = Vec::with_capacity(urls.len());
    for url in urls {
        let url = parse(target, url)?;
        let ip = dns::literal(&url.host).ok_or_else(|| LoadError::target(target, &"an instance without an address"))?;
        instances.push((url, ip[0]));
    }
    let sockets: Vec<_> =
        instances.iter().map(|(url, ip)| (SocketAddr::new(*ip, url.port), url.authority.clone())).collect();
    match instances.into_iter().next() {
        Some((first, _)) => Ok(destination(target, first, sockets)),
        None => Err(LoadError::target(target, &"the service has no instance")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sockets(destination: &Destination) -> Vec<String> {
        match destination.usable() {
            Usable::Addresses(addresses) => addresses.iter().map(|address| address.socket.to_string()).collect(),
            Usable::NoSuchName(text) => vec![text.to_string()],
        }
    }

    #[test]
    fn names_and_addresses_that_come_later_share_one_row_of_indices() {
        let shop = from_instances("shop", &["http://127.0.0.1:4001".into()]).unwrap();
        let later = Place::Address("127.0.0.1:4002".parse().unwrap());
        let [one, two] = ["payments-1", "payments-2"].map(|name| Place::Named(name.into()));
        assert_eq!([&one, &later, &two, &one].map(|place| shop.learn(place)), [Some(1), Some(2), Some(3), Some(1)]);
        assert_eq!(shop.places()[1..], [one, later, two]);
    }

    fn two_instances() -> Destination {
        from_instances("shop", &["http://127.0.0.1:4001".into(), "http://127.0.0.1:4002".into()]).unwrap()
    }

    #[test]
    fn an_instance_that_is_not_ready_is_left_out_until_it_is() {
        let shop = two_instances();
        assert_eq!(sockets(&shop), ["127.0.0.1:4001", "127.0.0.1:4002"]);
        shop.set_ready(0, false);
        assert_eq!((sockets(&shop), shop.version()), (vec!["127.0.0.1:4002".to_owned()], 1));
        shop.set_ready(0, false);
        assert_eq!(shop.version(), 1, "nothing changed");
        shop.set_ready(0, true);
        assert_eq!(sockets(&shop).len(), 2);
    }

    #[test]
    fn with_no_ready_instance_requests_still_go_out_and_fail() {
        let shop = two_instances();
        shop.set_ready(0, false);
        shop.set_ready(1, false);
        assert_eq!(sockets(&shop).len(), 2);
    }

    #[tokio::test]
    async fn addresses_that_come_and_go_keep_their_index() {
        let mut resolver = Resolver::default();
        let site = from_url("site", "http://127.0.0.1:81/api/", &mut resolver).await.unwrap();
        assert_eq!((site.prefix.as_str(), site.port), ("/api", 81));
        let (one, two) = ("127.0.0.1".parse().unwrap(), "127.0.0.2".parse().unwrap());
        site.resolved(Ok(vec![one, two]));
        assert_eq!(sockets(&site), ["127.0.0.1:81", "127.0.0.2:81"]);
        site.resolved(Ok(vec![two]));
        assert_eq!(sockets(&site), ["127.0.0.2:81"]);
        site.resolved(Err("no such name".into()));
        assert_eq!(sockets(&site), ["no such name"]);
        site.resolved(Ok(vec![one]));
        assert_eq!((sockets(&site), site.all().len()), (vec!["127.0.0.1:81".to_owned()], 2));
    }

    #[tokio::test]
    async fn a_url_that_is_none_is_told_with_its_target() {
        let mut resolver = Resolver::default();
        let error = from_url("site", "ftp://x", &mut resolver).await.unwrap_err().to_string();
        assert_eq!(
            error,
            "target `site`: `ftp://x` is no URL to send load to: it has to begin with http:// or https://"
        );
    }
}
